//! From a declaration to KQL.
//!
//! Every query is text with names that the caller binds by `let` before it; a query says which in
//! its second line. `ingestion_time()` decides what a run may see, as `_ArrivalTime` does in
//! exported files.

use std::fmt::Write;

use foretide_domain::{Measure, SentinelTable};

use crate::declaration::{Counting, Identity, MeasureDeclaration, TableDeclaration};
use crate::declared;

/// A row may tell of something up to a day before it happened (clocks differ).
const SKEW: &str = "1d";
/// Upper ends of the classes of arrival lag, minutes; what is later still is in the last.
pub(crate) const LAG_CLASSES: [u32; 15] = [
    1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1_440, 2_880, 10_080, 43_200, 1_000_000,
];

/// A query with its name, as it lies under `kql/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Path under `kql/`, without the ending.
    pub name: String,
    /// The text.
    pub text: String,
}

/// Every query there is.
#[must_use]
pub fn statements() -> Vec<Statement> {
    let counts = Measure::ALL.map(|measure| Statement {
        name: format!("counts/{measure}"),
        text: count_query(measure),
    });
    let arrivals = Measure::ALL.map(|measure| Statement {
        name: format!("arrivals/{measure}"),
        text: arrivals_query(measure),
    });
    let newest = SentinelTable::ALL.map(|table| Statement {
        name: format!("newest/{table}"),
        text: newest_query(table),
    });
    counts.into_iter().chain(arrivals).chain(newest).collect()
}

/// A query of a name, if there is one.
#[must_use]
pub fn statement(name: &str) -> Option<Statement> {
    statements()
        .into_iter()
        .find(|statement| statement.name == name)
}

/// Counts a measure over `[windowStart, windowEnd)` as known at `asOf`. Answers with `Hour`,
/// `Value` and the labels there are.
#[must_use]
pub fn count_query(measure: Measure) -> String {
    let table = declared::table(measure.table());
    let declared = declared::measure(measure);
    let mut query = head(
        declared.what,
        "windowStart: datetime, windowEnd: datetime, asOf: datetime",
    );
    line(&mut query, table.table.name());
    match table.identity {
        Identity::EachRow => each_row(&mut query, declared),
        Identity::Latest { key } => latest(&mut query, declared, key),
        Identity::First { key, made } => first(&mut query, declared, key, made),
    }
    for condition in declared.only {
        line(&mut query, &format!("| where {}", condition.kql()));
    }
    let at = match table.identity {
        Identity::First { .. } => "At",
        _ => declared.at,
    };
    summarize(&mut query, declared, at);
    query
}

fn head(what: &str, parameters: &str) -> String {
    format!("// {what}\n// parameters: {parameters}\n")
}

fn line(query: &mut String, text: &str) {
    writeln!(query, "{text}").expect("a string takes all text");
}

fn each_row(query: &mut String, declared: &MeasureDeclaration) {
    let at = declared.at;
    if at == "TimeGenerated" {
        line(
            query,
            "| where TimeGenerated >= windowStart and TimeGenerated < windowEnd",
        );
    } else {
        line(
            query,
            &format!("| where TimeGenerated >= windowStart - {SKEW}"),
        );
        line(
            query,
            &format!("| where {at} >= windowStart and {at} < windowEnd"),
        );
    }
    line(query, "| where ingestion_time() <= asOf");
}

fn latest(query: &mut String, declared: &MeasureDeclaration, key: &str) {
    let at = declared.at;
    line(
        query,
        &format!("| where TimeGenerated >= windowStart - {SKEW}"),
    );
    line(
        query,
        &format!("| where ingestion_time() <= asOf and isnotempty({key})"),
    );
    let mut columns = used(declared);
    columns.insert(0, at);
    line(
        query,
        &format!(
            "| summarize arg_max(TimeGenerated, {}) by {key}",
            columns.join(", ")
        ),
    );
    line(
        query,
        &format!("| where {at} >= windowStart and {at} < windowEnd"),
    );
}

fn first(query: &mut String, declared: &MeasureDeclaration, key: &str, made: Option<&str>) {
    let days = Identity::REPEATED_WITHIN_DAYS;
    line(
        query,
        &format!("| where TimeGenerated >= windowStart - {days}d"),
    );
    line(
        query,
        &format!("| where ingestion_time() <= asOf and isnotempty({key})"),
    );
    let columns = used(declared);
    let mut kept = Vec::new();
    if !columns.is_empty() {
        kept.push(format!("arg_max(TimeGenerated, {})", columns.join(", ")));
    }
    kept.push("FirstSeen = min(TimeGenerated)".to_owned());
    let at = match made {
        Some(made) => {
            kept.push(format!("Made = min({made})"));
            "coalesce(Made, FirstSeen)"
        }
        None => "FirstSeen",
    };
    line(query, &format!("| summarize {} by {key}", kept.join(", ")));
    line(query, &format!("| extend At = {at}"));
    line(query, "| where At >= windowStart and At < windowEnd");
}

/// The columns of conditions, labels and values, each once.
fn used(declared: &MeasureDeclaration) -> Vec<&'static str> {
    let mut columns: Vec<&'static str> = Vec::new();
    let conditions = declared.only.iter().flat_map(crate::Condition::columns);
    let labels = declared.labels().flat_map(|(_, text)| text.columns());
    for column in conditions.chain(labels) {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    columns
}

