//! Asking within the budget, and writing down what it cost.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use foretide_domain::{Measure, SentinelTable, SharedClock, TimeSpan, floor_day};
use foretide_entra::{Cloud, IdentityTokens};
use foretide_http::ClientOptions;
use foretide_lake::buckets::BucketStore;
use foretide_log_analytics::{
    Answer, Patience, QueryClient, QueryError, QueryLimits, Table, WorkspaceConfig,
};
use foretide_sentinel_tables::{Identity, arrivals_query, count_query, newest_query};

use crate::config::LogAnalyticsConfig;
use crate::cost::{CostConfig, Plan, gigabytes, month_start};
use crate::recorder::Recorder;
use crate::source::{IngestError, Run, TableReport};
use crate::storage::{Ledger, QueryCost};

/// Days over which the usual volume of a table is taken.
const USUAL_DAYS: TimeDelta = TimeDelta::days(14);

/// How far before its window the query of a count reads, with the day that clocks may differ.
const LOOK_BACK: TimeDelta = TimeDelta::days(Identity::REPEATED_WITHIN_DAYS as i64 + 1);

/// Something to ask.
#[derive(Debug, Clone, Copy)]
pub(super) enum Question {
    /// The buckets of a measure.
    Count { measure: Measure, span: TimeSpan },
    /// Days of a measure that rows have come in for.
    Arrivals {
        measure: Measure,
        ingested_after: DateTime<Utc>,
        earliest: DateTime<Utc>,
    },
    /// How late rows have come in.
    Newest {
        table: SentinelTable,
        ingested_after: DateTime<Utc>,
        earliest: DateTime<Utc>,
    },
}

impl Question {
    fn table(self) -> SentinelTable {
        match self {
            Self::Count { measure, .. } | Self::Arrivals { measure, .. } => measure.table(),
            Self::Newest { table, .. } => table,
        }
    }

    fn statement(self) -> String {
        match self {
            Self::Count { measure, .. } => format!("counts/{measure}"),
            Self::Arrivals { measure, .. } => format!("arrivals/{measure}"),
            Self::Newest { table, .. } => format!("newest/{table}"),
        }
    }

    /// The span whose rows it looks at, roughly.
    fn span(self, run: Run) -> TimeSpan {
        match self {
            Self::Count { span, .. } => span,
            Self::Arrivals { ingested_after, .. } | Self::Newest { ingested_after, .. } => {
                TimeSpan {
                    start: ingested_after.min(run.as_of),
                    end: run.as_of,
                }
            }
        }
    }

    /// The span that no row lies outside of which its query reads, by `TimeGenerated`: queries of
    /// things that are told again look back, and clocks of machines are ahead.
    fn reads(self, run: Run) -> TimeSpan {
        let start = match self {
            Self::Count { span, .. } => span.start - LOOK_BACK,
            Self::Arrivals { earliest, .. } | Self::Newest { earliest, .. } => earliest,
        };
        TimeSpan {
            start,
            end: run.as_of + TimeDelta::days(1),
        }
    }

    /// The query. The values are times of our own making: nothing to inject.
    fn text(self, run: Run) -> String {
        let (query, moments) = match self {
            Self::Count { measure, span } => (
                count_query(measure),
                vec![("windowStart", span.start), ("windowEnd", span.end)],
            ),
            Self::Arrivals {
                measure,
                ingested_after,
                earliest,
            } => (
                arrivals_query(measure),
                vec![("ingestedAfter", ingested_after), ("notBefore", earliest)],
            ),
            Self::Newest {
                table,
                ingested_after,
                earliest,
            } => (
                newest_query(table),
                vec![("ingestedAfter", ingested_after), ("notBefore", earliest)],
            ),
        };
        let moments = moments.into_iter().chain([("asOf", run.as_of)]);
        moments
            .map(|(name, moment)| {
                let moment = moment.to_rfc3339_opts(SecondsFormat::Millis, true);
                format!("let {name} = datetime({moment});\n")
            })
            .chain([query])
            .collect()
    }
}

/// What came of a question.
pub(super) enum Asked {
    /// An answer.
    Answer(Table),
    /// Too much was asked for.
    TooMuch(IngestError),
}

/// Asks the workspace.
pub(super) struct Asker {
    client: QueryClient,
    ledger: Ledger,
    buckets: BucketStore,
    cost: CostConfig,
    clock: SharedClock,
    usual: Mutex<HashMap<(SentinelTable, DateTime<Utc>), f64>>,
}

