//! Forecasts into the workspace: at once, and again until they are through.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use foretide_db::DbError;
use foretide_domain::{ForecastId, SharedClock};
use foretide_logs_ingestion::{ChunkOutcome, RowSink, UploadError, table_of, tombstone};
use foretide_outbox::{Backoff, Courier, Destination, Item, Outcome};
use foretide_write_back::Accepted;
use sea_orm::DatabaseTransaction;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::metrics;
use crate::model::{Forecast, SeriesForecast};
use crate::rows::{self, KEPT_OF_ROW};
use crate::storage::{
    Keeping, Retraction, SentSeries, Store, Task, Way, Withdrawal, WriteBackState, give_up,
};

/// Tasks of one batch: each may be thousands of rows.
const BATCH: u64 = 4;

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
    store: Store,
    clock: SharedClock,
    /// None without a sink.
    courier: Option<Courier>,
    announces_windows: bool,
    /// Whether the kill switch was engaged when it was last read.
    pub(crate) kill_switch: Arc<AtomicBool>,
}

impl WriteBack {
    pub(crate) fn new(store: Store, sink: Option<Sink>, pace: Backoff, clock: SharedClock) -> Self {
        let kill_switch = Arc::new(AtomicBool::new(false));
        let announces_windows = sink
            .as_ref()
            .is_some_and(|sink| sink.surge_stream.is_some());
        let courier = sink.map(|sink| {
            let workspace = Workspace {
                store: store.clone(),
                sink,
                clock: Arc::clone(&clock),
                kill_switch: Arc::clone(&kill_switch),
            };
            Courier::new(store.tasks(), Arc::new(workspace), Arc::clone(&clock))
                .with_backoff(pace)
                .with_batch(BATCH)
        });
        Self {
            store,
            clock,
            courier,
            announces_windows,
            kill_switch,
        }
    }

    /// Who brings rows into the workspace; nobody without a sink.
    pub(crate) fn courier(&self) -> Option<Courier> {
        self.courier.clone()
    }

    /// Whether predicted windows leave at all.
    pub(crate) fn announces_windows(&self) -> bool {
        self.announces_windows
    }

    /// What of an issue made now has to leave.
    pub(crate) fn initial_state(&self) -> Keeping {
        let rows = match self.courier {
            Some(_) => WriteBackState::Pending,
            None => WriteBackState::Off,
        };
        Keeping {
            rows,
            surges: self.announces_windows,
        }
    }

    /// One try of what is due. What fails is kept with its reason and tried again in the background.
    pub(crate) async fn deliver_now(&self) {
        let Some(courier) = &self.courier else { return };
        if let Err(error) = courier.deliver_now().await {
            tracing::warn!(%error, "rows wait for the next try");
        }
    }

    /// Takes a forecast back; its tombstones are tried at once.
    pub(crate) async fn withdraw(
        &self,
        forecast: &Forecast,
        withdrawal: &Withdrawal,
    ) -> Result<Withdrawal, DbError> {
        let kept = self.store.withdraw(forecast, withdrawal).await?;
        self.deliver_now().await;
        Ok(kept)
    }

    /// Takes back every window that is not over. What was not sent yet never is.
    pub(crate) async fn retract_everything(&self) -> Result<(), DbError> {
        let retraction = Retraction::by_kill_switch(self.clock.now());
        let count = self.store.retract_coming_surges(&retraction).await?;
        if count > 0 {
            tracing::warn!(count, "the kill switch takes predicted windows back");
            if let Some(courier) = &self.courier {
                courier.wake();
            }
        }
        Ok(())
    }

    /// Delivers what waits until shutdown.
    pub(crate) async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        if let Some(courier) = self.courier.clone() {
            courier.run(shutdown).await;
        }
    }
}

/// Performs the tasks of the write-back. What of a task was accepted is kept before the task itself is
/// settled, so that it is not sent again with the rest.
pub(crate) struct Workspace {
    pub(crate) store: Store,
    pub(crate) sink: Sink,
    pub(crate) clock: SharedClock,
    kill_switch: Arc<AtomicBool>,
}

#[async_trait]
impl Destination for Workspace {
    async fn deliver(&self, items: &[Item]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(items.len());
        for item in items {
            let outcome = self.perform(item).await;
            outcomes.push(outcome.unwrap_or_else(|error| Outcome::later(error.to_string())));
        }
        outcomes
    }

    async fn dropped(&self, tx: &DatabaseTransaction, item: &Item) -> Result<(), DbError> {
        match item.read() {
            Ok(task) => give_up(tx, task).await,
            Err(_) => Ok(()),
        }
    }
}

