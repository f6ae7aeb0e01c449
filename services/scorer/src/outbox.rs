//! Patience: when an outbox that failed is tried again.

use std::time::Duration;

use foretide_outbox::Backoff;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Looked at even when nobody wakes the task: another replica may have left something.
const IDLE_LOOK: Duration = Duration::from_secs(60);

/// Failures in a row, and the next try.
#[derive(Debug)]
pub(crate) struct Patience {
    pace: Backoff,
    failures: u32,
    again_at: Option<Instant>,
}

impl Patience {
    pub(crate) fn new(pace: Backoff) -> Self {
        Self {
            pace,
            failures: 0,
            again_at: None,
        }
    }

    /// It went well, or there was nothing to do.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
        self.again_at = None;
    }

    /// It failed: waits longer than the last time, and at least as long as was asked for.
    pub(crate) fn failed(&mut self, asked: Option<Duration>) {
        self.failures += 1;
        let wait = self.pace.pause_after(self.failures, asked);
        self.again_at = Some(Instant::now() + wait);
    }

    /// Until it is time to look again: after a failure the wait is not cut short, else somebody may
    /// wake the task.
    pub(crate) async fn wait(&self, wake: &Notify) {
        let Some(again_at) = self.again_at else {
            tokio::select! {
                () = wake.notified() => {}
                () = tokio::time::sleep(IDLE_LOOK) => {}
            }
            return;
        };
        tokio::time::sleep_until(again_at).await;
    }
}
