//! How the rows of a table are read: as it is declared, and nothing else is known of it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::LazyLock;

use foretide_domain::SentinelTable;
use foretide_pseudonyms::EntityKind;
use foretide_sentinel_tables::{
    Column, Counting, EARLIEST_MS, Flaw, Identity, Kind, MeasureDeclaration, Row, SKEW_MS,
    TableDeclaration, Text, table,
};

use crate::event::{Event, Stream};
use crate::pseudonym::ObjectPseudonyms;
use crate::rows::{Reason, Record, Refusal};

/// Milliseconds of one day.
pub(crate) const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;
/// A row that claims to be logged later than this after the run waits for no replay: it is wrong.
const FURTHEST_AHEAD_MS: i64 = 366 * DAY_MS;
const MAX_LABEL_CHARS: usize = 128;
/// By which rules rows are read. Objects that were read by others are read anew.
pub(crate) const RULES: &str = "rules-3";

const TIME_GENERATED: usize = 0;
const ARRIVAL_TIME: usize = 1;

/// The columns of each table as they stand in a record: when it was logged, when it came in, and
/// what else is declared.
static COLUMNS: LazyLock<HashMap<SentinelTable, Vec<&'static str>>> = LazyLock::new(|| {
    SentinelTable::ALL
        .into_iter()
        .map(|name| {
            let declared = table(name).columns.iter().map(|column| column.name);
            let others = declared.filter(|column| *column != "TimeGenerated");
            let columns = ["TimeGenerated", "_ArrivalTime"].into_iter().chain(others);
            (name, columns.collect())
        })
        .collect()
});

/// The columns that are read, in the order of [`Record::values`].
pub(crate) fn columns(table: SentinelTable) -> &'static [&'static str] {
    COLUMNS.get(&table).map_or(&[], Vec::as_slice)
}

/// Which of the columns hold times.
pub(crate) fn moments(name: SentinelTable) -> Vec<usize> {
    let declared = &table(name).columns;
    let is_moment = |column: &str| {
        let mut declared = declared.iter();
        let declared = declared.find(|declared| declared.name == column);
        declared.is_none_or(|declared| declared.kind == Kind::Moment)
    };
    let columns = columns(name).iter().enumerate();
    columns
        .filter(|(_, column)| is_moment(column))
        .map(|(at, _)| at)
        .collect()
}

/// Whether rows are told apart by all their columns.
pub(crate) fn needs_whole_rows(name: SentinelTable) -> bool {
    table(name).identity == Identity::EachRow
}

/// When a row was written and when it could first be read, milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowTimes {
    /// `TimeGenerated`.
    pub(crate) generated: i64,
    /// `_ArrivalTime`, or `TimeGenerated` where the export has none; later when the row tells of
    /// something later.
    pub(crate) arrived: i64,
}

/// What is known about a row besides its columns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowContext<'a> {
    pub(crate) pseudonyms: &'a ObjectPseudonyms,
    /// How often each row without an id was met in this reading of the object.
    pub(crate) repeats: &'a RefCell<HashMap<u128, u32>>,
    /// The raw row, from which rows without an id get their identity.
    pub(crate) raw: &'a [u8],
    /// The run's moment.
    pub(crate) as_of: i64,
    /// The moment the export's folder stands for.
    pub(crate) folder_time: Option<i64>,
}

/// When a row was logged, and from when on it counts.
pub(crate) fn row_times(
    name: SentinelTable,
    record: &Record<'_>,
    context: &RowContext<'_>,
) -> Result<RowTimes, Refusal> {
    let generated = record
        .moment(TIME_GENERATED, "TimeGenerated")?
        .ok_or_else(|| Refusal::about(Reason::MissingTime, "TimeGenerated", "missing"))?;
    let arrived = record
        .moment(ARRIVAL_TIME, "_ArrivalTime")?
        .unwrap_or(generated);
    let latest = context.as_of + FURTHEST_AHEAD_MS;
    plausible("TimeGenerated", generated, latest)?;
    plausible("_ArrivalTime", arrived, latest)?;
    if let Some(folder) = context.folder_time
        && (generated - folder).abs() > DAY_MS + HOUR_MS
    {
        return Err(implausible("TimeGenerated", generated));
    }
    let row = Named::new(name, record);
    let moments = table(name)
        .moments()
        .filter_map(|moment| row.moment(moment));
    let told_of = moments
        .filter(|moment| *moment <= generated + SKEW_MS)
        .max();
    Ok(RowTimes {
        generated,
        arrived: arrived.max(generated).max(told_of.unwrap_or(generated)),
    })
}

