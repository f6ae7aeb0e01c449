//! What a backfill is.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use foretide_domain::{RunId, SentinelTable, TimeSpan};

/// Where a part is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// The Log Analytics query API.
    QueryApi,
    /// Blobs of a data export rule: `am-<table>/WorkspaceResourceId=…/PT05M.json`.
    DataExport,
    /// Parquet of an export job: `workspaceId/<id>/jobId/<id>/timestamp=…`.
    ExportJob,
    /// Any other file.
    PlainFiles,
}

impl Origin {
    const ALL: [Self; 4] = [
        Self::QueryApi,
        Self::DataExport,
        Self::ExportJob,
        Self::PlainFiles,
    ];

    /// The stored word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::QueryApi => "query_api",
            Self::DataExport => "data_export",
            Self::ExportJob => "export_job",
            Self::PlainFiles => "plain_files",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|origin| origin.name() == text);
        known.ok_or_else(|| {
            "must be query_api, data_export, export_job or plain_files, or empty".to_owned()
        })
    }
}

/// How far a backfill is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackfillState {
    /// Its cost is known; nothing was read.
    Quoted,
    /// Its parts are being read.
    Running,
    /// No further part is begun.
    Paused,
    /// Every part was read.
    Done,
    /// Over, with parts that could not be read.
    Failed,
    /// Ended by a person.
    Cancelled,
}

impl BackfillState {
    const ALL: [Self; 6] = [
        Self::Quoted,
        Self::Running,
        Self::Paused,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The stored word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Quoted => "quoted",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub(crate) fn stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == text)
    }
}

impl fmt::Display for BackfillState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How far a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartState {
    /// To be read, for the first time or again.
    Waiting,
    /// Being read, or its reader has died.
    Reading,
    /// Read.
    Done,
    /// Could not be read.
    Failed,
}

impl PartState {
    const ALL: [Self; 4] = [Self::Waiting, Self::Reading, Self::Done, Self::Failed];

    /// The stored word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Reading => "reading",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    pub(crate) fn stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == text)
    }
}

/// What is read at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Of which table.
    pub table: SentinelTable,
    /// Of which days.
    pub span: TimeSpan,
    /// From where.
    pub origin: Origin,
    /// Path of the one object, when it tells no day; else empty.
    pub object: String,
}

/// What a part should take. What nothing tells is missing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Expected {
    /// Queries of the workspace.
    pub queries: u64,
    /// Rows read, or of answers.
    pub rows: Option<u64>,
    /// Bytes read, or scanned in the workspace.
    pub bytes: Option<u64>,
    /// Price of scanning.
    pub price: f64,
}

impl Expected {
    /// Both together; what is known of one only counts.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let sum = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or_default() + b.unwrap_or_default()),
        };
        Self {
            queries: self.queries + other.queries,
            rows: sum(self.rows, other.rows),
            bytes: sum(self.bytes, other.bytes),
            price: self.price + other.price,
        }
    }
}

/// A part that was found by a survey.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedPart {
    /// What is read.
    pub scope: Scope,
    /// What it should take.
    pub expected: Expected,
}

/// What a source has of a table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Survey {
    /// Its parts, in any order.
    pub parts: Vec<PlannedPart>,
    /// What one should know about the figures.
    pub remarks: Vec<String>,
}

/// What is to be quoted.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) span: TimeSpan,
    pub(crate) tables: Vec<SentinelTable>,
    pub(crate) origin: Option<Origin>,
}

/// A part and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Its place in the order of reading.
    pub ordinal: i32,
    /// What is read.
    pub scope: Scope,
    /// What it should take.
    pub expected: Expected,
    /// How far it is.
    pub state: PartState,
    /// How often it was begun.
    pub attempts: u32,
    /// What it took.
    pub taken: Taken,
    /// Why it could not be read; empty when it could.
    pub error: String,
}

/// What reading took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Rows read, refused and repeated ones included.
    pub rows: u64,
    /// Rows that said nothing new.
    pub duplicates: u64,
    /// Rows and objects put into quarantine.
    pub quarantined: u64,
    /// Bytes read, or scanned in the workspace.
    pub bytes: u64,
    /// Milliseconds.
    pub elapsed_ms: u64,
}

impl Taken {
    fn and(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            duplicates: self.duplicates + other.duplicates,
            quarantined: self.quarantined + other.quarantined,
            bytes: self.bytes + other.bytes,
            elapsed_ms: self.elapsed_ms + other.elapsed_ms,
        }
    }
}

/// What became of an attempt at a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartEnd {
    pub(crate) state: PartState,
    pub(crate) taken: Taken,
    pub(crate) error: String,
    /// Whether it counts as a try: not when it is not the part that is to blame.
    pub(crate) is_try: bool,
    /// Why the whole backfill rests from here on.
    pub(crate) pause: Option<String>,
}

/// A backfill with its parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Backfill {
    /// Its id, which is also the run of everything it writes.
    pub id: RunId,
    /// How far it is.
    pub state: BackfillState,
    /// What is read.
    pub span: TimeSpan,
    /// From where only, if that was asked for.
    pub origin: Option<Origin>,
    /// When it was quoted.
    pub quoted_at: DateTime<Utc>,
    /// How long it should take, seconds.
    pub quoted_seconds: f64,
    /// Whether that follows from what earlier reading took.
    pub is_measured: bool,
    /// Currency of prices.
    pub currency: String,
    /// The limits of the budget it goes beyond, in words.
    pub beyond_budget: String,
    /// What one should know about the figures.
    pub remarks: Vec<String>,
    /// GB it may scan, whatever the budget says.
    pub accepted_gigabytes: Option<f64>,
    /// When it was started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Why it rests, if it does so by itself.
    pub note: String,
    /// Its parts in the order of reading.
    pub parts: Vec<Part>,
}

