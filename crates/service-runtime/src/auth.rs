//! Who is calling, and whether they may.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use foretide_domain::{Principal, Role};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tonic::{Request, Status};

/// The people and services that may call, by bearer token.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityConfig {
    /// People with a local token.
    pub people: Vec<Person>,
    /// Token by which our services know each other.
    pub service_token: Option<SecretString>,
}

/// A person with a local token.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Stable name, used in approvals and in the audit log.
    pub name: String,
    /// `viewer`, `operator`, `approver`.
    pub roles: Vec<Role>,
    /// The token, at least 16 characters.
    pub token: SecretString,
}

/// Turns bearer tokens into principals. Holds digests only, so that a token cannot be read out of
/// memory dumps or timing: a look-up compares SHA-256 digests.
#[derive(Debug, Clone, Default)]
pub struct Authenticator {
    by_digest: Arc<RwLock<HashMap<[u8; 32], Principal>>>,
}

impl Authenticator {
    /// An authenticator that knows the people of the configuration and, by the service token, our
    /// services.
    ///
    /// # Errors
    /// Says which person's token is too short, used twice, or has the role `service`.
    pub fn new(config: &IdentityConfig) -> Result<Self, String> {
        let authenticator = Self::default();
        for person in &config.people {
            let name = person.name.trim();
            if name.is_empty() || name.starts_with("service:") {
                return Err(format!(
                    "identity.people: {:?} is not a name for a person",
                    person.name
                ));
            }
            if person.roles.contains(&Role::Service) {
                return Err(format!(
                    "identity.people: {name} cannot have the role service"
                ));
            }
            if person.token.expose_secret().trim().len() < 16 {
                return Err(format!(
                    "identity.people: the token of {name} must have at least 16 characters"
                ));
            }
            let principal = Principal {
                name: name.to_owned(),
                roles: person.roles.clone(),
            };
            if !authenticator.admit(&person.token, principal) {
                return Err(format!(
                    "identity.people: the token of {name} is used twice"
                ));
            }
        }
        let blank = |token: &SecretString| token.expose_secret().trim().is_empty();
        if config.service_token.as_ref().is_some_and(blank) {
            return Err(
                "identity.service_token must not be blank: set it, or leave it out".to_owned(),
            );
        }
        if let Some(token) = &config.service_token
            && !authenticator.admit(token, Principal::service("foretide"))
        {
            return Err("identity.service_token is also the token of a person".to_owned());
        }
        Ok(authenticator)
    }

    /// Lets a principal in by a token. False when the token is already somebody's.
    pub fn admit(&self, token: &SecretString, principal: Principal) -> bool {
        let mut known = self
            .by_digest
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        match known.entry(digest(token.expose_secret())) {
            std::collections::hash_map::Entry::Occupied(_) => false,
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(principal);
                true
            }
        }
    }

    /// The principal a token belongs to.
    #[must_use]
    pub fn identify(&self, token: &str) -> Option<Principal> {
        self.by_digest
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&digest(token))
            .cloned()
    }

    /// The principal named by an `authorization` header.
    pub(crate) fn caller_of(&self, headers: &http::HeaderMap) -> Result<Principal, Status> {
        let header = headers
            .get(http::header::AUTHORIZATION)
            .ok_or_else(|| Status::unauthenticated("a bearer token is required"))?;
        header
            .to_str()
            .ok()
            .and_then(|text| text.strip_prefix("Bearer "))
            .and_then(|token| self.identify(token.trim()))
            .ok_or_else(|| Status::unauthenticated("the bearer token is not known"))
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The authenticated caller of a request.
///
/// # Errors
/// Unauthenticated when the request did not come through the server of this crate.
pub fn caller<T>(request: &Request<T>) -> Result<Principal, Status> {
    request
        .extensions()
        .get::<Principal>()
        .cloned()
        .ok_or_else(|| Status::unauthenticated("a bearer token is required"))
}

/// The caller, if it has the role. Our own services count as viewers and operators, never as
/// approvers.
///
/// # Errors
/// Permission denied without the role.
pub fn require<T>(request: &Request<T>, role: Role) -> Result<Principal, Status> {
    let caller = caller(request)?;
    let service_may = matches!(role, Role::Viewer | Role::Operator | Role::Service);
    let person_may = match role {
        Role::Viewer => caller.is_person() && !caller.roles.is_empty(),
        _ => caller.has(role),
    };
    if person_may || (service_may && caller.has(Role::Service)) {
        Ok(caller)
    } else {
        let needed = match role {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Approver => "approver",
            Role::Service => "service",
        };
        Err(Status::permission_denied(format!(
            "{} lacks the role {needed}",
            caller.name
        )))
    }
}
