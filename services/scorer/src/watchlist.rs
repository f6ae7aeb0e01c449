//! What carries a predicted high-risk period, as a watchlist for the workspace's own rules and hunts.
//!
//! Off unless configured, and only from phase `assisted` on: in shadow nothing but our own tables is
//! written. The list follows the newest forecasts by difference, so that an hour without news changes
//! nothing, and stays within its share of Sentinel's monthly changes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use foretide_api::governance::v1::GetPhaseRequest;
use foretide_api::governance::v1::governance_service_client::GovernanceServiceClient;
use foretide_db::DbError;
use foretide_domain::{ModelKind, Phase, SharedClock, TimeSpan, UseCase, UseCaseId};
use foretide_sentinel_arm::{
    ArmClient, ArmError, ChangeLedger, ItemFields, LedgerError, Watchlist, WatchlistSync,
    WatchlistSyncError,
};
use foretide_service_runtime::AuthedChannel;
use tokio_util::sync::CancellationToken;

use crate::metrics;
use crate::model::{Forecast, RiskWindow, SeriesForecast, Validity};
use crate::storage::{Store, WindowQuery};
use crate::write_back::WriteBack;

/// Column by which items are found.
const SEARCH_KEY: &str = "Scope";
/// The run that last changed an item; an item that says the same keeps it.
const RUN: &str = "RunId";
/// More windows than a forecast of two weeks can have.
const MOST_WINDOWS: u32 = 1_000;

/// Keeps the watchlist.
pub(crate) struct WatchlistKeeper {
    pub(crate) store: Store,
    pub(crate) client: ArmClient,
    pub(crate) auditor: GovernanceServiceClient<AuthedChannel>,
    pub(crate) write_back: Arc<WriteBack>,
    pub(crate) use_cases: Arc<Vec<UseCase>>,
    pub(crate) clock: SharedClock,
    /// Use case whose windows count.
    pub(crate) use_case: UseCaseId,
    pub(crate) alias: String,
    pub(crate) most_items: usize,
    pub(crate) monthly_changes: u32,
    pub(crate) period: Duration,
}

