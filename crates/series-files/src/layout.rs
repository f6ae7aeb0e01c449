//! Which columns of a history hold what, by name and content, and how its numbers and times are
//! written.

use std::path::Path;

use foretide_local_times::DateOrder;

use crate::decimal::{self, Decimal};
use crate::error::{Place, SeriesFileError, quoted};
use crate::stamp::StampClock;
use crate::table::{Cell, Sampled, Table, empty};
use crate::time_format::{TimeFormat, is_time};
use crate::values::{self, Stamps};

/// What was said about how a file is laid out; what was not, is judged by the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LayoutOptions {
    /// The column of time stamps.
    pub time_column: Option<String>,
    /// The column of values.
    pub value_column: Option<String>,
    /// Columns that together name the series.
    pub id_columns: Vec<String>,
    /// What parts the values of a row of text.
    pub separator: Option<u8>,
    /// What parts whole numbers from their fraction in text.
    pub decimal: Option<Decimal>,
    /// Which number of a date that ends with its year is the day.
    pub date_order: Option<DateOrder>,
    /// The sheet of a workbook; the first otherwise.
    pub sheet: Option<String>,
}

/// Names that columns of times have, those that tell most first; `ds` is one whatever it holds.
const TIMES: [&str; 8] = [
    "ds",
    "timegenerated",
    "timestamp",
    "datetime",
    "date_time",
    "time",
    "_time",
    "date",
];

const VALUES: [&str; 7] = ["y", "value", "count", "count_", "events", "total", "n"];

const IDS: [&str; 4] = ["unique_id", "series_id", "item_id", "series"];

/// Names of a series' parts stand so between.
const BETWEEN: char = '/';

/// Where a history's times and values stand.
#[derive(Debug)]
pub(crate) struct Layout {
    time: usize,
    value: usize,
    format: TimeFormat,
    decimal: Decimal,
    /// Whether a row holds a series of its own, its times and values as arrays.
    has_arrays: bool,
    /// Whether the header says that times are in UTC.
    is_utc: bool,
    kinds: Vec<Kind>,
}

/// Where a history's names stand.
#[derive(Debug)]
pub(crate) enum Ids {
    /// In columns.
    Columns(Vec<usize>),
    /// The file has one series, which is called as it is.
    File(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Times,
    Numbers,
    Texts,
    /// Texts, not in every row.
    SomeTexts,
    Nothing,
}

impl Layout {
    /// Finds the columns of times and values.
    ///
    /// # Errors
    /// When one was named that is not there, none or several may be meant, or it cannot be told how
    /// dates or numbers are written.
    pub(crate) fn find(table: &Table, options: &LayoutOptions) -> Result<Self, SeriesFileError> {
        let head = table.head()?;
        let kinds: Vec<Kind> = head.iter().map(|column| kind(column)).collect();
        let time = match &options.time_column {
            Some(name) => named(table, name, "--time-column")?,
            None => by_name_or_content(
                table,
                &kinds,
                &TIMES,
                Kind::Times,
                &[],
                "time stamps",
                "--time-column",
            )?,
        };
        let value = match &options.value_column {
            Some(name) => named(table, name, "--value-column")?,
            None => by_name_or_content(
                table,
                &kinds,
                &VALUES,
                Kind::Numbers,
                &[time],
                "numbers",
                "--value-column",
            )?,
        };
        if head.iter().all(Vec::is_empty) {
            return Err(empty(table.path()));
        }
        let has_arrays = head[time].iter().any(|value| match value {
            Sampled::Text(text) => text.starts_with('['),
            _ => false,
        });
        let (format, decimal) = if has_arrays {
            (TimeFormat::Iso, Decimal::Point)
        } else {
            (
                TimeFormat::judge(table, time, &head[time], options.date_order)?,
                decimal::judge(table, value, &head[value], options.decimal)?,
            )
        };
        Ok(Self {
            time,
            value,
            format,
            decimal,
            has_arrays,
            is_utc: is_utc(&table.columns()[time]),
            kinds,
        })
    }

    /// Finds the columns that name the series.
    ///
    /// # Errors
    /// When one was named that is not there, or it is open which of several do.
    pub(crate) fn ids(
        &self,
        table: &Table,
        options: &LayoutOptions,
    ) -> Result<Ids, SeriesFileError> {
        if !options.id_columns.is_empty() {
            let places = options.id_columns.iter();
            let places = places.map(|name| named(table, name, "--id-columns"));
            return Ok(Ids::Columns(places.collect::<Result<_, _>>()?));
        }
        let is_free = |at: &usize| *at != self.time && *at != self.value;
        let known = IDS
            .iter()
            .find_map(|name| table.place(name).filter(is_free));
        if let Some(place) = known {
            return Ok(Ids::Columns(vec![place]));
        }
        let texts: Vec<usize> = (0..self.kinds.len())
            .filter(|at| is_free(at) && self.kinds[*at] == Kind::Texts)
            .collect();
        match texts.as_slice() {
            [] => Ok(Ids::File(stem(table.path()))),
            [_] => Ok(Ids::Columns(texts)),
            _ => Err(SeriesFileError::of_file(
                table.path(),
                format!("has several columns of text: {}", names(table, &texts)),
                "say which tell the series apart: --id-columns A,B",
            )),
        }
    }

