//! How the rows of one object are understood.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foretide_domain::SentinelTable;

use super::layout::{Kind, Placed};
use crate::backfill::Origin;
use crate::config::{CountsConfig, CountsLabels, FilesConfig};
use crate::event::{Event, Stream};
use crate::pseudonym::{Met, ObjectPseudonyms, Pseudonyms};
use crate::rows::{DateOrder, Reason, Record, Refusal, Scalar};
use crate::tables::{self, RowContext, RowTimes, label, plausible};

const HOUR_MS: i64 = 3_600_000;
const SERIES: usize = 0;
const TIME: usize = 1;
const VALUE: usize = 2;

/// How the rows of an object are understood, in a run.
#[derive(Debug, Clone)]
pub(super) struct ReadPlan {
    /// Columns that are read, by the names they have in the object.
    pub(super) names: Vec<String>,
    /// Column without which the object is no use.
    pub(super) required: usize,
    /// Columns that hold times.
    pub(super) moments: Vec<usize>,
    /// Which number of dates that end with their year is the day, where they do not tell.
    pub(super) dates: Option<DateOrder>,
    /// Columns whose absence shows that not the whole table was exported.
    pub(super) expected: Vec<usize>,
    /// The run's moment, milliseconds since 1970.
    pub(super) as_of: i64,
    /// The table, unless these are counts.
    pub(super) table: Option<SentinelTable>,
    counts: Option<Arc<CountsConfig>>,
    values: Vec<(usize, BTreeMap<String, String>)>,
    folder_time: Option<i64>,
    pseudonyms: ObjectPseudonyms,
    repeats: RefCell<HashMap<u128, u32>>,
}

impl ReadPlan {
    pub(super) fn new(
        path: &str,
        placed: Placed,
        config: &FilesConfig,
        pseudonyms: &Pseudonyms,
        as_of: i64,
    ) -> Self {
        let empty = Self {
            names: Vec::new(),
            required: 0,
            moments: vec![TIME],
            dates: config.date_order,
            expected: Vec::new(),
            as_of,
            table: None,
            counts: None,
            values: Vec::new(),
            folder_time: placed.folder_time,
            pseudonyms: pseudonyms.of_object(),
            repeats: RefCell::default(),
        };
        match placed.kind {
            Kind::Counts(at) => {
                let counts = config.counts[at].clone();
                let columns = &counts.columns;
                Self {
                    names: [&columns.series, &columns.time, &columns.value]
                        .map(String::clone)
                        .into(),
                    required: TIME,
                    counts: Some(Arc::new(counts)),
                    ..empty
                }
            }
            Kind::Table(table) => {
                let mapping = config.mappings.get(path);
                let known = tables::columns(table);
                let name_of = |column: &&str| {
                    let mapped = mapping.and_then(|mapping| mapping.columns.get(*column));
                    mapped.cloned().unwrap_or_else(|| (*column).to_owned())
                };
                let values = mapping.map(|mapping| &mapping.values).into_iter().flatten();
                let is_whole = placed.origin == Origin::ExportJob;
                let expected = (0..known.len()).filter(|at| is_whole && is_exported(known[*at]));
                Self {
                    names: known.iter().map(name_of).collect(),
                    moments: tables::moments(table),
                    expected: expected.collect(),
                    table: Some(table),
                    values: values
                        .filter_map(|(column, values)| {
                            let at = known.iter().position(|known| known == column)?;
                            Some((at, values.clone()))
                        })
                        .collect(),
                    ..empty
                }
            }
        }
    }

    /// Whom the object's rows have met so far.
    pub(super) fn take_met(&self) -> Vec<Met> {
        self.pseudonyms.take_met()
    }

    /// Whether rows are told apart by all their columns.
    pub(super) fn needs_whole_rows(&self) -> bool {
        self.table.is_some_and(tables::needs_whole_rows)
    }

    /// Puts the table's values in place of the file's.
    pub(super) fn translate(&self, record: &mut Record<'_>) {
        for (column, values) in &self.values {
            let text = match &record.values[*column] {
                Scalar::Text(text) => text.trim().to_owned(),
                Scalar::Integer(number) => number.to_string(),
                _ => continue,
            };
            if let Some(value) = values.get(&text) {
                record.values[*column] = Scalar::Text(Cow::Owned(value.clone()));
            }
        }
    }

    fn context<'a>(&'a self, raw: &'a [u8]) -> RowContext<'a> {
        RowContext {
            pseudonyms: &self.pseudonyms,
            repeats: &self.repeats,
            raw,
            as_of: self.as_of,
            folder_time: self.folder_time,
        }
    }

    /// When a row was logged.
    pub(super) fn times(&self, record: &Record<'_>, raw: &[u8]) -> Result<RowTimes, Refusal> {
        if let Some(table) = self.table {
            return tables::row_times(table, record, &self.context(raw));
        }
        let hour = record
            .moment(TIME, "time")?
            .ok_or_else(|| Refusal::about(Reason::MissingTime, "time", "missing"))?;
        plausible("time", hour, self.as_of + 366 * tables::DAY_MS)?;
        // an hour's count is known when the hour is over
        Ok(RowTimes {
            generated: hour,
            arrived: hour + HOUR_MS,
        })
    }

    /// Adds what is counted of a row to `events`.
    pub(super) fn events(
        &self,
        record: &Record<'_>,
        times: RowTimes,
        raw: &[u8],
        events: &mut Vec<(Stream, Event)>,
    ) -> Result<(), Refusal> {
        match (&self.counts, self.table) {
            (Some(counts), _) => {
                let count = self.count(counts, record, times)?;
                events.extend(count.map(|count| (Stream::Counts(counts.measure), count)));
                Ok(())
            }
            (None, Some(table)) => {
                tables::read_row(table, record, times, &self.context(raw), events)
            }
            (None, None) => Ok(()),
        }
    }

    fn count(
        &self,
        counts: &CountsConfig,
        record: &Record<'_>,
        times: RowTimes,
    ) -> Result<Option<Event>, Refusal> {
        let series = record.text(SERIES, "series")?.unwrap_or_default();
        let value = record
            .number(VALUE, "value")?
            .ok_or_else(|| Refusal::about(Reason::MissingColumn, "value", "missing"))?;
        if value < 0.0 {
            return Err(Refusal::about(
                Reason::NegativeAmount,
                "value",
                &value.to_string(),
            ));
        }
        let labels = if counts.series.is_empty() {
            CountsLabels {
                product: series.to_string(),
                ..CountsLabels::default()
            }
        } else {
            match counts.series.get(series.as_ref()) {
                Some(labels) => labels.clone(),
                None => return Ok(None),
            }
        };
        let hour = times.generated.div_euclid(HOUR_MS) * HOUR_MS;
        let parts: [&[u8]; 3] = [
            counts.measure.name().as_bytes(),
            series.as_bytes(),
            &times.generated.to_le_bytes(),
        ];
        Ok(Some(Event {
            key: self.pseudonyms.hash("count", &parts),
            event_time: hour,
            // a corrected count replaces what an earlier run has read
            version: self.as_of,
            modified: self.as_of,
            seen: self.as_of,
            at: None,
            never: false,
            counts: true,
            severity: labels.severity,
            product: label(Some(&labels.product)),
            tactic: label(Some(&labels.tactic)),
            address: None,
            amount: value,
        }))
    }
}

/// Whether it is a column of the workspace: `_ArrivalTime` is one of synthetic exports only.
fn is_exported(column: &str) -> bool {
    column != "_ArrivalTime"
}
