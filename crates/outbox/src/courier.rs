//! Brings items to their destination.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use foretide_db::DbError;
use foretide_domain::SharedClock;
use sea_orm::DatabaseTransaction;
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::item::{Item, Outcome, State};
use crate::metrics;
use crate::table::{Claim, Outbox};

/// Looked at even when nobody wakes the courier: another replica may have left something.
const IDLE_LOOK: Duration = Duration::from_secs(15);
/// Renewed while a batch is under way; how long items of a courier that died stay with it.
const LEASE: Duration = Duration::from_secs(15);
/// Items of one batch at most.
const BATCH: u64 = 100;

/// Where items of a channel go.
#[async_trait]
pub trait Destination: Send + Sync + 'static {
    /// Tries to deliver the items, no two of the same order key, and says of each, in their order, what
    /// became of it. An item may have been tried before, and may have arrived then.
    async fn deliver(&self, items: &[Item]) -> Vec<Outcome>;

    /// What else is to be kept of the outcomes, in the transaction that keeps them; it may run again when
    /// another writer was in the way.
    ///
    /// # Errors
    /// As the database's; the items are then delivered again.
    async fn settled(
        &self,
        _transaction: &DatabaseTransaction,
        _outcomes: &[(Item, Outcome)],
    ) -> Result<(), DbError> {
        Ok(())
    }

    /// What else is to be kept when a person gives a refused item up, in the same transaction.
    ///
    /// # Errors
    /// As the database's; the item then stays refused.
    async fn dropped(
        &self,
        _transaction: &DatabaseTransaction,
        _item: &Item,
    ) -> Result<(), DbError> {
        Ok(())
    }
}

/// Delivers a channel. Cheap to clone: clones are one courier.
#[derive(Clone)]
pub struct Courier {
    outbox: Outbox,
    destination: Arc<dyn Destination>,
    clock: SharedClock,
    backoff: Backoff,
    batch: u64,
    lease: Duration,
    /// Whoever returns knows that what was due has been tried, not that somebody else is at it.
    turn: Arc<Mutex<()>>,
    wake: Arc<Notify>,
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier")
            .field("outbox", &self.outbox)
            .finish_non_exhaustive()
    }
}

impl Courier {
    /// A courier between the two. The clock stamps what is settled.
    #[must_use]
    pub fn new(outbox: Outbox, destination: Arc<dyn Destination>, clock: SharedClock) -> Self {
        Self {
            outbox,
            destination,
            clock,
            backoff: Backoff::default(),
            batch: BATCH,
            lease: LEASE,
            turn: Arc::default(),
            wake: Arc::default(),
        }
    }

    /// Waits like this between two tries of an item.
    #[must_use]
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Takes so many items at a time at most.
    #[must_use]
    pub fn with_batch(mut self, items: u64) -> Self {
        self.batch = items.max(1);
        self
    }