    /// The columns to read: times, values, then those of names.
    pub(crate) fn columns(&self, ids: &Ids) -> Vec<usize> {
        let mut columns = vec![self.time, self.value];
        if let Ids::Columns(places) = ids {
            columns.extend(places);
        }
        columns
    }

    /// A reader of the time stamps.
    pub(crate) fn stamps(&self, table: &Table, clock: StampClock) -> Stamps {
        let column = &table.columns()[self.time];
        Stamps::new(table.path(), column, self.clock(clock), self.format.clone())
    }

    /// The clock of time stamps, of which the header may say that it is UTC.
    pub(crate) fn clock(&self, clock: StampClock) -> StampClock {
        if self.is_utc { StampClock::Utc } else { clock }
    }

    /// Whether the header says that times are in UTC.
    pub(crate) fn is_utc(&self) -> bool {
        self.is_utc
    }

    pub(crate) fn date_order(&self) -> Option<DateOrder> {
        self.format.order()
    }

    pub(crate) fn time_column<'a>(&self, table: &'a Table) -> &'a str {
        &table.columns()[self.time]
    }

    pub(crate) fn value_column<'a>(&self, table: &'a Table) -> &'a str {
        &table.columns()[self.value]
    }

    /// Calls `each` with time and value of every point of a row.
    pub(crate) fn each_point(
        &self,
        table: &Table,
        place: Place,
        cells: &[Cell<'_>],
        each: &mut dyn FnMut(Cell<'_>, Cell<'_>) -> Result<(), SeriesFileError>,
    ) -> Result<(), SeriesFileError> {
        match (cells[0], cells[1]) {
            (Cell::Text(times), Cell::Text(values)) if self.has_arrays => {
                let times = array(table, place, self.time, times)?;
                let values = array(table, place, self.value, values)?;
                if times.len() != values.len() {
                    let problem = format!("has {} times and {} values", times.len(), values.len());
                    let advice = "give as many of each";
                    return Err(SeriesFileError::of_place(
                        table.path(),
                        place,
                        problem,
                        advice,
                    ));
                }
                let pairs = times.iter().zip(&values);
                pairs
                    .into_iter()
                    .try_for_each(|(time, value)| each(element(time), element(value)))
            }
            (time, Cell::Text(text)) if self.decimal == Decimal::Comma => {
                let plain = decimal::plain(text);
                each(
                    time,
                    plain
                        .as_deref()
                        .map_or(Cell::Other(decimal::MIXED), Cell::Text),
                )
            }
            (time, value) => each(time, value),
        }
    }

    /// What is read as what, where the header is not `unique_id,ds,y` itself or dates had to be
    /// judged.
    pub(crate) fn described(&self, table: &Table, ids: &Ids) -> Option<String> {
        let name = |at: usize| table.columns()[at].as_str();
        let (time, value) = (name(self.time), name(self.value));
        let ids = match ids {
            Ids::Columns(places) => names(table, places),
            Ids::File(name) => format!("the file's name {}", quoted(name)),
        };
        let is_plain = (time, value, ids.as_str()) == ("ds", "y", "\"unique_id\"");
        if is_plain && self.format.order().is_none() {
            return None;
        }
        let order = match self.format.order() {
            Some(DateOrder::DayFirst) => ", dates with the day first",
            Some(DateOrder::MonthFirst) => ", dates with the month first",
            None => "",
        };
        Some(format!(
            "time is {}, value is {}, series are told apart by {ids}{order}",
            quoted(time),
            quoted(value)
        ))
    }
}