/// A record whose columns have names.
struct Named<'a> {
    record: &'a Record<'a>,
    columns: &'static [&'static str],
}

impl<'a> Named<'a> {
    fn new(table: SentinelTable, record: &'a Record<'a>) -> Self {
        Self {
            record,
            columns: columns(table),
        }
    }

    fn place(&self, column: &str) -> Option<(usize, &'static str)> {
        let at = self.columns.iter().position(|known| *known == column)?;
        Some((at, self.columns[at]))
    }
}

// What cannot be read has been refused before: here it is missing.
impl Row for Named<'_> {
    fn text(&self, column: &str) -> Option<Cow<'_, str>> {
        let (at, name) = self.place(column)?;
        self.record.text(at, name).ok().flatten()
    }

    fn number(&self, column: &str) -> Option<f64> {
        let (at, name) = self.place(column)?;
        self.record.number(at, name).ok().flatten()
    }

    fn moment(&self, column: &str) -> Option<i64> {
        let (at, name) = self.place(column)?;
        self.record.moment(at, name).ok().flatten()
    }

    fn first_in(&self, column: &str, property: &str) -> Option<Cow<'_, str>> {
        let (at, _) = self.place(column)?;
        let details = self.record.values[at].details();
        let found = match property {
            "alertProductNames" => details.product,
            "tactics" => details.tactic,
            _ => None,
        };
        found.map(Cow::Owned)
    }

    fn has_label(&self, column: &str, name: &str) -> bool {
        let Some((at, _)) = self.place(column) else {
            return false;
        };
        let labels = self.record.values[at].details().labels;
        labels.iter().any(|label| label == name)
    }
}

/// Adds what each measure of the table counts of a row to `events`; nothing when the row is sound but
/// not counted.
pub(crate) fn read_row(
    name: SentinelTable,
    record: &Record<'_>,
    times: RowTimes,
    context: &RowContext<'_>,
    events: &mut Vec<(Stream, Event)>,
) -> Result<(), Refusal> {
    let declared = table(name);
    let row = Named::new(name, record);
    for column in declared.columns {
        readable(&row, column)?;
    }
    if let Some((flaw, column)) = declared.flaw(&row, times.generated) {
        return Err(refusal(&row, flaw, column));
    }
    let reading = Reading {
        declared,
        row: &row,
        times,
        context,
    };
    match declared.identity.key() {
        None => reading.each_row(events),
        Some(key) => reading.of_thing(key, events),
    }
    Ok(())
}

/// Refuses a value that is not of its column's type.
fn readable(row: &Named<'_>, column: &Column) -> Result<(), Refusal> {
    let Some((at, name)) = row.place(column.name) else {
        return Ok(());
    };
    match column.kind {
        Kind::Text => row.record.text(at, name).map(drop),
        Kind::Moment => row.record.moment(at, name).map(drop),
        Kind::Int | Kind::Long | Kind::Real => row.record.number(at, name).map(drop),
        Kind::Dynamic => Ok(()),
    }
}

fn refusal(row: &Named<'_>, flaw: Flaw, column: &'static str) -> Refusal {
    let reason = match flaw {
        Flaw::MissingIdentity => Reason::MissingIdentity,
        Flaw::MissingTime => Reason::MissingTime,
        Flaw::ImplausibleTime => {
            return implausible(column, row.moment(column).unwrap_or_default());
        }
        Flaw::MissingQuantity => Reason::MissingColumn,
        Flaw::NegativeQuantity => Reason::NegativeAmount,
        Flaw::UnknownUnit => Reason::UnknownUnit,
    };
    let value = row.number(column).map(|number| number.to_string());
    Refusal::about(reason, column, value.as_deref().unwrap_or("missing"))
}

/// A sound row on its way into events.
struct Reading<'a> {
    declared: &'static TableDeclaration,
    row: &'a Named<'a>,
    times: RowTimes,
    context: &'a RowContext<'a>,
}

