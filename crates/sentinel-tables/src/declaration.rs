//! The shape of a declaration.

use foretide_domain::{Measure, SentinelTable};

use crate::{Condition, Text};

/// Type of a column, as Kusto calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `string`
    Text,
    /// `datetime`
    Moment,
    /// `int`
    Int,
    /// `long`
    Long,
    /// `real`
    Real,
    /// `dynamic`
    Dynamic,
}

impl Kind {
    /// The type's name in KQL.
    #[must_use]
    pub fn kql(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Moment => "datetime",
            Self::Int => "int",
            Self::Long => "long",
            Self::Real => "real",
            Self::Dynamic => "dynamic",
        }
    }

    /// The type's name in DuckDB, which plays the workspace in tests.
    #[must_use]
    pub fn duckdb(self) -> &'static str {
        match self {
            Self::Text => "VARCHAR",
            Self::Moment => "TIMESTAMP",
            Self::Int => "INTEGER",
            Self::Long => "BIGINT",
            Self::Real => "DOUBLE",
            Self::Dynamic => "JSON",
        }
    }
}

/// A column that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether it names a person, a machine or an address: it leaves ingestion as a keyed hash or
    /// not at all.
    pub is_identifier: bool,
}

/// Which rows tell of the same thing. Of its rows the latest gives labels and conditions: the one
/// with the greatest `TimeGenerated`, among those the one with the greatest `modified`; where both
/// are the same, each value is the greatest of theirs, text by the order of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// Every row is a thing of its own, also one that is word for word like another.
    EachRow,
    /// An append-only log: the latest row also says when the thing happened.
    Latest {
        /// What the rows of a thing have in common.
        key: &'static str,
        /// When the row's content was last changed.
        modified: &'static str,
    },
    /// The same thing is told again and again: it counts once, when it was first seen. In the
    /// workspace "first" looks back [`Identity::REPEATED_WITHIN_DAYS`].
    First {
        /// What the rows of a thing have in common.
        key: &'static str,
        /// When the thing was made, where the table says so.
        made: Option<&'static str>,
    },
}

impl Identity {
    /// Things are told again within this many days: indicators every 7 to 10, watchlist items every
    /// 12, alerts while they change.
    pub const REPEATED_WITHIN_DAYS: u32 = 30;

    /// The key column, if rows have one.
    #[must_use]
    pub fn key(self) -> Option<&'static str> {
        match self {
            Self::EachRow => None,
            Self::Latest { key, .. } | Self::First { key, .. } => Some(key),
        }
    }
}

/// A quantity in the unit of its measure. A row without one, with a negative one or with an unknown
/// unit is set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantity {
    /// The column with the number.
    pub column: &'static str,
    /// The column with its unit, where rows differ in that. No unit means the first of [`UNITS`].
    pub unit: Option<&'static str>,
}

/// Names of units of volume, and how many of them make a megabyte. Case does not matter.
pub const UNITS: [(&[&str], u32, u32); 4] = [
    (&["MBytes", "MB"], 1, 1),
    (&["GBytes", "GB"], 1000, 1),
    (&["KBytes", "KB"], 1, 1000),
    (&["Bytes", "B"], 1, 1_000_000),
];

/// Why a row is set aside by the query and by the files source alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing says which thing it tells of.
    MissingIdentity,
    /// A moment that it must have is not there.
    MissingTime,
    /// A moment lies before 2000, or more than a day after the row was logged.
    ImplausibleTime,
    /// The quantity is not there.
    MissingQuantity,
    /// The quantity is negative.
    NegativeQuantity,
    /// The quantity is in a unit that is not known.
    UnknownUnit,
}

/// How things become a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// How many there are.
    Things,
    /// The sum of a quantity.
    Sum(Quantity),
    /// How many different ones there are; empty ones do not count. Counted exactly, which the
    /// `dcount` of KQL is not.
    Distinct(Text),
}

/// One measure: what is counted of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeasureDeclaration {
    /// Which.
    pub measure: Measure,
    /// What it counts, in one sentence.
    pub what: &'static str,
    /// When a thing happened.
    pub at: &'static str,
    /// Which things count; all when empty.
    pub only: &'static [Condition],
    /// How they become a number.
    pub counting: Counting,
    /// The label `Severity`, if there is one.
    pub severity: Option<Text>,
    /// The label `Product`, if there is one.
    pub product: Option<Text>,
    /// The label `Tactic`, if there is one.
    pub tactic: Option<Text>,
}

impl MeasureDeclaration {
    /// The labels there are, with their columns in an answer.
    pub fn labels(&self) -> impl Iterator<Item = (&'static str, Text)> + use<> {
        let labels = [
            ("Severity", self.severity),
            ("Product", self.product),
            ("Tactic", self.tactic),
        ];
        labels
            .into_iter()
            .filter_map(|(name, text)| Some((name, text?)))
    }
}

/// One table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableDeclaration {
    /// Which.
    pub table: SentinelTable,
    /// What its rows are, in one sentence.
    pub what: &'static str,
    /// The columns that are read, `TimeGenerated` first.
    pub columns: &'static [Column],
    /// Which rows are the same thing.
    pub identity: Identity,
    /// Moments that every row must have.
    pub required: &'static [&'static str],
    /// A thing of which any row holds one of these is never counted, whatever other rows say.
    pub never: &'static [Condition],
    /// What is counted.
    pub measures: &'static [MeasureDeclaration],
}

impl TableDeclaration {
    /// The moments of its rows beside `TimeGenerated`.
    pub fn moments(&self) -> impl Iterator<Item = &'static str> + use<> {
        let moments = self
            .columns
            .iter()
            .filter(|column| column.kind == Kind::Moment);
        moments
            .map(|column| column.name)
            .filter(|name| *name != "TimeGenerated")
    }

    /// The quantities that its measures sum up.
    pub fn quantities(&self) -> impl Iterator<Item = Quantity> + use<> {
        let measures = self.measures.iter();
        measures.filter_map(|measure| match measure.counting {
            Counting::Sum(quantity) => Some(quantity),
            Counting::Things | Counting::Distinct(_) => None,
        })
    }

    /// A column of this name, if it is read.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The columns that name people, machines or addresses.
    pub fn identifiers(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.columns
            .iter()
            .filter(|column| column.is_identifier)
            .map(|column| column.name)
    }
}
