//! Quotes, and the reading of one part.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::{RunId, SentinelTable, TimeSpan, floor_day};

use super::model::{Backfill, BackfillState, Expected, Origin, Plan, PlannedPart, Scope, as_real};
use crate::cost::{Plan as TablePlan, gigabytes, month_start};
use crate::error::IngestionError;
use crate::service::Ingestion;
use crate::source::{IngestError, Run, TableReport};
use crate::tables::needs_whole_rows;

/// Most parts of one backfill.
const MAX_PARTS: usize = 100_000;
/// Rows a second that are assumed while nothing was read here: what the benchmark of the files source
/// reads from hourly export files on one busy core (`cargo bench -p foretide-ingestion`).
const ASSUMED_ROWS: f64 = 46_000.0;
/// Bytes of a row that are assumed when not even a sample tells.
const ASSUMED_ROW_BYTES: f64 = 1000.0;
/// Seconds a query is assumed to take while none was asked.
const ASSUMED_QUERY_SECONDS: f64 = 2.0;

impl Ingestion {
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Surveys the source and says what reading it would take. The quote's parts come beside it.
    pub(super) async fn quote(
        &self,
        plan: Plan,
        id: RunId,
    ) -> Result<(Backfill, Vec<PlannedPart>), IngestionError> {
        let tables = self.chosen(&plan.tables)?;
        let now = self.now();
        let run = Run {
            run_id: id,
            as_of: now,
        };
        self.source
            .begin(run)
            .await
            .map_err(IngestionError::Source)?;
        let (mut parts, mut remarks) = (Vec::new(), BTreeSet::new());
        for table in tables {
            let survey = self.source.survey(*table, plan.span, run).await;
            let survey = survey.map_err(IngestionError::Source)?;
            parts.extend(survey.parts);
            remarks.extend(survey.remarks);
        }
        parts.retain(|part| plan.origin.is_none_or(|only| part.scope.origin == only));
        let parts = self.priced(in_order(parts)?, &mut remarks);
        let expected = parts
            .iter()
            .map(|part| part.expected)
            .fold(Expected::default(), Expected::and);
        let (quoted_seconds, is_measured) = self.duration(&parts).await?;
        let quote = Backfill {
            id,
            state: BackfillState::Quoted,
            span: plan.span,
            origin: plan.origin,
            quoted_at: now,
            quoted_seconds,
            is_measured,
            currency: self.cost.currency.clone(),
            beyond_budget: self.beyond_budget(&expected).await?,
            remarks: remarks.into_iter().collect(),
            accepted_gigabytes: None,
            started_at: None,
            finished_at: None,
            note: String::new(),
            parts: Vec::new(),
        };
        Ok((quote, parts))
    }

    /// Puts prices to parts that are queried.
    fn priced(
        &self,
        mut parts: Vec<PlannedPart>,
        remarks: &mut BTreeSet<String>,
    ) -> Vec<PlannedPart> {
        for PlannedPart { scope, expected } in &mut parts {
            if scope.origin != Origin::QueryApi {
                continue;
            }
            let plan = self.cost.plan(scope.table);
            expected.price = self
                .cost
                .price(scope.table, expected.bytes.unwrap_or_default());
            if plan != TablePlan::Analytics && !self.cost.price_per_gb.contains_key(&plan) {
                let plan = plan.name();
                remarks.insert(format!(
                    "queries of the plan {plan} are charged by what they scan: set \
                     log_analytics.cost.price_per_gb.{plan} to see the price"
                ));
            }
        }
        parts
    }

    /// How long reading should take, seconds, and whether earlier reading tells.
    async fn duration(&self, parts: &[PlannedPart]) -> Result<(f64, bool), IngestionError> {
        let mut by_origin: BTreeMap<Origin, Expected> = BTreeMap::new();
        for part in parts {
            let sum = by_origin.entry(part.scope.origin).or_default();
            *sum = sum.and(part.expected);
        }
        let (mut seconds, mut is_measured) = (0.0, true);
        for (origin, expected) in by_origin {
            let pace = self.ledger.pace(origin).await?;
            let elapsed = as_real(pace.elapsed_ms) / 1e3;
            let bytes = expected.bytes.map_or(0.0, as_real);
            seconds += if origin == Origin::QueryApi {
                let queries = as_real(expected.queries);
                match pace.queries {
                    0 => match self.ledger.mean_execution_ms().await? {
                        Some(mean) => queries * mean / 1e3,
                        None => {
                            is_measured = false;
                            queries * ASSUMED_QUERY_SECONDS
                        }
                    },
                    asked => queries * elapsed / as_real(asked),
                }
            } else if pace.bytes > 0 {
                bytes * elapsed / as_real(pace.bytes)
            } else {
                is_measured = false;
                let rows = expected.rows.map(as_real);
                rows.unwrap_or(bytes / ASSUMED_ROW_BYTES) / ASSUMED_ROWS
            };
        }
        Ok((seconds, is_measured))
    }

    /// Which limits of the budget it goes beyond, in words.
    async fn beyond_budget(&self, expected: &Expected) -> Result<String, IngestionError> {
        let bytes = match expected.queries {
            0 => 0,
            _ => expected.bytes.unwrap_or_default(),
        };
        let now = self.now();
        let day = self.ledger.spent_since(floor_day(now)).await?;
        let month = self.ledger.spent_since(month_start(now)).await?;
        Ok(self
            .cost
            .beyond(&day, &month, bytes, expected.price)
            .join("; "))
    }