impl Ids {
    /// Puts the name of a row's series into `buffer`.
    pub(crate) fn name(
        &self,
        table: &Table,
        place: Place,
        cells: &[Cell<'_>],
        part: &mut String,
        buffer: &mut String,
    ) -> Result<(), SeriesFileError> {
        buffer.clear();
        match self {
            Self::File(name) => buffer.push_str(name),
            Self::Columns(places) => {
                for (at, (column, cell)) in places.iter().zip(cells).enumerate() {
                    values::id(table.path(), place, &table.columns()[*column], *cell, part)?;
                    if at > 0 {
                        buffer.push(BETWEEN);
                    }
                    buffer.push_str(part);
                }
            }
        }
        Ok(())
    }
}

/// A column by the name that was given for it.
fn named(table: &Table, name: &str, option: &str) -> Result<usize, SeriesFileError> {
    table.place(name).ok_or_else(|| {
        table.missing(
            &format!("no column {}", quoted(name)),
            format!("give {option} a name of the header"),
        )
    })
}

/// The column with the first of these names whose content is of the kind, or the only one of the kind.
fn by_name_or_content(
    table: &Table,
    kinds: &[Kind],
    known: &[&str],
    kind: Kind,
    taken: &[usize],
    what: &str,
    option: &str,
) -> Result<usize, SeriesFileError> {
    let called = |name: &&str| {
        let mut columns = table.columns().iter();
        columns.position(|column| without_zone(column).eq_ignore_ascii_case(name))
    };
    // The long format's own name needs no proof.
    if let Some(place) = called(&known[0]) {
        return Ok(place);
    }
    let places: Vec<usize> = known.iter().filter_map(called).collect();
    if let Some(place) = places.iter().find(|at| kinds[**at] == kind) {
        return Ok(*place);
    }
    let alike: Vec<usize> = (0..kinds.len())
        .filter(|at| kinds[*at] == kind && !taken.contains(at))
        .collect();
    match (alike.as_slice(), places.first()) {
        ([place], _) => Ok(*place),
        ([], Some(place)) => Ok(*place),
        ([], None) => Err(table.missing(
            &format!("no column {} and none of {what}", known[0]),
            format!(
                "name it with {option}; one column alone is parted with --separator ',', ';', '|' or \
                 tab"
            ),
        )),
        _ => Err(SeriesFileError::of_file(
            table.path(),
            format!("has several columns of {what}: {}", names(table, &alike)),
            format!("say which with {option}"),
        )),
    }
}

fn names(table: &Table, places: &[usize]) -> String {
    let names: Vec<_> = places
        .iter()
        .map(|at| quoted(&table.columns()[*at]))
        .collect();
    names.join(", ")
}

/// `TimeGenerated [UTC]`, as the portal exports it, without the zone.
fn without_zone(name: &str) -> &str {
    match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
        Some((name, _)) => name.trim(),
        None => name,
    }
}

fn is_utc(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with("[utc]")
}

/// What the first values of a column are.
fn kind(head: &[Sampled]) -> Kind {
    let there = || head.iter().filter(|value| **value != Sampled::Nothing);
    let all = |is_it: &dyn Fn(&Sampled) -> bool| there().all(is_it);
    let texts = |is_it: fn(&str) -> bool| move |value: &Sampled| matches!(value, Sampled::Text(text) if is_it(text));
    if there().next().is_none() {
        Kind::Nothing
    } else if all(&|value| *value == Sampled::Moment) || all(&texts(is_time_or_times)) {
        Kind::Times
    } else if all(&|value| matches!(value, Sampled::Number(_))) || all(&texts(is_number_or_numbers))
    {
        Kind::Numbers
    } else if there().count() == head.len() {
        Kind::Texts
    } else {
        Kind::SomeTexts
    }
}

fn is_time_or_times(text: &str) -> bool {
    match serde_json::from_str::<Vec<String>>(text) {
        Ok(times) => times.first().is_some_and(|time| is_time(time)),
        Err(_) => is_time(text),
    }
}

fn is_number_or_numbers(text: &str) -> bool {
    text.parse::<f64>().is_ok()
        || decimal::has_comma(text)
        || serde_json::from_str::<Vec<Option<f64>>>(text).is_ok()
}

/// The elements of an array, as KQL's `make-series` gives them.
fn array(
    table: &Table,
    place: Place,
    column: usize,
    text: &str,
) -> Result<Vec<serde_json::Value>, SeriesFileError> {
    serde_json::from_str(text).map_err(|error| {
        let problem = format!("is no array like the others: {error}");
        let column = &table.columns()[column];
        SeriesFileError::at(
            table.path(),
            place,
            column,
            problem,
            "export the rows again",
        )
    })
}

fn element(value: &serde_json::Value) -> Cell<'_> {
    match value {
        serde_json::Value::Null => Cell::Null,
        serde_json::Value::String(text) => Cell::Text(text),
        serde_json::Value::Number(number) => number.as_f64().map_or(Cell::Null, Cell::Number),
        _ => Cell::Other("a nested value"),
    }
}

/// A file's name without what says its format.
fn stem(path: &Path) -> String {
    const ENDINGS: [&str; 9] = [
        ".gz", ".csv", ".tsv", ".txt", ".parquet", ".xlsx", ".xls", ".xlsb", ".ods",
    ];
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy();
    let mut name = name.as_ref();
    for ending in ENDINGS {
        let at = name.len().saturating_sub(ending.len());
        if at > 0 && name.is_char_boundary(at) && name[at..].eq_ignore_ascii_case(ending) {
            name = &name[..at];
        }
    }
    name.to_owned()
}