impl Workspace {
    async fn perform(&self, item: &Item) -> Result<Outcome, DbError> {
        match item.read() {
            Ok(Task::Rows { forecast }) => self.send_series(item, forecast, Way::ROWS).await,
            Ok(Task::Withdrawal { forecast }) => {
                self.send_series(item, forecast, Way::TOMBSTONES).await
            }
            Ok(Task::Windows) => {
                let halted = self.kill_switch.load(Ordering::Acquire);
                self.send_windows(item, halted).await
            }
            Err(unreadable) => Ok(unreadable),
        }
    }

    /// Sends the rows of a forecast that wait, or its tombstones. Hours that had begun before a
    /// withdrawal get none: they are what was forecast, and are held against what happened.
    async fn send_series(&self, item: &Item, id: ForecastId, way: Way) -> Result<Outcome, DbError> {
        if item.is_tried_anew() {
            self.store.take_up_series(id, way).await?;
        }
        let waiting = self.store.waiting_series(id, way).await?;
        if let (false, Some(forecast)) = (waiting.is_empty(), self.store.forecast(id).await?) {
            let withdrawn_at = self.store.withdrawn_at(id).await?;
            let is_withdrawal = way.waits == WriteBackState::Withdrawing;
            let (mut rows, mut owners) = (Vec::new(), Vec::new());
            for (index, series) in waiting.iter().enumerate() {
                let of_series = match withdrawn_at.filter(|_| is_withdrawal) {
                    Some(at) => tombstones(&forecast, series, at),
                    None => rows::render(&forecast, series),
                };
                owners.extend(std::iter::repeat_n(index, of_series.len()));
                rows.extend(of_series);
            }
            let outcomes = self.sink.client.upload(&self.sink.stream, &rows).await;
            let sent = sort(&waiting, &owners, &outcomes);
            let of_one_series = Accepted {
                run_id: forecast.run_id,
                table: table_of(&self.sink.stream),
                rows: u64::from(forecast.horizon_hours),
                at: self.clock.now(),
                watched: self.sink.watched,
            };
            let counted = (!is_withdrawal).then_some(&of_one_series);
            self.store.series_sent(id, way, &sent, counted).await?;
            let what = if is_withdrawal { "tombstones" } else { "rows" };
            metrics::delivered(what, "delivered", sent.accepted.len());
            if let Some(held) = held_by(&outcomes) {
                return Ok(held);
            }
        }
        let refusal = self.store.refusal(id, way).await?;
        Ok(refusal.map_or(Outcome::Delivered(None), Outcome::Refused))
    }
}

fn tombstones(
    forecast: &Forecast,
    series: &SeriesForecast,
    at: chrono::DateTime<chrono::Utc>,
) -> Vec<Value> {
    let rows = rows::render(forecast, series);
    let coming = rows.iter().enumerate();
    coming
        .filter(|(ahead, _)| forecast.hour(*ahead) > at)
        .filter_map(|(_, row)| tombstone(row, &KEPT_OF_ROW, at))
        .collect()
}

/// What an upload was held up by, if it may go better later.
pub(crate) fn held_by(outcomes: &[ChunkOutcome]) -> Option<Outcome> {
    let mut errors = outcomes.iter().filter_map(|one| one.result.as_ref().err());
    let first = errors.find(|error| error.worth_another_try());
    first.map(|error| Outcome::Later {
        reason: describe(error),
        after: error.retry_after(),
    })
}

/// A series is through when all its rows are, and refused when any is; `owners` are the indices of the
/// rows' series.
fn sort(waiting: &[SeriesForecast], owners: &[usize], outcomes: &[ChunkOutcome]) -> SentSeries {
    let mut errors: Vec<Option<&UploadError>> = vec![None; waiting.len()];
    for chunk in outcomes {
        let Err(error) = &chunk.result else { continue };
        for owner in &owners[chunk.rows.clone()] {
            let known = errors[*owner];
            if known.is_none_or(UploadError::worth_another_try) {
                errors[*owner] = Some(error);
            }
        }
    }
    let mut sent = SentSeries::default();
    for (series, error) in waiting.iter().zip(errors) {
        let id = series.series_id.clone();
        match error {
            None => sent.accepted.push(id),
            Some(error) if error.worth_another_try() => {}
            Some(error) => sent.refused.entry(describe(error)).or_default().push(id),
        }
    }
    if let Some(Outcome::Later { reason, .. }) = held_by(outcomes) {
        sent.problem = Some(reason);
    }
    sent
}

/// The error and its cause: `no token` alone would help nobody.
pub(crate) fn describe(error: &UploadError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
