//! Comma-separated rows, whose dates may be written as people's locales write them.

use std::borrow::Cow;
use std::io::BufRead;
use std::ops::ControlFlow;

use super::lines::{Line, fields, next_record};
use super::object::{ObjectError, Task, broken, require};
use super::taker::{Findings, Taker};
use crate::rows::{DateOrder, Reason, Record, Refusal, Scalar, parse_local_time, parse_time};

/// A record below the header.
struct Row<'a> {
    /// Where it begins.
    position: u64,
    /// Its first line, from 1.
    line: u64,
    record: Line,
    raw: &'a [u8],
    /// For every field of the file, which column of the plan it is.
    places: &'a [Option<usize>],
}

/// Reads the rows; their dates are written as was judged beforehand.
pub(super) fn csv(text: &mut dyn BufRead, task: &Task) -> Result<Findings, ObjectError> {
    let mut taker = Taker::new(&task.plan, task.resume);
    let (position, lines) = each_row(text, task, |row| {
        take(&mut taker, task, &row);
        ControlFlow::Continue(())
    })?;
    Ok(taker.finish(position, lines))
}

/// Which number of the dates is the day, judged over the whole text; nothing where every date tells by
/// itself. The first time that is written as by a machine ends the look: such files hold no others.
///
/// # Errors
/// When both orders are possible and none is configured, when the dates contradict each other, or when
/// no row has a time that can be read.
pub(super) fn judged(
    text: &mut dyn BufRead,
    task: &Task,
) -> Result<Option<DateOrder>, ObjectError> {
    let mut dates = Dates::default();
    each_row(text, task, |row| {
        let parts = fields(row.raw);
        let Ok(record) = csv_record(parts.as_deref(), &row) else {
            return ControlFlow::Continue(());
        };
        dates.look(&record, task, row.record.is_complete)
    })?;
    dates.order(task.plan.dates)
}

/// What the times of a text look like.
#[derive(Debug, Default)]
struct Dates {
    day_first: Option<String>,
    month_first: Option<String>,
    /// The first date that may be meant either way.
    either: Option<String>,
    /// A date that means the same day either way.
    same: Option<String>,
    /// The first time that cannot be read.
    unreadable: Option<String>,
    is_readable: bool,
}

impl Dates {
    fn look(&mut self, record: &Record<'_>, task: &Task, is_complete: bool) -> ControlFlow<()> {
        for column in &task.plan.moments {
            let Scalar::Text(text) = &record.values[*column] else {
                continue;
            };
            let is_required = *column == task.plan.required;
            if parse_time(text.trim()).is_some() {
                self.is_readable |= is_required;
                if is_required {
                    return ControlFlow::Break(());
                }
            } else if let Some(time) = parse_local_time(text.trim()) {
                self.is_readable |= is_required;
                let place = match time.order() {
                    Some(DateOrder::DayFirst) => &mut self.day_first,
                    Some(DateOrder::MonthFirst) => &mut self.month_first,
                    None if time.is_same_in_both() => &mut self.same,
                    None => &mut self.either,
                };
                place.get_or_insert_with(|| text.trim().to_owned());
            } else if is_required && is_complete && !text.trim().is_empty() {
                self.unreadable
                    .get_or_insert_with(|| text.trim().to_owned());
            }
        }
        ControlFlow::Continue(())
    }

    fn order(self, configured: Option<DateOrder>) -> Result<Option<DateOrder>, ObjectError> {
        let refused =
            |reason, problem: &str| Err(ObjectError::Refused(Refusal::of_object(reason, problem)));
        match (self.day_first, self.month_first, self.either) {
            (Some(day), Some(month), _) => refused(
                Reason::UnclearDates,
                &format!("{day} has its day first and {month} its month: export the rows anew"),
            ),
            (Some(_), None, _) => Ok(Some(DateOrder::DayFirst)),
            (None, Some(_), _) => Ok(Some(DateOrder::MonthFirst)),
            (None, None, Some(date)) => match configured {
                Some(order) => Ok(Some(order)),
                None => refused(
                    Reason::UnclearDates,
                    &format!(
                        "no date tells whether {date} has its day or its month first: set \
                         ingestion.files.date_order to day_first or month_first"
                    ),
                ),
            },
            (None, None, None) => match self.unreadable {
                Some(time) if !self.is_readable => refused(
                    Reason::BadTime,
                    &format!("no row has a time that can be read, the first is {time}"),
                ),
                _ => Ok(self.same.map(|_| DateOrder::DayFirst)),
            },
        }
    }
}