    /// Refuses what goes beyond the budget, unless so many GB are accepted.
    pub(super) async fn check_cost(
        &self,
        expected: &Expected,
        accepted_gigabytes: Option<f64>,
    ) -> Result<(), IngestionError> {
        let quoted = gigabytes(expected.bytes.unwrap_or_default());
        match accepted_gigabytes {
            Some(accepted) if accepted < quoted => {
                Err(IngestionError::AcceptedTooLittle { accepted, quoted })
            }
            Some(_) => Ok(()),
            None => match self.beyond_budget(expected).await? {
                limits if limits.is_empty() => Ok(()),
                limits => Err(IngestionError::BeyondBudget { limits, quoted }),
            },
        }
    }

    /// Prepares the source for the parts of a turn.
    pub(super) async fn prepare(&self, id: RunId) -> Result<(), IngestError> {
        let run = Run {
            run_id: id,
            as_of: self.now(),
        };
        self.source.begin(run).await.map(drop)
    }

    /// Reads a part. It counts as of now, and always as of later than what is known of its table,
    /// so that for whoever reads the lake the newest is also the most.
    pub(super) async fn read_part(
        &self,
        scope: &Scope,
        id: RunId,
    ) -> Result<TableReport, IngestError> {
        let _running = self.running.lock().await;
        let known = self.ledger.watermark(scope.table).await?;
        let now = self.now();
        let run = Run {
            run_id: id,
            as_of: known.map_or(now, |known| {
                now.max(known.known_at + TimeDelta::milliseconds(1))
            }),
        };
        let outcome = self.source.backfill(scope, run, &|_, _| {}).await;
        match &outcome {
            Ok(report) => {
                let has_failed = !report.damaged.is_empty() || !report.trouble.is_empty();
                self.metrics.count(scope.table, report, has_failed);
            }
            Err(_) => self
                .metrics
                .count(scope.table, &TableReport::default(), true),
        }
        outcome
    }
}

/// Newest first; refused when there is nothing, or the same rows might be read twice.
fn in_order(mut parts: Vec<PlannedPart>) -> Result<Vec<PlannedPart>, IngestionError> {
    if parts.is_empty() {
        return Err(IngestionError::NothingToRead);
    }
    if parts.len() > MAX_PARTS {
        return Err(IngestionError::TooManyParts(parts.len()));
    }
    parts.sort_by(|a, b| {
        let newest = |part: &PlannedPart| (part.scope.span.end, part.scope.span.start);
        newest(b)
            .cmp(&newest(a))
            .then_with(|| a.scope.table.cmp(&b.scope.table))
            .then_with(|| a.scope.origin.cmp(&b.scope.origin))
            .then_with(|| b.scope.object.cmp(&a.scope.object))
    });
    if let Some((table, span)) = told_twice(&parts) {
        let day = span.start.date_naive();
        return Err(IngestionError::ToldTwice { table, day });
    }
    Ok(parts)
}

/// Rows without an identity are told apart by how they are written, which differs between a data
/// export and an export job: read from both, each would count twice.
fn told_twice(parts: &[PlannedPart]) -> Option<(SentinelTable, TimeSpan)> {
    let mut seen: BTreeMap<(SentinelTable, DateTime<Utc>), Origin> = BTreeMap::new();
    for part in parts {
        let Scope {
            table,
            span,
            origin,
            ..
        } = part.scope;
        if origin == Origin::PlainFiles || !needs_whole_rows(table) {
            continue;
        }
        let first = *seen.entry((table, span.start)).or_insert(origin);
        if first != origin {
            return Some((table, span));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(table: SentinelTable, day: i64, origin: Origin) -> PlannedPart {
        let start = DateTime::UNIX_EPOCH + TimeDelta::days(day);
        PlannedPart {
            scope: Scope {
                table,
                span: TimeSpan {
                    start,
                    end: start + TimeDelta::days(1),
                },
                origin,
                object: String::new(),
            },
            expected: Expected::default(),
        }
    }

    #[test]
    fn the_newest_day_of_every_table_comes_first() {
        let (a, b) = (SentinelTable::SecurityIncident, SentinelTable::SigninLogs);
        let parts = [(a, 1), (b, 3), (b, 1), (a, 3), (a, 2)]
            .map(|(table, day)| part(table, day, Origin::DataExport));
        let ordered = in_order(parts.to_vec()).unwrap();
        let days: Vec<i64> = ordered
            .iter()
            .map(|part| (part.scope.span.start - DateTime::UNIX_EPOCH).num_days())
            .collect();
        assert_eq!(days, [3, 3, 2, 1, 1]);
        assert_ne!(ordered[0].scope.table, ordered[1].scope.table);
    }

    #[test]
    fn rows_without_identity_are_not_read_from_two_exports_of_a_day() {
        let twice = |table, second_day| {
            in_order(vec![
                part(table, 1, Origin::DataExport),
                part(table, second_day, Origin::ExportJob),
            ])
        };
        let refused = twice(SentinelTable::SigninLogs, 1).unwrap_err();
        assert!(matches!(refused, IngestionError::ToldTwice { .. }));
        assert!(twice(SentinelTable::SigninLogs, 2).is_ok());
        assert!(twice(SentinelTable::SecurityIncident, 1).is_ok());
        assert!(matches!(
            in_order(Vec::new()),
            Err(IngestionError::NothingToRead)
        ));
    }
}