impl Asker {
    pub(super) fn open(
        config: LogAnalyticsConfig,
        recorder: &Recorder,
        clock: &SharedClock,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let http = foretide_http::client(&ClientOptions::default())?;
        let identity = &config.identity;
        let endpoint = identity.endpoint(&config.endpoint, Cloud::log_analytics_endpoint);
        let audience = identity.audience(&config.audience, Cloud::log_analytics_audience);
        let tokens = IdentityTokens::new(config.identity, http.clone(), SharedClock::clone(clock))?;
        let workspace = WorkspaceConfig {
            endpoint,
            workspace_id: config.workspace_id,
            audience,
        };
        let patience = Patience {
            work: Duration::from_secs(config.wait_seconds.into()),
            ..Patience::default()
        };
        let client = QueryClient::new(workspace, http, Arc::new(tokens))?
            .with_patience(patience)
            .with_limits(QueryLimits::new(config.concurrent_queries.into()));
        Ok(Self {
            client,
            ledger: recorder.ledger().clone(),
            buckets: recorder.buckets().clone(),
            cost: config.cost,
            clock: SharedClock::clone(clock),
            usual: Mutex::default(),
        })
    }

    /// An answer, or an error.
    pub(super) async fn ask(
        &self,
        question: Question,
        run: Run,
        report: &mut TableReport,
    ) -> Result<Table, IngestError> {
        match self.try_asking(question, run, report).await? {
            Asked::Answer(table) => Ok(table),
            Asked::TooMuch(error) => Err(error),
        }
    }

    /// An answer, or that it was too much.
    pub(super) async fn try_asking(
        &self,
        question: Question,
        run: Run,
        report: &mut TableReport,
    ) -> Result<Asked, IngestError> {
        self.check_budget(run).await?;
        let asked_at = self.clock.now();
        report.objects_read += 1;
        let outcome = self.send(question, run).await;
        let cost = self.cost_of(question, run, asked_at, &outcome).await?;
        self.ledger.enter_cost(&cost).await?;
        report.bytes_read += cost.bytes_scanned;
        let failed = |source| IngestError::Query {
            table: question.table(),
            source,
        };
        match outcome {
            Ok(answer) => {
                report.rows_read += cost.rows_answered;
                Ok(Asked::Answer(answer.table))
            }
            Err(error) if error.asks_for_less() => Ok(Asked::TooMuch(failed(error))),
            Err(error) => Err(failed(error)),
        }
    }

    /// By the API of the table's plan.
    async fn send(&self, question: Question, run: Run) -> Result<Answer, QueryError> {
        let text = question.text(run);
        match self.cost.plan(question.table()) {
            Plan::Analytics => self.client.query(&text).await,
            Plan::Basic | Plan::Auxiliary => self.client.search(&text, question.reads(run)).await,
        }
    }

    /// A backfill whose cost was accepted has a budget of its own.
    async fn check_budget(&self, run: Run) -> Result<(), IngestError> {
        if let Some(accepted) = self.ledger.accepted_gigabytes(run.run_id).await? {
            let scanned = gigabytes(self.ledger.scanned_by(run.run_id).await?);
            return if scanned < accepted {
                Ok(())
            } else {
                Err(IngestError::AcceptedSpent { accepted })
            };
        }
        let now = self.clock.now();
        let day = self.ledger.spent_since(floor_day(now)).await?;
        let month = self.ledger.spent_since(month_start(now)).await?;
        Ok(self.cost.allow(now, &day, &month)?)
    }

    async fn cost_of(
        &self,
        question: Question,
        run: Run,
        asked_at: DateTime<Utc>,
        outcome: &Result<Answer, QueryError>,
    ) -> Result<QueryCost, IngestError> {
        let table = question.table();
        let span = question.span(run);
        let (rows, statistics) = match outcome {
            Ok(answer) => (answer.table.rows.len(), answer.statistics),
            Err(_) => (0, foretide_log_analytics::Statistics::default()),
        };
        let has_scanned = outcome
            .as_ref()
            .map_or_else(QueryError::asks_for_less, |_| true);
        let bytes_scanned = match statistics.bytes_scanned {
            Some(bytes) => bytes,
            None if has_scanned => self.usual_bytes(table, span, run).await?,
            None => 0,
        };
        let execution = statistics.execution.map(|time| time.as_millis());
        Ok(QueryCost {
            asked_at,
            table: table.name().to_owned(),
            statement: question.statement(),
            span,
            outcome: outcome
                .as_ref()
                .map_or_else(word, |_| "answered")
                .to_owned(),
            plan: self.cost.plan(table).name().to_owned(),
            rows_answered: u64::try_from(rows).unwrap_or(u64::MAX),
            bytes_answered: statistics.bytes_answered,
            bytes_scanned,
            is_estimated: statistics.bytes_scanned.is_none(),
            execution_ms: execution.map(|time| u64::try_from(time).unwrap_or(u64::MAX)),
            price: self.cost.price(table, bytes_scanned),
            currency: self.cost.currency.clone(),
            run_id: run.run_id,
        })
    }