/// Calls with every row below the header until told to stop. Returns where the text ends, in bytes and
/// lines.
fn each_row(
    text: &mut dyn BufRead,
    task: &Task,
    mut visit: impl FnMut(Row<'_>) -> ControlFlow<()>,
) -> Result<(u64, u64), ObjectError> {
    let mut buffer = Vec::with_capacity(4096);
    let mut header: Option<Vec<Option<usize>>> = None;
    let (mut position, mut lines) = (0, 0);
    while let Some(record) = next_record(text, &mut buffer).map_err(|error| broken(task, &error))? {
        let (begin, line) = (position, lines + 1);
        position += record.length;
        lines += record.breaks.max(1);
        if buffer.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let Some(places) = &header else {
            header = Some(header_of(&buffer, task)?);
            continue;
        };
        let row = Row {
            position: begin,
            line,
            record,
            raw: &buffer,
            places,
        };
        if visit(row).is_break() {
            break;
        }
    }
    Ok((position, lines))
}

fn take(taker: &mut Taker<'_>, task: &Task, row: &Row<'_>) {
    if row.record.is_oversized {
        let refusal = Refusal::of_row(Reason::OversizedLine, row.raw);
        taker.row(row.position, row.line, Err(refusal), row.raw);
        return;
    }
    let parts = fields(row.raw);
    let record = csv_record(parts.as_deref(), row);
    if !row.record.is_complete && record.is_err() {
        taker.incomplete(row.position, row.line, row.raw, task.is_settled);
        return;
    }
    let record = record.map(|record| with_moments(record, task));
    taker.row(row.position, row.line, record, row.raw);
}

/// Puts moments in place of dates that end with their year.
fn with_moments<'a>(mut record: Record<'a>, task: &Task) -> Record<'a> {
    let Some(order) = task.dates else {
        return record;
    };
    for column in &task.plan.moments {
        let Scalar::Text(text) = &record.values[*column] else {
            continue;
        };
        let time = parse_local_time(text.trim());
        if let Some(moment) = time.and_then(|time| time.millis(order)) {
            record.values[*column] = Scalar::Moment(moment);
        }
    }
    record
}

/// For every field of the file, which column of the plan it is.
fn header_of(raw: &[u8], task: &Task) -> Result<Vec<Option<usize>>, ObjectError> {
    let raw = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw);
    let malformed = || ObjectError::Refused(Refusal::of_row(Reason::MalformedCsv, raw));
    let names = fields(raw).ok_or_else(malformed)?;
    let places = names
        .iter()
        .map(|name| place(name, task))
        .collect::<Result<Vec<_>, _>>()?;
    require(&task.plan, |column| places.contains(&Some(column)))?;
    Ok(places)
}

/// Which column a name stands for: its own, or followed by the zone of its times, as in
/// `TimeGenerated [UTC]`.
fn place(name: &[u8], task: &Task) -> Result<Option<usize>, ObjectError> {
    let find = |name: &[u8]| {
        let wanted = |known: &String| !known.is_empty() && known.as_bytes() == name.trim_ascii();
        task.plan.names.iter().position(wanted)
    };
    if let Some(column) = find(name) {
        return Ok(Some(column));
    }
    let text = String::from_utf8_lossy(name);
    let with_zone = text
        .trim()
        .strip_suffix(']')
        .and_then(|text| text.split_once('['));
    let Some((name, zone)) = with_zone else {
        return Ok(None);
    };
    match find(name.as_bytes()) {
        Some(column) if zone != "UTC" && task.plan.moments.contains(&column) => {
            Err(ObjectError::Refused(Refusal::of_object(
                Reason::BadTime,
                &format!(
                    "the times of {} are in {zone}: set the portal's time zone to UTC and export anew",
                    name.trim()
                ),
            )))
        }
        column => Ok(column),
    }
}

fn csv_record<'a>(parts: Option<&'a [Vec<u8>]>, row: &Row<'_>) -> Result<Record<'a>, Refusal> {
    let parts = parts
        .filter(|parts| parts.len() == row.places.len())
        .ok_or_else(|| Refusal::of_row(Reason::MalformedCsv, row.raw))?;
    let mut record = Record::default();
    for (part, place) in parts.iter().zip(row.places) {
        let Some(column) = place else { continue };
        let text =
            std::str::from_utf8(part).map_err(|_| Refusal::of_row(Reason::NotUtf8, row.raw))?;
        if !text.is_empty() {
            record.values[*column] = Scalar::Text(Cow::Borrowed(text));
        }
    }
    Ok(record)
}
