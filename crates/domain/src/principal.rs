//! Who is calling.

use serde::{Deserialize, Serialize};

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads everything.
    Viewer,
    /// Starts runs, proposes actions by hand.
    Operator,
    /// Approves and rejects what others have proposed; changes phases.
    Approver,
    /// Another Foretide service. Never a person, so it never approves.
    Service,
}

/// An authenticated caller: a person or a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// Stable name, used in the audit log and to refuse self-approval.
    pub name: String,
    /// What the caller may do.
    pub roles: Vec<Role>,
}

impl Principal {
    /// A service of ours, by name.
    #[must_use]
    pub fn service(name: &str) -> Self {
        Self {
            name: format!("service:{name}"),
            roles: vec![Role::Service],
        }
    }

    /// Whether the caller has the role.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether the caller is a person rather than a service.
    #[must_use]
    pub fn is_person(&self) -> bool {
        !self.has(Role::Service)
    }
}