impl Reading<'_> {
    /// The row is an event of its own.
    fn each_row(&self, events: &mut Vec<(Stream, Event)>) {
        let mut key = None;
        for measure in self.declared.measures {
            if !self.holds(measure) {
                continue;
            }
            let event_time = self.at(measure.at).unwrap_or(self.times.generated);
            let Some(event) = self.event(measure, event_time) else {
                continue;
            };
            let key = *key.get_or_insert_with(|| self.row_key());
            events.push((Stream::Measured(measure.measure), Event { key, ..event }));
        }
    }

    /// The row tells of a thing that others tell of too.
    fn of_thing(&self, column: &'static str, events: &mut Vec<(Stream, Event)>) {
        let identity = Text::Column(column).of(self.row);
        let table = self.declared.table.name();
        let key = self.context.pseudonyms.hash(table, &[identity.as_bytes()]);
        let mut never = self.declared.never.iter();
        let never = never.any(|condition| condition.holds(self.row));
        for measure in self.declared.measures {
            let (modified, at) = match self.declared.identity {
                Identity::Latest { modified, .. } => (self.at(modified), self.at(measure.at)),
                Identity::First { made, .. } => (None, made.and_then(|made| self.at(made))),
                Identity::EachRow => (None, None),
            };
            let Some(event) = self.event(measure, self.times.generated) else {
                continue;
            };
            let event = Event {
                key,
                modified: modified.unwrap_or(self.times.generated),
                at,
                never,
                counts: self.holds(measure),
                ..event
            };
            events.push((Stream::Things(measure.measure), event));
        }
    }

    fn at(&self, column: &str) -> Option<i64> {
        self.row.moment(column)
    }

    fn holds(&self, measure: &MeasureDeclaration) -> bool {
        let mut conditions = measure.only.iter();
        conditions.all(|condition| condition.holds(self.row))
    }

    /// Nothing when what is counted once is not there.
    fn event(&self, measure: &MeasureDeclaration, event_time: i64) -> Option<Event> {
        let mut address = None;
        let mut amount = 1.0;
        match measure.counting {
            Counting::Things => {}
            Counting::Sum(quantity) => amount = quantity.of(self.row).ok()?,
            Counting::Distinct(text) => {
                let value = text.of(self.row);
                let pseudonyms = self.context.pseudonyms;
                address = match entity_kind(self.declared, text) {
                    _ if value.is_empty() => None,
                    Some(kind) => pseudonyms.entity(kind, &value, event_time),
                    None => Some(pseudonyms.thing(&value)),
                };
                address?;
            }
        }
        let labelled = |text: Option<Text>| {
            text.map_or_else(String::new, |text| label(Some(&text.of(self.row))))
        };
        Some(Event {
            key: 0,
            event_time,
            version: self.times.generated,
            modified: self.times.generated,
            seen: self.times.generated,
            at: None,
            never: false,
            counts: true,
            severity: labelled(measure.severity),
            product: labelled(measure.product),
            tactic: labelled(measure.tactic),
            address,
            amount,
        })
    }

    /// Identity of a row that has none: all of it, and which of the identical ones it is.
    fn row_key(&self) -> u128 {
        let RowContext {
            pseudonyms,
            repeats,
            raw,
            ..
        } = self.context;
        let key = pseudonyms.hash("row", &[raw]);
        let mut repeats = repeats.borrow_mut();
        let before = repeats.entry(key).or_insert(0);
        *before += 1;
        match *before {
            1 => key,
            number => pseudonyms.hash("row", &[raw, &number.to_le_bytes()]),
        }
    }
}

/// What the columns of identifiers name that are counted once.
const KINDS: [(&str, EntityKind); 5] = [
    ("AccountObjectId", EntityKind::User),
    ("DeviceId", EntityKind::Host),
    ("IPAddress", EntityKind::Address),
    ("SourceIP", EntityKind::Address),
    ("TargetAccount", EntityKind::User),
];

/// What a text names, when it comes from a column of identifiers.
fn entity_kind(declared: &TableDeclaration, text: Text) -> Option<EntityKind> {
    let columns = text.columns();
    let is_identifier = |name: &str| declared.identifiers().any(|known| known == name);
    let kinds = KINDS.iter().filter(|(name, _)| is_identifier(name));
    let mut kinds = kinds.filter(|(name, _)| columns.contains(name));
    kinds.next().map(|(_, kind)| *kind)
}

/// A label fit for a bucket: one line, at most 128 characters.
pub(crate) fn label(text: Option<&str>) -> String {
    let text = text.unwrap_or_default().trim();
    if text.len() <= MAX_LABEL_CHARS && !text.contains(char::is_control) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_LABEL_CHARS)
        .collect()
}

pub(crate) fn plausible(column: &'static str, moment: i64, latest: i64) -> Result<(), Refusal> {
    if (EARLIEST_MS..=latest).contains(&moment) {
        Ok(())
    } else {
        Err(implausible(column, moment))
    }
}

fn implausible(column: &'static str, moment: i64) -> Refusal {
    Refusal::about(
        Reason::ImplausibleTime,
        column,
        &format!("{moment} ms since 1970"),
    )
}

#[cfg(test)]
mod tests;
