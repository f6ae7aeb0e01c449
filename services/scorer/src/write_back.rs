//! Forecasts into the workspace: at once, and again until they are through.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use foretide_db::DbError;
use foretide_domain::{ForecastId, SeriesId, SharedClock};
use foretide_logs_ingestion::{ChunkOutcome, RowSink, UploadError, table_of};
use foretide_outbox::Backoff;
use foretide_write_back::Accepted;
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use crate::metrics;
use crate::model::Forecast;
use crate::outbox::Patience;
use crate::rows;
use crate::storage::{Keeping, Store, WaitingSeries, Withdrawal, WriteBackState};

/// Where rows go.
pub(crate) struct Sink {
    pub(crate) client: Arc<dyn RowSink>,
    pub(crate) stream: String,
    /// Where predicted windows go, if they do.
    pub(crate) surge_stream: Option<String>,
    /// Whether accepted rows are looked for.
    pub(crate) watched: bool,
}

/// The way back into the workspace.
pub(crate) struct WriteBack {
    pub(crate) store: Store,
    sink: Option<Sink>,
    pace: Backoff,
    pub(crate) clock: SharedClock,
    /// Only one delivery at a time: the same rows are not sent twice at once.
    pub(crate) turn: Mutex<()>,
    pub(crate) wake: Notify,
    /// Whether the kill switch was engaged when it was last read.
    pub(crate) kill_switch: AtomicBool,
}

/// Why rows still wait.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) problem: String,
    retry_after: Option<Duration>,
}

impl WriteBack {
    pub(crate) fn new(store: Store, sink: Option<Sink>, pace: Backoff, clock: SharedClock) -> Self {
        Self {
            store,
            sink,
            pace,
            clock,
            turn: Mutex::new(()),
            wake: Notify::new(),
            kill_switch: AtomicBool::new(false),
        }
    }

    /// Whether predicted windows leave at all.
    pub(crate) fn announces_windows(&self) -> bool {
        let sink = self.sink.as_ref();
        sink.is_some_and(|sink| sink.surge_stream.is_some())
    }

    /// What of an issue made now has to leave.
    pub(crate) fn initial_state(&self) -> Keeping {
        let rows = if self.sink.is_some() {
            WriteBackState::Pending
        } else {
            WriteBackState::Off
        };
        Keeping {
            rows,
            surges: self.announces_windows(),
        }
    }

    /// One try for one forecast. What fails is kept with its reason and tried again in the
    /// background.
    pub(crate) async fn deliver_now(&self, id: ForecastId) {
        let Some(sink) = &self.sink else { return };
        match self.try_now(sink, id).await {
            Ok(None) => {}
            Ok(Some(held)) => {
                tracing::warn!(forecast_id = %id, problem = held.problem, "rows wait for the next try");
                self.wake.notify_one();
            }
            Err(error) => {
                tracing::warn!(forecast_id = %id, %error, "rows wait for the next try");
                self.wake.notify_one();
            }
        }
    }

    /// Windows go first: they are few, and rules watch them.
    async fn try_now(&self, sink: &Sink, id: ForecastId) -> Result<Option<Held>, DbError> {
        let windows = self.deliver_surges(sink).await?;
        let rows = self.deliver(sink, id).await?;
        Ok(windows.or(rows))
    }

    /// Takes a forecast back; its tombstones are tried at once.
    pub(crate) async fn withdraw(
        &self,
        forecast: &Forecast,
        withdrawal: &Withdrawal,
    ) -> Result<Withdrawal, DbError> {
        let kept = self.store.withdraw(forecast, withdrawal).await?;
        if let Some(sink) = &self.sink {
            let windows = self.deliver_surges(sink).await?;
            let rows = self.deliver_withdrawals(sink).await?;
            if let Some(held) = windows.or(rows) {
                tracing::warn!(forecast_id = %forecast.id, problem = held.problem, "tombstones wait for the next try");
                self.wake.notify_one();
            }
        }
        Ok(kept)
    }