    /// What a table usually takes in over a span as long as this, by its `Usage`; bytes.
    async fn usual_bytes(
        &self,
        table: SentinelTable,
        span: TimeSpan,
        run: Run,
    ) -> Result<u64, IngestError> {
        let place = (table, run.as_of);
        let known = {
            let usual = self.usual.lock().unwrap_or_else(PoisonError::into_inner);
            usual.get(&place).copied()
        };
        let megabytes_a_day = match known {
            Some(known) => known,
            None => {
                let days = TimeSpan {
                    start: floor_day(run.as_of - USUAL_DAYS),
                    end: floor_day(run.as_of),
                };
                let measure = Measure::IngestedMegabytes;
                let rows = self.buckets.rows(measure, days, run.as_of).await?;
                let own = rows.iter().filter(|row| row.product == table.name());
                let megabytes: f64 = own.map(|row| row.value).sum();
                let a_day = megabytes / USUAL_DAYS.as_seconds_f64() * 86_400.0;
                let mut usual = self.usual.lock().unwrap_or_else(PoisonError::into_inner);
                usual.retain(|(_, as_of), _| *as_of == run.as_of);
                usual.insert(place, a_day);
                a_day
            }
        };
        let days = (span.end - span.start).as_seconds_f64() / 86_400.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative; an estimate"
        )]
        Ok((megabytes_a_day * 1e6 * days).round() as u64)
    }
}

/// The kind of failure, for the ledger.
fn word(error: &QueryError) -> &'static str {
    match error {
        QueryError::Token(_) => "no_token",
        QueryError::BadQuery { .. } => "refused",
        QueryError::Unauthorized { .. } => "unauthorized",
        QueryError::Forbidden { .. } => "forbidden",
        QueryError::UnknownWorkspace { .. } => "unknown_workspace",
        QueryError::TooLarge { .. } => "too_large",
        QueryError::Partial { .. } => "incomplete",
        QueryError::Timeout => "too_slow",
        QueryError::Throttled { .. } => "throttled",
        QueryError::Unavailable { .. } => "unavailable",
        QueryError::Unreadable(_) => "unreadable",
        QueryError::Unexpected { .. } => "unexpected",
    }
}

#[cfg(test)]
mod tests {
    use foretide_domain::RunId;

    use super::*;

    #[test]
    fn a_question_binds_every_name_that_its_query_asks_for() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let run = Run {
            run_id: RunId::new(),
            as_of: at("2026-11-23T10:00:00Z"),
        };
        let span = TimeSpan {
            start: at("2026-11-22T00:00:00Z"),
            end: at("2026-11-23T00:00:00Z"),
        };
        let (ingested_after, earliest) = (span.start, span.start);
        let mut questions = Vec::new();
        for measure in Measure::ALL {
            questions.push(Question::Count { measure, span });
            questions.push(Question::Arrivals {
                measure,
                ingested_after,
                earliest,
            });
        }
        for table in SentinelTable::ALL {
            questions.push(Question::Newest {
                table,
                ingested_after,
                earliest,
            });
        }
        for question in questions {
            let text = question.text(run);
            let kept = foretide_sentinel_tables::statement(&question.statement()).unwrap();
            assert!(text.ends_with(&kept.text), "{text}");
            let asked = kept
                .text
                .lines()
                .find_map(|line| line.strip_prefix("// parameters: "));
            for parameter in asked.unwrap().split(", ") {
                let name = parameter.split(':').next().unwrap();
                assert!(
                    text.contains(&format!("let {name} = datetime(2026-11-2")),
                    "{text}"
                );
            }
        }
    }
}