fn summarize(query: &mut String, declared: &MeasureDeclaration, at: &str) {
    let hour = if declared.measure.is_daily() {
        format!("Hour = startofday({at})")
    } else {
        format!("Hour = bin({at}, 1h)")
    };
    for (name, text) in declared.labels() {
        line(query, &format!("| extend {name} = {}", text.kql()));
    }
    let labels = declared.labels().map(|(name, _)| name.to_owned());
    let groups: Vec<String> = std::iter::once(hour).chain(labels).collect();
    match declared.counting {
        Counting::Things => line(
            query,
            &format!("| summarize Value = count() by {}", groups.join(", ")),
        ),
        Counting::Sum(column) => line(
            query,
            &format!("| summarize Value = sum({column}) by {}", groups.join(", ")),
        ),
        Counting::Distinct(thing) => {
            let names: Vec<&str> = std::iter::once("Hour")
                .chain(declared.labels().map(|(name, _)| name))
                .collect();
            line(query, &format!("| extend Thing = {}", thing.kql()));
            line(query, "| where isnotempty(Thing)");
            line(
                query,
                &format!("| summarize by {}, Thing", groups.join(", ")),
            );
            line(
                query,
                &format!("| summarize Value = count() by {}", names.join(", ")),
            );
        }
    }
}

/// The days of a measure that rows ingested in `(ingestedAfter, asOf]` may have changed, none before
/// `notBefore`. Answers with `Day` and `Rows`.
#[must_use]
pub fn arrivals_query(measure: Measure) -> String {
    let table = declared::table(measure.table());
    let declared = declared::measure(measure);
    let mut query = head(
        &format!("days that new rows may have changed: {}", declared.what),
        "ingestedAfter: datetime, asOf: datetime, notBefore: datetime",
    );
    let name = table.table.name();
    let at = declared.at;
    match table.identity {
        Identity::EachRow => {
            line(&mut query, name);
            arrived(&mut query);
            line(
                &mut query,
                &format!("| summarize Rows = count() by Day = startofday({at})"),
            );
        }
        Identity::Latest { key } => {
            touched(&mut query, name, key, "");
            line(&mut query, &format!("| where isnotnull({at})"));
            line(
                &mut query,
                &format!("| summarize Rows = count() by Day = startofday({at})"),
            );
        }
        Identity::First { key, made } => {
            // A thing that is only told of again changes nothing, unless labels can have changed.
            let is_settled = made.is_some() && used(declared).is_empty();
            let only_new = "| summarize FirstIngested = min(ingestion_time()) by ";
            let filter = if is_settled { only_new } else { "" };
            touched(&mut query, name, key, filter);
            let at = made.map_or_else(
                || "TimeGenerated".to_owned(),
                |made| format!("coalesce({made}, TimeGenerated)"),
            );
            line(
                &mut query,
                &format!("| summarize Rows = count() by Day = startofday({at})"),
            );
        }
    }
    line(&mut query, "| where Day >= notBefore");
    query
}

fn arrived(query: &mut String) {
    line(query, "| where TimeGenerated >= notBefore");
    line(
        query,
        "| where ingestion_time() > ingestedAfter and ingestion_time() <= asOf",
    );
}

/// All rows of the things of which a row has come in; with `only_new`, of those that were not there
/// before.
fn touched(query: &mut String, table: &str, key: &str, only_new: &str) {
    line(query, &format!("let touched = {table}"));
    if only_new.is_empty() {
        arrived(query);
        line(query, &format!("| summarize by {key};"));
    } else {
        line(
            query,
            "| where TimeGenerated >= notBefore and ingestion_time() <= asOf",
        );
        line(query, &format!("{only_new}{key}"));
        line(query, "| where FirstIngested > ingestedAfter");
        line(query, &format!("| project {key};"));
    }
    line(query, table);
    line(
        query,
        "| where TimeGenerated >= notBefore and ingestion_time() <= asOf",
    );
    line(query, &format!("| where {key} in (touched)"));
}

/// How late the rows ingested in `(ingestedAfter, asOf]` were, and the newest of them. Answers with
/// `UpTo` (a class of lag, minutes), `Rows` and `Newest`.
#[must_use]
pub fn newest_query(table: SentinelTable) -> String {
    let declared = declared::table(table);
    let mut query = head(
        &format!("how late rows come in, and the newest: {}", declared.what),
        "ingestedAfter: datetime, asOf: datetime, notBefore: datetime",
    );
    let at = lag_from(declared);
    line(&mut query, table.name());
    arrived(&mut query);
    line(
        &mut query,
        &format!("| extend LagMinutes = (ingestion_time() - {at}) / 1m"),
    );
    let (last, classes) = LAG_CLASSES.split_last().expect("there are classes");
    let cases: Vec<String> = classes
        .iter()
        .map(|upper| format!("LagMinutes <= {upper}, {upper}"))
        .collect();
    line(
        &mut query,
        &format!(
            "| summarize Rows = count(), Newest = max({at}) by UpTo = case({}, {last})",
            cases.join(", ")
        ),
    );
    query
}

/// From when lag is counted: from what is counted, where every row is a thing of its own.
fn lag_from(declared: &TableDeclaration) -> &'static str {
    match (declared.identity, declared.measures.first()) {
        (Identity::EachRow, Some(measure)) => measure.at,
        _ => "TimeGenerated",
    }
}
