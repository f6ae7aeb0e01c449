//! Tables that are read as they are declared: nothing about them is known but the declaration.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use foretide_domain::SentinelTable;
use foretide_pseudonyms::EntityKind;
use foretide_sentinel_tables::{
    Column, Counting, Identity, Kind, MeasureDeclaration, Row, TableDeclaration, Text, table,
};

use super::{RowContext, RowTimes, blank, label, plausible_event, row_key};
use crate::event::{Event, Stream};
use crate::rows::{Reason, Record, Refusal};

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

pub(super) fn columns(table: SentinelTable) -> &'static [&'static str] {
    COLUMNS.get(&table).map_or(&[], Vec::as_slice)
}

/// A record whose columns have names.
struct Named<'a> {
    record: &'a Record<'a>,
    columns: &'static [&'static str],
}

impl Named<'_> {
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
}

/// Adds what each measure of the table counts of a row.
pub(super) fn read(
    name: SentinelTable,
    record: &Record<'_>,
    times: RowTimes,
    context: &RowContext<'_>,
    events: &mut Vec<(Stream, Event)>,
) -> Result<(), Refusal> {
    let declared = table(name);
    let row = Named {
        record,
        columns: columns(name),
    };
    for column in declared.columns {
        readable(&row, column)?;
    }
    let key = key(declared, &row, context)?;
    for measure in declared.measures {
        if !measure.only.iter().all(|condition| condition.holds(&row)) {
            continue;
        }
        if let Some(event) = event(declared, measure, &row, key, times, context)? {
            events.push((Stream::Measured(measure.measure), event));
        }
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

fn key(
    declared: &TableDeclaration,
    row: &Named<'_>,
    context: &RowContext<'_>,
) -> Result<u128, Refusal> {
    let Some(column) = declared.identity.key() else {
        return Ok(row_key(context));
    };
    let identity = row
        .text(column)
        .ok_or_else(|| Refusal::about(Reason::MissingIdentity, column, "missing"))?;
    let table = declared.table.name();
    Ok(context.pseudonyms.hash(table, &[identity.as_bytes()]))
}

fn event(
    declared: &TableDeclaration,
    measure: &MeasureDeclaration,
    row: &Named<'_>,
    key: u128,
    times: RowTimes,
    context: &RowContext<'_>,
) -> Result<Option<Event>, Refusal> {
    let mut address = None;
    let mut amount = 1.0;
    let event_time = happened(declared, measure, row, times)?;
    match measure.counting {
        Counting::Things => {}
        Counting::Sum(column) => {
            amount = row.number(column).unwrap_or_default();
            if amount < 0.0 {
                let value = amount.to_string();
                return Err(Refusal::about(Reason::NegativeAmount, column, &value));
            }
        }
        Counting::Distinct(text) => {
            let thing = text.of(row);
            address = match entity_kind(declared, text) {
                _ if thing.is_empty() => None,
                Some(kind) => context.pseudonyms.entity(kind, &thing, event_time),
                None => Some(context.pseudonyms.thing(&thing)),
            };
            if address.is_none() {
                return Ok(None);
            }
        }
    }
    let labelled =
        |text: Option<Text>| text.map_or_else(String::new, |text| label(Some(&text.of(row))));
    Ok(Some(Event {
        severity: labelled(measure.severity),
        product: labelled(measure.product),
        tactic: labelled(measure.tactic),
        address,
        amount,
        ..blank(key, event_time, times)
    }))
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

fn happened(
    declared: &TableDeclaration,
    measure: &MeasureDeclaration,
    row: &Named<'_>,
    times: RowTimes,
) -> Result<i64, Refusal> {
    let column = match declared.identity {
        Identity::First {
            made: Some(made), ..
        } => made,
        _ => measure.at,
    };
    if column == "TimeGenerated" {
        return Ok(times.generated);
    }
    let Some((at, name)) = row.place(column) else {
        return Ok(times.generated);
    };
    let moment = row.record.moment(at, name)?.unwrap_or(times.generated);
    plausible_event(name, moment, times)?;
    Ok(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_identifier_that_is_counted_has_a_kind() {
        for declared in SentinelTable::ALL.map(table) {
            for measure in declared.measures {
                let Counting::Distinct(text) = measure.counting else {
                    continue;
                };
                let columns = text.columns();
                let names = declared.identifiers().any(|name| columns.contains(&name));
                let kind = entity_kind(declared, text);
                assert_eq!(kind.is_some(), names, "{}: {columns:?}", declared.table);
            }
        }
    }
}
