//! Forecasts into the workspace: at once, and again until they are through.

use std::sync::Arc;
use std::time::Duration;

use foretide_db::DbError;
use foretide_domain::{ForecastId, SeriesId};
use foretide_logs_ingestion::{ChunkOutcome, RowSink, UploadError};
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use crate::config::OutboxPace;
use crate::metrics;
use crate::outbox::Patience;
use crate::rows;
use crate::storage::{Store, WaitingSeries, WindowQuery, WriteBackState};

/// More windows than a forecast of two weeks can have.
const MOST_WINDOWS: u32 = 1_000;

/// Where rows go.
pub(crate) struct Sink {
    pub(crate) client: Arc<dyn RowSink>,
    pub(crate) stream: String,
    /// Where predicted windows go, if they do.
    pub(crate) surge_stream: Option<String>,
}

/// The way back into the workspace.
pub(crate) struct WriteBack {
    store: Store,
    sink: Option<Sink>,
    pace: OutboxPace,
    /// Only one delivery at a time: the same rows are not sent twice at once.
    turn: Mutex<()>,
    wake: Notify,
}

/// Why rows still wait.
#[derive(Debug)]
struct Held {
    problem: String,
    retry_after: Option<Duration>,
}

impl WriteBack {
    pub(crate) fn new(store: Store, sink: Option<Sink>, pace: OutboxPace) -> Self {
        Self {
            store,
            sink,
            pace,
            turn: Mutex::new(()),
            wake: Notify::new(),
        }
    }

    /// State of rows that are made now.
    pub(crate) fn initial_state(&self) -> WriteBackState {
        if self.sink.is_some() {
            WriteBackState::Pending
        } else {
            WriteBackState::Off
        }
    }

    /// One try for one forecast. What fails is kept with its reason and tried again in the
    /// background.
    pub(crate) async fn deliver_now(&self, id: ForecastId) {
        let Some(sink) = &self.sink else { return };
        match self.deliver(sink, id).await {
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
        let mut last_held = None;
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

    /// The forecast's windows go first: as long as a series waits, they are sent again with it, under
    /// the same key.
    async fn deliver_windows(
        &self,
        sink: &Sink,
        waiting: &WaitingSeries,
    ) -> Result<Option<Held>, DbError> {
        let Some(stream) = &sink.surge_stream else {
            return Ok(None);
        };
        let forecast = &waiting.forecast;
        let windows = WindowQuery::Of(forecast.id);
        let windows = self
            .store
            .windows(&forecast.use_case, &windows, MOST_WINDOWS)
            .await?;
        if windows.is_empty() {
            return Ok(None);
        }
        let rows: Vec<_> = windows.iter().map(rows::render_window).collect();
        let outcomes = sink.client.upload(stream, &rows).await;
        Ok(held_by(&outcomes))
    }

    async fn deliver(&self, sink: &Sink, id: ForecastId) -> Result<Option<Held>, DbError> {
        let _turn = self.turn.lock().await;
        let Some(waiting) = self.store.waiting_series(id).await? else {
            return Ok(None);
        };
        if let Some(held) = self.deliver_windows(sink, &waiting).await? {
            self.store.write_back_failed(id, &held.problem).await?;
            return Ok(Some(held));
        }
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
        self.store.written_back(id, &through).await?;
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

/// What an upload was held up by, if it may go better later. Rows that will never be accepted are told
/// in the log: they must not hold up the others for ever.
fn held_by(outcomes: &[ChunkOutcome]) -> Option<Held> {
    let errors = outcomes.iter().filter_map(|one| one.result.as_ref().err());
    let (later, never): (Vec<_>, Vec<_>) = errors.partition(|error| error.worth_another_try());
    for error in never {
        tracing::error!(%error, "predicted windows are refused for good");
    }
    later.first().map(|error| Held {
        problem: describe(error),
        retry_after: error.retry_after(),
    })
}

/// Series all of whose rows were accepted.
fn delivered_series(
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