/// Why the list was not brought up to date.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    #[error("the auditor does not say the phase: {0}")]
    Phase(String),
    #[error(transparent)]
    Sync(#[from] WatchlistSyncError),
    #[error(transparent)]
    Arm(#[from] ArmError),
    #[error(transparent)]
    Database(#[from] DbError),
}

impl WatchlistKeeper {
    /// Brings the list up to date from time to time, until shutdown. What is interrupted goes on at the
    /// next time: the difference is made anew.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        loop {
            match self.keep().await {
                Ok(None) => {}
                Ok(Some(changes)) => {
                    metrics::delivered("watchlist", "delivered", changes);
                }
                Err(error) => {
                    metrics::delivered("watchlist", "held", 1);
                    tracing::warn!(%error, alias = self.alias, "the watchlist is not up to date; it will be tried again");
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(self.period) => {}
            }
        }
    }

    /// Changes made; nothing when nothing may be said.
    async fn keep(&self) -> Result<Option<usize>, KeepError> {
        let halted = self.write_back.kill_switch.load(Ordering::Acquire);
        if halted || self.phase().await? == Phase::Shadow {
            return Ok(None);
        }
        let window = match self.store.newest(&self.use_case, None).await? {
            Some(forecast) if forecast.validity == Validity::Valid => {
                self.next_window(&forecast).await?
            }
            // no action rests on incomplete inputs, nor on too little history
            Some(_) => return Ok(None),
            None => None,
        };
        let mut wanted = match &window {
            Some(window) => self.parts(window).await?,
            None => Vec::new(),
        };
        let is_there = self.keep_runs(&mut wanted).await?;
        if wanted.is_empty() && !is_there {
            return Ok(None);
        }
        let sync = WatchlistSync::new(self.client.clone(), self.store.clone());
        let list = Watchlist {
            display_name: "Foretide: predicted high-risk period".to_owned(),
            description: format!(
                "What is expected to carry the next period of {} that exceeds the SOC's capacity",
                self.use_case
            ),
            search_key: SEARCH_KEY.to_owned(),
        };
        let outcome = sync
            .within(self.monthly_changes)
            .sync(&self.alias, &list, &wanted)
            .await?;
        Ok(Some(outcome.put + outcome.deleted))
    }

    async fn phase(&self) -> Result<Phase, KeepError> {
        let request = GetPhaseRequest {
            use_case: self.use_case.to_string(),
        };
        let answer = self.auditor.clone().get_phase(request).await;
        let state = answer
            .map_err(|status| KeepError::Phase(status.message().to_owned()))?
            .into_inner()
            .state
            .unwrap_or_default();
        foretide_api::phase("phase", state.phase)
            .map_err(|error| KeepError::Phase(error.to_string()))
    }

    async fn next_window(&self, forecast: &Forecast) -> Result<Option<RiskWindow>, DbError> {
        let query = WindowQuery::Of(forecast.id);
        let windows = self
            .store
            .windows(&self.use_case, &query, MOST_WINDOWS)
            .await?;
        let now = self.clock.now();
        let coming = windows
            .into_iter()
            .filter(|window| window.acts && window.span.end > now);
        Ok(coming.min_by_key(|window| window.span.start))
    }

    /// The series that carry the window, the largest first.
    async fn parts(&self, window: &RiskWindow) -> Result<Vec<ItemFields>, DbError> {
        let mut parts = Vec::new();
        for use_case in self.use_cases.iter() {
            if use_case.model == ModelKind::Ranking {
                continue;
            }
            let Some(forecast) = self.store.newest(&use_case.id, None).await? else {
                continue;
            };
            let names = self.store.series_ids(&[forecast.id]).await?;
            for name in names.get(&forecast.id).into_iter().flatten() {
                let is_scope = *name == window.series_id;
                if name.is_total() && !is_scope {
                    continue;
                }
                if let Some(series) = self.store.series(forecast.id, name).await? {
                    parts.push(Part {
                        expected: expected_in(&forecast, &series, window.span),
                        run: forecast.run_id.to_string(),
                        series: name.to_string(),
                        is_scope,
                    });
                }
            }
        }
        Ok(items(window, parts, self.most_items))
    }

    /// Lets items that say what they said before keep the run that said it: they are no change. False
    /// when there is no list yet.
    async fn keep_runs(&self, wanted: &mut [ItemFields]) -> Result<bool, ArmError> {
        let current = match self.client.watchlist_items(&self.alias).await {
            Ok(current) => current,
            Err(ArmError::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        for item in current {
            let Some(run) = item.fields.get(RUN) else {
                continue;
            };
            let same = wanted.iter_mut().find(|wanted| {
                let mut others = wanted.iter().filter(|(name, _)| *name != RUN);
                others.all(|(name, value)| item.fields.get(name) == Some(value))
            });
            if let Some(same) = same {
                same.insert(RUN.to_owned(), run.clone());
            }
        }
        Ok(true)
    }
}

/// A series and what is expected of it in the window.
#[derive(Debug, Clone, PartialEq)]
struct Part {
    series: String,
    run: String,
    expected: f64,
    is_scope: bool,
}

fn expected_in(forecast: &Forecast, series: &SeriesForecast, span: TimeSpan) -> f64 {
    let hours = series.points.mean.iter().enumerate();
    let inside = hours.filter(|(ahead, _)| {
        let hour = forecast.hour(*ahead);
        hour >= span.start && hour < span.end
    });
    inside.map(|(_, mean)| mean).sum()
}

/// The scope itself and the largest parts of which at least one incident is expected. Whole numbers:
/// smaller changes are none.
fn items(window: &RiskWindow, mut parts: Vec<Part>, most: usize) -> Vec<ItemFields> {
    parts.retain(|part| part.is_scope || part.expected.round() >= 1.0);
    parts.sort_by(|left, right| {
        let by_size = right.expected.total_cmp(&left.expected);
        let by_scope = right.is_scope.cmp(&left.is_scope);
        by_scope.then(by_size).then(left.series.cmp(&right.series))
    });
    parts.truncate(most);
    let moment = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let fields = parts.into_iter().map(|part| {
        [
            (SEARCH_KEY, part.series),
            ("UseCase", window.use_case.to_string()),
            ("WindowStart", moment(window.span.start)),
            ("WindowEnd", moment(window.span.end)),
            (
                "ProbabilityPercent",
                format!("{:.0}", 100.0 * window.probability),
            ),
            ("Expected", format!("{:.0}", part.expected)),
            (RUN, part.run),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    });
    fields.collect()
}

#[async_trait]
impl ChangeLedger for Store {
    async fn used(&self, day: NaiveDate) -> Result<u32, LedgerError> {
        self.watchlist_changes(day)
            .await
            .map_err(|source| LedgerError {
                action: "read",
                source: source.into(),
            })
    }

    async fn note(&self, day: NaiveDate, alias: &str, changes: u32) -> Result<(), LedgerError> {
        let noted = self.note_watchlist_changes(day, alias, changes).await;
        noted.map_err(|source| LedgerError {
            action: "written",
            source: source.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use foretide_domain::{ForecastId, RiskWindowId, RunId};

    fn part(series: &str, expected: f64) -> Part {
        Part {
            series: series.to_owned(),
            run: "r".to_owned(),
            expected,
            is_scope: series.ends_with("total"),
        }
    }

    fn window() -> RiskWindow {
        let at = |hour: u32| format!("2026-11-24T{hour:02}:00:00Z").parse().unwrap();
        RiskWindow {
            id: RiskWindowId::new(),
            forecast_id: ForecastId::new(),
            run_id: RunId::new(),
            use_case: "risk_period".parse().unwrap(),
            series_id: "risk_period/total".parse().unwrap(),
            span: TimeSpan::new(at(8), at(16)).unwrap(),
            probability: 0.824,
            expected: 30.0,
            capacity: 20.0,
            capacity_kind: None,
            rule: "weekday_conformal".to_owned(),
            acts: true,
            drivers: Vec::new(),
            issued_at: at(0),
            validity: Validity::Valid,
        }
    }

    #[test]
    fn the_scope_comes_first_then_the_largest_parts() {
        let parts = vec![
            part("attack_volume/severity=Low", 0.3),
            part("attack_volume/severity=High", 7.4),
            part("attack_volume/product=MDE", 21.0),
            part("risk_period/total", 30.2),
        ];
        let items = items(&window(), parts, 3);
        let said: Vec<_> = items
            .iter()
            .map(|item| (item[SEARCH_KEY].as_str(), item["Expected"].as_str()))
            .collect();
        assert_eq!(
            said,
            [
                ("risk_period/total", "30"),
                ("attack_volume/product=MDE", "21"),
                ("attack_volume/severity=High", "7"),
            ]
        );
        assert_eq!(items[0]["ProbabilityPercent"], "82");
        assert_eq!(items[0]["WindowStart"], "2026-11-24T08:00:00Z");
    }
}
