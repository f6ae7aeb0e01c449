//! Audit events to the auditor, in order, until it has them.

use std::sync::Arc;

use foretide_api::governance::v1::AppendAuditRequest;
use foretide_api::governance::v1::governance_service_client::GovernanceServiceClient;
use foretide_db::DbError;
use foretide_domain::SharedClock;
use foretide_service_runtime::AuthedChannel;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::config::OutboxPace;
use crate::metrics;
use crate::outbox::Patience;
use crate::storage::{AuditEvent, Store};

/// The outbox to the auditor.
pub(crate) struct AuditTrail {
    store: Store,
    auditor: GovernanceServiceClient<AuthedChannel>,
    clock: SharedClock,
    pace: OutboxPace,
    wake: Arc<Notify>,
}

impl AuditTrail {
    pub(crate) fn new(
        store: Store,
        auditor: GovernanceServiceClient<AuthedChannel>,
        clock: SharedClock,
        pace: OutboxPace,
    ) -> Self {
        Self {
            store,
            auditor,
            clock,
            pace,
            wake: Arc::default(),
        }
    }

    /// Notified by whoever leaves an event.
    pub(crate) fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// Delivers what waits until shutdown.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut patience = Patience::new(self.pace);
        loop {
            match self.round(&shutdown).await {
                Ok(true) => patience.succeeded(),
                Ok(false) => patience.failed(None),
                Err(error) => {
                    tracing::warn!(%error, "the audit outbox cannot be read; it will be tried again");
                    patience.failed(None);
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = patience.wait(&self.wake) => {}
            }
        }
    }

    /// Tells events in order up to the first that fails; true when all are through.
    async fn round(&self, shutdown: &CancellationToken) -> Result<bool, DbError> {
        loop {
            let events = self.store.waiting_events().await?;
            if events.is_empty() {
                return Ok(true);
            }
            for event in events {
                if shutdown.is_cancelled() {
                    return Ok(true);
                }
                if !self.tell(event).await? {
                    return Ok(false);
                }
            }
        }
    }

    async fn tell(&self, event: AuditEvent) -> Result<bool, DbError> {
        let id = event.event_id;
        let request = AppendAuditRequest {
            event_id: id.to_string(),
            actor: "service:scorer".to_owned(),
            action: event.action,
            subject: event.subject,
            run_id: event.run_id.to_string(),
            details_json: event.details.to_string(),
        };
        match self.auditor.clone().append_audit(request).await {
            Ok(_) => {
                metrics::delivered("audit", "delivered", 1);
                self.store.event_delivered(id, self.clock.now()).await?;
                Ok(true)
            }
            Err(status) => {
                metrics::delivered("audit", "held", 1);
                tracing::debug!(event_id = %id, code = ?status.code(), "the auditor was not told; it will be tried again");
                self.store.event_failed(id, status.message()).await?;
                Ok(false)
            }
        }
    }
}