impl Backfill {
    /// What all of it should take.
    #[must_use]
    pub fn expected(&self) -> Expected {
        let each = self.parts.iter().map(|part| part.expected);
        each.fold(Expected::default(), Expected::and)
    }

    /// What it has taken so far.
    #[must_use]
    pub fn taken(&self) -> Taken {
        let each = self.parts.iter().map(|part| part.taken);
        each.fold(Taken::default(), Taken::and)
    }

    /// How many parts are in a state.
    #[must_use]
    pub fn count(&self, state: PartState) -> usize {
        let parts = self.parts.iter();
        parts.filter(|part| part.state == state).count()
    }

    /// How many parts are to be read.
    #[must_use]
    pub fn left(&self) -> usize {
        self.count(PartState::Waiting) + self.count(PartState::Reading)
    }

    /// Seconds that the rest should take, at the rate so far: by bytes where they are known, else
    /// by parts.
    #[must_use]
    pub fn seconds_left(&self) -> Option<f64> {
        let weight = |part: &Part| part.expected.bytes.map_or(0.0, as_real) + 1.0;
        let (mut done, mut left, mut seconds) = (0.0, 0.0, 0.0);
        for part in &self.parts {
            match part.state {
                PartState::Done => {
                    done += weight(part);
                    seconds += as_real(part.taken.elapsed_ms) / 1e3;
                }
                PartState::Waiting | PartState::Reading => left += weight(part),
                PartState::Failed => {}
            }
        }
        (done > 0.0).then_some(seconds / done * left)
    }

    /// The parts by table, in the order in which tables are first read.
    #[must_use]
    pub fn by_table(&self) -> BTreeMap<SentinelTable, Vec<&Part>> {
        let mut tables = BTreeMap::<_, Vec<&Part>>::new();
        for part in &self.parts {
            tables.entry(part.scope.table).or_default().push(part);
        }
        tables
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown as an estimate")]
pub(super) fn as_real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(state: PartState, bytes: Option<u64>, elapsed_ms: u64) -> Part {
        Part {
            ordinal: 0,
            scope: Scope {
                table: SentinelTable::SigninLogs,
                span: TimeSpan {
                    start: DateTime::UNIX_EPOCH,
                    end: DateTime::UNIX_EPOCH,
                },
                origin: Origin::DataExport,
                object: String::new(),
            },
            expected: Expected {
                bytes,
                ..Expected::default()
            },
            state,
            attempts: 1,
            taken: Taken {
                elapsed_ms,
                ..Taken::default()
            },
            error: String::new(),
        }
    }

    fn backfill(parts: Vec<Part>) -> Backfill {
        Backfill {
            id: RunId::new(),
            state: BackfillState::Running,
            span: TimeSpan {
                start: DateTime::UNIX_EPOCH,
                end: DateTime::UNIX_EPOCH,
            },
            origin: None,
            quoted_at: DateTime::UNIX_EPOCH,
            quoted_seconds: 0.0,
            is_measured: false,
            currency: String::new(),
            beyond_budget: String::new(),
            remarks: Vec::new(),
            accepted_gigabytes: None,
            started_at: None,
            finished_at: None,
            note: String::new(),
            parts,
        }
    }

    #[test]
    fn what_is_left_follows_from_bytes_done() {
        let parts = vec![
            part(PartState::Done, Some(999), 2000),
            part(PartState::Failed, Some(9_999_999), 0),
            part(PartState::Waiting, Some(1999), 0),
            part(PartState::Reading, Some(999), 0),
        ];
        let left = backfill(parts).seconds_left().unwrap();
        assert!((left - 6.0).abs() < 1e-9, "{left}");
        let fresh = backfill(vec![part(PartState::Waiting, None, 0)]);
        assert_eq!(fresh.seconds_left(), None);
    }

    #[test]
    fn without_bytes_parts_count() {
        let parts = vec![
            part(PartState::Done, None, 1000),
            part(PartState::Done, None, 3000),
            part(PartState::Waiting, None, 0),
        ];
        let left = backfill(parts).seconds_left().unwrap();
        assert!((left - 2.0).abs() < 1e-9, "{left}");
    }

    #[test]
    fn what_one_part_does_not_tell_does_not_hide_the_others() {
        let known = Expected {
            rows: Some(3),
            ..Expected::default()
        };
        let both = known.and(Expected::default());
        assert_eq!((both.rows, both.bytes), (Some(3), None));
    }

    #[test]
    fn every_word_comes_back() {
        for state in BackfillState::ALL {
            assert_eq!(BackfillState::stored(state.name()), Some(state));
        }
        for state in PartState::ALL {
            assert_eq!(PartState::stored(state.name()), Some(state));
        }
        for origin in Origin::ALL {
            assert_eq!(origin.name().parse(), Ok(origin));
        }
        assert!("tape".parse::<Origin>().is_err());
    }
}
