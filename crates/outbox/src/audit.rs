//! Events for the audit chain.

use std::sync::Arc;

use async_trait::async_trait;
use foretide_api::governance::v1::AppendAuditRequest;
use foretide_api::governance::v1::governance_service_client::GovernanceServiceClient;
use foretide_db::Database;
use foretide_domain::{RunId, SharedClock};
use foretide_service_runtime::{AuthedChannel, ServiceContext};
use serde::Deserialize;
use serde_json::json;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::courier::{Courier, Destination};
use crate::item::{Item, NewItem, Outcome};
use crate::table::Outbox;

/// The channel of audit events.
pub const AUDIT: &str = "audit";

/// Something that was done, for the audit chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// Its identity: the same event is one record.
    pub id: Uuid,
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// The run it belongs to.
    pub run_id: Option<RunId>,
    /// A JSON object, as text.
    pub details: String,
}

impl AuditEvent {
    /// The event as an item. All events of a service keep their order.
    #[must_use]
    pub fn into_item(self) -> NewItem {
        let payload = json!({
            "actor": self.actor,
            "action": self.action,
            "subject": self.subject,
            "details": self.details,
        });
        NewItem {
            key: self.id.to_string(),
            order_key: Some(AUDIT.to_owned()),
            run_id: self.run_id,
            payload,
        }
    }
}

#[derive(Deserialize)]
struct Payload {
    actor: String,
    action: String,
    subject: String,
    details: String,
}

/// The auditor, who appends events to the chain.
pub struct AuditChain {
    auditor: GovernanceServiceClient<AuthedChannel>,
}

impl std::fmt::Debug for AuditChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditChain")
    }
}

impl AuditChain {
    /// The chain that this auditor keeps.
    fn new(auditor: GovernanceServiceClient<AuthedChannel>) -> Self {
        Self { auditor }
    }

    /// Brings what a service has for the chain there.
    #[must_use]
    pub fn courier(database: Database, ctx: &ServiceContext) -> Courier {
        let chain = Self::new(ctx.peers.auditor());
        let outbox = Outbox::new(database, AUDIT);
        Courier::new(outbox, Arc::new(chain), SharedClock::clone(&ctx.clock))
    }

    /// The receipt is the record's sequence in the chain.
    async fn append(&self, item: &Item) -> Result<Outcome, Outcome> {
        let payload: Payload = item.read()?;
        let request = AppendAuditRequest {
            event_id: item.key.clone(),
            actor: payload.actor,
            action: payload.action,
            subject: payload.subject,
            run_id: item.run_id.map(|id| id.to_string()).unwrap_or_default(),
            details_json: payload.details,
        };
        let appended = self.auditor.clone().append_audit(request).await;
        let record = appended
            .map_err(|status| failure(&status))?
            .into_inner()
            .record;
        Ok(Outcome::Delivered(
            record.map(|record| record.sequence.to_string()),
        ))
    }
}

/// An event that the auditor cannot read, or has with another content, stays so. All else may pass.
fn failure(status: &Status) -> Outcome {
    match status.code() {
        Code::InvalidArgument | Code::AlreadyExists => {
            Outcome::Refused(status.message().to_owned())
        }
        _ => Outcome::later(status.to_string()),
    }
}

#[async_trait]
impl Destination for AuditChain {
    async fn deliver(&self, items: &[Item]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(items.len());
        for item in items {
            outcomes.push(self.append(item).await.unwrap_or_else(|outcome| outcome));
        }
        outcomes
    }
}