    /// Delivers what waits until shutdown.
    pub(crate) async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let Some(sink) = &self.sink else { return };
        let mut patience = Patience::new(self.pace);
        loop {
            match self.round(sink, &shutdown).await {
                Ok(None) => patience.succeeded(),
                Ok(Some(held)) => patience.failed(held.retry_after),
                Err(error) => {
                    tracing::warn!(%error, "the write-back outbox cannot be read; it will be tried again");
                    patience.failed(None);
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = patience.wait(&self.wake) => {}
            }
        }
    }

    async fn round(
        &self,
        sink: &Sink,
        shutdown: &CancellationToken,
    ) -> Result<Option<Held>, DbError> {
        let mut last_held = self.deliver_surges(sink).await?;
        if let Some(held) = self.deliver_withdrawals(sink).await? {
            last_held = Some(held);
        }
        for id in self.store.waiting_forecasts().await? {
            if shutdown.is_cancelled() {
                break;
            }
            if let Some(held) = self.deliver(sink, id).await? {
                tracing::warn!(forecast_id = %id, problem = held.problem, "rows wait for the next try");
                last_held = Some(held);
            }
        }
        Ok(last_held)
    }

    async fn deliver(&self, sink: &Sink, id: ForecastId) -> Result<Option<Held>, DbError> {
        let _turn = self.turn.lock().await;
        let Some(waiting) = self.store.waiting_series(id).await? else {
            return Ok(None);
        };
        let mut rows = Vec::new();
        let mut owners: Vec<&SeriesId> = Vec::new();
        for series in &waiting.series {
            let of_series = rows::render(&waiting.forecast, series);
            owners.extend(of_series.iter().map(|_| &series.series_id));
            rows.extend(of_series);
        }
        let outcomes = sink.client.upload(&sink.stream, &rows).await;
        let failed = outcomes.iter().find(|outcome| outcome.result.is_err());
        let through = delivered_series(&waiting, &owners, &outcomes);
        let rows = owners
            .iter()
            .filter(|owner| through.contains(owner))
            .count();
        let accepted = Accepted {
            run_id: waiting.forecast.run_id,
            table: table_of(&sink.stream),
            rows: rows as u64,
            at: self.clock.now(),
            watched: sink.watched,
        };
        self.store.written_back(id, &through, &accepted).await?;
        metrics::delivered("rows", "delivered", through.len());
        let Some(error) = failed.and_then(|outcome| outcome.result.as_ref().err()) else {
            return Ok(None);
        };
        let held = Held {
            problem: describe(error),
            retry_after: error.retry_after(),
        };
        metrics::delivered("rows", "held", waiting.series.len() - through.len());
        self.store.write_back_failed(id, &held.problem).await?;
        Ok(Some(held))
    }
}

/// What an upload was held up by, if it may go better later.
pub(crate) fn held_by(outcomes: &[ChunkOutcome]) -> Option<Held> {
    let mut errors = outcomes.iter().filter_map(|one| one.result.as_ref().err());
    let first = errors.find(|error| error.worth_another_try());
    first.map(|error| Held {
        problem: describe(error),
        retry_after: error.retry_after(),
    })
}

/// Series all of whose rows were accepted.
pub(crate) fn delivered_series(
    waiting: &WaitingSeries,
    owners: &[&SeriesId],
    outcomes: &[ChunkOutcome],
) -> Vec<SeriesId> {
    let failed: Vec<&SeriesId> = outcomes
        .iter()
        .filter(|outcome| outcome.result.is_err())
        .flat_map(|outcome| owners[outcome.rows.clone()].iter().copied())
        .collect();
    let names = waiting.series.iter().map(|series| &series.series_id);
    names
        .filter(|name| !failed.contains(name))
        .cloned()
        .collect()
}

/// The error and its cause: `no token` alone would help nobody.
fn describe(error: &UploadError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
