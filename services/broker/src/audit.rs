//! Events to the audit chain, in order, none lost while the auditor is away.

use std::sync::Arc;
use std::time::Duration;

use foretide_domain::SharedClock;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::error::BrokerError;
use crate::metrics::Metrics;
use crate::sources::{AppendError, AuditChain};
use crate::storage::Storage;

const BATCH: u64 = 100;
/// How long to wait before the auditor is asked again.
const PERIOD: Duration = Duration::from_secs(2);

/// Delivers what the broker's tables hold for the audit chain.
pub(crate) struct AuditDelivery {
    pub(crate) storage: Storage,
    pub(crate) chain: Arc<dyn AuditChain>,
    pub(crate) clock: SharedClock,
    pub(crate) metrics: Metrics,
    pub(crate) told: Arc<Notify>,
}

impl AuditDelivery {
    /// Delivers until shutdown.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        loop {
            if let Err(error) = self.deliver().await {
                tracing::warn!(?error, "events for the audit chain could not be read");
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.told.notified() => {}
                () = tokio::time::sleep(PERIOD) => {}
            }
        }
    }

    async fn deliver(&self) -> Result<(), BrokerError> {
        loop {
            let pending = self.storage.pending_events(BATCH).await?;
            if pending.is_empty() {
                return Ok(());
            }
            for event in pending {
                let outcome = match self.chain.append(&event).await {
                    Ok(sequence) => {
                        self.metrics.audit_event();
                        Ok(sequence)
                    }
                    Err(AppendError::Refused(reason)) => {
                        tracing::error!(event = %event.id, reason, "the audit chain refuses an event");
                        Err(reason)
                    }
                    Err(AppendError::Unavailable(reason)) => {
                        tracing::warn!(reason, "the audit chain is away: events wait");
                        return Ok(());
                    }
                };
                self.storage
                    .settle_event(event.id, self.clock.now(), outcome)
                    .await?;
            }
        }
    }
}