    /// Leases items for so long; it is renewed while they are under way.
    #[must_use]
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// What it delivers from.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    pub(crate) fn destination(&self) -> Arc<dyn Destination> {
        Arc::clone(&self.destination)
    }

    /// Has the background task look now. Call it after an item was kept.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Delivers until shutdown. A batch that is under way then is finished.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut failures = 0;
        loop {
            let pause = match self.drain(&shutdown).await {
                Ok(()) => {
                    failures = 0;
                    self.after_a_look().await
                }
                Err(error) => Err(error),
            };
            let pause = pause.unwrap_or_else(|error| {
                failures += 1;
                let channel = self.outbox.channel();
                tracing::warn!(
                    ?error,
                    channel,
                    "the outbox cannot be used; it will be tried again"
                );
                self.backoff.pause_after(failures, None)
            });
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Delivers what is due, until nothing is due or nothing of a batch gets through; the background task
    /// does the rest. A caller that goes away meanwhile leaves what was under way to it, too.
    ///
    /// # Errors
    /// As the database's.
    pub async fn deliver_now(&self) -> Result<(), DbError> {
        let outcome = self.drain(&CancellationToken::new()).await;
        self.wake();
        outcome
    }

    /// Counts what has not arrived, and says how long to wait.
    async fn after_a_look(&self) -> Result<Duration, DbError> {
        let undelivered = self.outbox.undelivered().await?;
        let (service, channel) = (self.outbox.database().service(), self.outbox.channel());
        for state in [State::Waiting, State::Refused] {
            let of_state = undelivered.iter().filter(|part| part.state == state);
            let items = of_state.map(|part| part.items).sum();
            metrics::undelivered(service, channel, state.name(), items);
        }
        let next = self.outbox.next_due_in().await?.unwrap_or(IDLE_LOOK);
        let first = self.backoff.pause_after(1, None);
        Ok(next.clamp(first.min(IDLE_LOOK), IDLE_LOOK))
    }

    async fn drain(&self, shutdown: &CancellationToken) -> Result<(), DbError> {
        let _turn = self.turn.lock().await;
        while !shutdown.is_cancelled() {
            let claim = self.outbox.claim(self.batch, self.lease).await?;
            if claim.items.is_empty() {
                return Ok(());
            }
            let Some(outcomes) = self.deliver_leased(&claim).await else {
                continue;
            };
            if !self.settle(claim, outcomes).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Delivers while the lease is held; nothing when it was lost, and another courier has the items.
    async fn deliver_leased(&self, claim: &Claim) -> Option<Vec<Outcome>> {
        let channel = self.outbox.channel();
        let delivery = self.destination.deliver(&claim.items);
        tokio::pin!(delivery);
        let lease = self.lease;
        let mut held_until = Instant::now() + lease;
        let mut renewal = interval_at(Instant::now() + lease / 3, lease / 3);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                outcomes = &mut delivery => return Some(outcomes),
                begun = renewal.tick() => match self.outbox.renew(claim, lease).await {
                    Ok(true) => held_until = begun + lease,
                    Ok(false) => {
                        tracing::warn!(channel, "another courier has taken these items over");
                        return None;
                    }
                    Err(error) => {
                        tracing::warn!(?error, channel, "the lease cannot be renewed");
                        if Instant::now() >= held_until {
                            return None;
                        }
                    }
                },
            }
        }
    }

    /// Keeps the outcomes; false when nothing got through.
    async fn settle(&self, claim: Claim, outcomes: Vec<Outcome>) -> Result<bool, DbError> {
        let lease_id = claim.lease_id;
        let missing = std::iter::repeat_with(|| Outcome::later("nothing was said of it"));
        let outcomes = outcomes.into_iter().chain(missing);
        let outcomes: Vec<_> = claim.items.into_iter().zip(outcomes).collect();
        let (outcomes, courier) = (Arc::new(outcomes), self.clone());
        let settled = self
            .outbox
            .database()
            .transaction("settle items", move |tx| {
                let (outcomes, courier) = (Arc::clone(&outcomes), courier.clone());
                Box::pin(async move { courier.settle_in(tx, lease_id, &outcomes).await })
            })
            .await?;
        self.report(&settled);
        let got_through =
            |(_, outcome): &(Item, Outcome)| !matches!(outcome, Outcome::Later { .. });
        Ok(settled.iter().any(got_through))
    }

    /// One line and one count for all items of the same outcome.
    fn report(&self, settled: &[(Item, Outcome)]) {
        let channel = self.outbox.channel();
        let mut alike: BTreeMap<&Outcome, Vec<&str>> = BTreeMap::new();
        for (item, outcome) in settled {
            alike.entry(outcome).or_default().push(&item.key);
        }
        for (outcome, keys) in alike {
            let (items, first) = (keys.len(), keys[0]);
            let service = self.outbox.database().service();
            metrics::delivery(service, channel, outcome.name(), items);
            match outcome {
                Outcome::Delivered(_) => {}
                Outcome::Refused(reason) => {
                    tracing::error!(channel, items, first, reason, "refused for good");
                }
                Outcome::Later { reason, .. } => {
                    tracing::warn!(channel, items, first, reason, "to be tried again later");
                }
            }
        }
    }

    async fn settle_in(
        &self,
        tx: &DatabaseTransaction,
        lease_id: uuid::Uuid,
        outcomes: &[(Item, Outcome)],
    ) -> Result<Vec<(Item, Outcome)>, DbError> {
        let settled = self
            .outbox
            .settle(tx, lease_id, outcomes, self.backoff, self.clock.now())
            .await?;
        self.destination.settled(tx, &settled).await?;
        Ok(settled)
    }
}
