//! From a declaration to KQL.
//!
//! Every query is text with names that the caller binds by `let` before it; a query says which in
//! its second line. `ingestion_time()` decides what a run may see, as `_ArrivalTime` does in
//! exported files.

use std::fmt::Write;

use foretide_domain::{Measure, SentinelTable};

use crate::declaration::{
    Counting, Identity, MeasureDeclaration, Quantity, TableDeclaration, UNITS,
};
use crate::expression::one_of;
use crate::{Condition, Text, declared};

/// A row may tell of something up to a day before it happened (clocks differ): [`crate::SKEW_MS`].
const SKEW: &str = "1d";

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
    let at = match table.identity {
        Identity::EachRow => each_row(&mut query, table, declared),
        Identity::Latest { key, modified } => latest(&mut query, table, declared, key, modified),
        Identity::First { key, made } => first(&mut query, table, declared, key, made),
    };
    summarize(&mut query, declared, at);
    query
}

/// Incidents as they are created, and again when they turn out never to be counted, of rows that a
/// summary rule has narrowed down by `TimeGenerated`: what the content pack's readers count by. Answers
/// with `IncidentName`, `CreatedTime`, `Severity` and `Counted`.
#[must_use]
pub fn incidents_created_query() -> String {
    let table = declared::table(SentinelTable::SecurityIncident);
    let declared = declared::measure(Measure::Incidents);
    let mut query = "// Incidents as they are created, so that workbooks and hunts need not read SecurityIncident. An incident
// comes again when it is changed soon after, and whenever a row shows that it is not to be counted (Foretide's
// own, or merged into another): readers keep one row an IncidentName, and none that has a Counted of false.
"
    .to_owned();
    line(&mut query, table.table.name());
    for condition in soundness(table) {
        line(&mut query, &format!("| where {condition}"));
    }
    let (Identity::Latest { key, modified }, Some(severity)) = (table.identity, declared.severity)
    else {
        return query;
    };
    let values = values(table, declared);
    let never = values.iter().filter(|(name, _)| *name == "Never");
    let key = ("Key", Text::Column(key).kql());
    let level = ("Level", severity.kql());
    let modified = ("Modified", format!("coalesce({modified}, TimeGenerated)"));
    extend(&mut query, never.chain([&key, &level, &modified]));
    let at = declared.at;
    for step in [
        format!("| where TimeGenerated <= {at} + 2h or Never == 1"),
        "| summarize arg_max(Modified, CreatedTime, Level), Never = max(Never) by Key, TimeGenerated".to_owned(),
        "| summarize arg_max(TimeGenerated, CreatedTime, Level), Never = max(Never) by Key".to_owned(),
        "| project IncidentName = Key, CreatedTime, Severity = Level, Counted = Never == 0".to_owned(),
    ] {
        line(&mut query, &step);
    }
    query
}

/// Whether all that a row tells of had happened, and it could be read, by a moment.
pub(crate) fn known(table: &TableDeclaration, by: &str) -> String {
    let moments = table
        .moments()
        .map(|moment| format!(" and coalesce({moment}, TimeGenerated) <= {by}"));
    let moments: String = moments.collect();
    format!("ingestion_time() <= {by} and TimeGenerated <= {by}{moments}")
}

/// The rows that a count reads: known, and not set aside.
fn sound(query: &mut String, table: &TableDeclaration, look_back: &str) {
    line(
        query,
        &format!("| where TimeGenerated >= windowStart{look_back}"),
    );
    line(query, &format!("| where {}", known(table, "asOf")));
    for condition in soundness(table) {
        line(query, &format!("| where {condition}"));
    }
}

/// What a row must hold, or it is set aside: [`TableDeclaration::flaw`] as KQL.
fn soundness(table: &TableDeclaration) -> Vec<String> {
    let key = table.identity.key();
    let key = key.map(|key| format!("isnotempty({})", Text::Column(key).kql()));
    let required = table.required.iter();
    let required = required.map(|column| format!("isnotnull({column})"));
    let moments = table.moments().map(|moment| {
        format!(
            "isnull({moment}) or {moment} >= datetime(2000-01-01) and {moment} <= TimeGenerated + {SKEW}"
        )
    });
    let quantities = table.quantities().map(|quantity| {
        let column = quantity.column;
        let number = format!("isnotnull({column}) and {column} >= 0");
        let Some(unit) = quantity.unit else {
            return number;
        };
        let unit = Text::Column(unit).kql();
        let names: Vec<&str> = UNITS
            .iter()
            .flat_map(|(names, ..)| names.iter().copied())
            .collect();
        format!(
            "{number} and (isempty({unit}) or {})",
            one_of(&unit, &names)
        )
    });
    key.into_iter()
        .chain(required)
        .chain(moments)
        .chain(quantities)
        .collect()
}

pub(crate) fn head(what: &str, parameters: &str) -> String {
    format!("// {what}\n// parameters: {parameters}\n")
}

pub(crate) fn line(query: &mut String, text: &str) {
    writeln!(query, "{text}").expect("a string takes all text");
}

fn each_row(
    query: &mut String,
    table: &TableDeclaration,
    declared: &MeasureDeclaration,
) -> &'static str {
    let at = if declared.at == "TimeGenerated" {
        sound(query, table, "");
        "TimeGenerated"
    } else {
        sound(query, table, &format!(" - {SKEW}"));
        line(
            query,
            &format!("| extend At = coalesce({}, TimeGenerated)", declared.at),
        );
        "At"
    };
    line(
        query,
        &format!("| where {at} >= windowStart and {at} < windowEnd"),
    );
    for binding in bindings(declared) {
        line(query, &binding);
    }
    for condition in declared.only {
        line(query, &format!("| where {}", condition.kql()));
    }
    for (name, text) in declared.labels() {
        line(query, &format!("| extend {name} = {}", text.kql()));
    }
    at
}

/// What the texts of a measure need, each once.
fn bindings(declared: &MeasureDeclaration) -> Vec<String> {
    let conditions = declared.only.iter().filter_map(Condition::text);
    let distinct = match declared.counting {
        Counting::Distinct(text) => Some(text),
        Counting::Things | Counting::Sum(_) => None,
    };
    let mut bindings: Vec<String> = Vec::new();
    for binding in conditions.chain(distinct).flat_map(|text| text.bindings()) {
        if !bindings.contains(&binding) {
            bindings.push(binding);
        }
    }
    bindings
}

/// What is known of a thing besides when it happened, as names with their expressions over a row.
pub(crate) fn values(
    table: &TableDeclaration,
    declared: &MeasureDeclaration,
) -> Vec<(&'static str, String)> {
    let all = |conditions: &[Condition], word: &str| {
        let conditions: Vec<String> = conditions
            .iter()
            .map(|condition| format!("({})", condition.kql()))
            .collect();
        (!conditions.is_empty()).then(|| format!("toint({})", conditions.join(word)))
    };
    let never = all(table.never, " or ").map(|never| ("Never", never));
    let counts = all(declared.only, " and ").map(|counts| ("Counts", counts));
    let labels = declared.labels().map(|(name, text)| (name, text.kql()));
    never.into_iter().chain(counts).chain(labels).collect()
}

/// Of rows that cannot be told apart by age, the greatest of each value.
fn greatest(names: &[&str]) -> String {
    let kept = names.iter().map(|name| format!("{name} = max({name})"));
    kept.collect::<Vec<_>>().join(", ")
}

/// The values of the row with the greatest `version`, and whether any row says "never".
fn newest_values(version: &str, names: &[&str]) -> String {
    let (never, others): (Vec<&str>, Vec<&str>) =
        names.iter().copied().partition(|name| *name == "Never");
    let mut kept = Vec::new();
    if !others.is_empty() {
        kept.push(format!("arg_max({version}, {})", others.join(", ")));
    }
    if !never.is_empty() {
        kept.push(greatest(&never));
    }
    kept.join(", ")
}

fn latest(
    query: &mut String,
    table: &TableDeclaration,
    declared: &MeasureDeclaration,
    key: &'static str,
    modified: &str,
) -> &'static str {
    sound(query, table, &look_back());
    keyed(query, key);
    let values = values(table, declared);
    let modified = ("Modified", format!("coalesce({modified}, TimeGenerated)"));
    let at = ("At", declared.at.to_owned());
    extend(query, [&modified, &at].into_iter().chain(&values));
    let names: Vec<&str> = [at.0]
        .into_iter()
        .chain(values.iter().map(|value| value.0))
        .collect();
    let tied = greatest(&names);
    line(
        query,
        &format!("| summarize {tied} by Key, TimeGenerated, Modified"),
    );
    let modified = newest_values("Modified", &names);
    line(
        query,
        &format!("| summarize {modified} by Key, TimeGenerated"),
    );
    let generated = newest_values("TimeGenerated", &names);
    line(query, &format!("| summarize {generated} by Key"));
    counted(query, &names);
    "At"
}

fn first(
    query: &mut String,
    table: &TableDeclaration,
    declared: &MeasureDeclaration,
    key: &'static str,
    made: Option<&str>,
) -> &'static str {
    sound(query, table, &look_back());
    keyed(query, key);
    let values = values(table, declared);
    let names: Vec<&str> = values.iter().map(|value| value.0).collect();
    let made = made.map(|made| format!("Made = min({made})"));
    if !names.is_empty() {
        extend(query, values.iter());
        let tied = greatest(&names);
        line(query, &format!("| summarize {tied} by Key, TimeGenerated"));
    }
    let kept: Vec<String> = Some(newest_values("TimeGenerated", &names))
        .filter(|kept| !kept.is_empty())
        .into_iter()
        .chain(["Seen = min(TimeGenerated)".to_owned()])
        .chain(made.clone())
        .collect();
    line(query, &format!("| summarize {} by Key", kept.join(", ")));
    let at = if made.is_some() {
        "coalesce(Made, Seen)"
    } else {
        "Seen"
    };
    line(query, &format!("| extend At = {at}"));
    counted(query, &names);
    "At"
}

fn look_back() -> String {
    format!(" - {}d", Identity::REPEATED_WITHIN_DAYS)
}

pub(crate) fn keyed(query: &mut String, key: &'static str) {
    line(
        query,
        &format!("| extend Key = {}", Text::Column(key).kql()),
    );
}

fn extend<'v>(query: &mut String, values: impl Iterator<Item = &'v (&'static str, String)>) {
    for (name, value) in values.filter(|(name, value)| name != value) {
        line(query, &format!("| extend {name} = {value}"));
    }
}

fn counted(query: &mut String, names: &[&str]) {
    line(query, "| where At >= windowStart and At < windowEnd");
    for (name, wanted) in [("Never", 0), ("Counts", 1)] {
        if names.contains(&name) {
            line(query, &format!("| where {name} == {wanted}"));
        }
    }
}

fn summarize(query: &mut String, declared: &MeasureDeclaration, at: &str) {
    let hour = if declared.measure.is_daily() {
        format!("Hour = startofday({at})")
    } else {
        format!("Hour = bin({at}, 1h)")
    };
    let labels = declared.labels().map(|(name, _)| name.to_owned());
    let groups: Vec<String> = std::iter::once(hour).chain(labels).collect();
    match declared.counting {
        Counting::Things => line(
            query,
            &format!("| summarize Value = count() by {}", groups.join(", ")),
        ),
        Counting::Sum(quantity) => line(
            query,
            &format!(
                "| summarize Value = sum({}) by {}",
                amount(quantity),
                groups.join(", ")
            ),
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

/// A quantity in the unit of its measure.
fn amount(quantity: Quantity) -> String {
    let column = quantity.column;
    let Some(unit) = quantity.unit else {
        return column.to_owned();
    };
    let unit = Text::Column(unit).kql();
    let cases: Vec<String> = UNITS
        .iter()
        .filter(|(_, times, by)| times != by)
        .map(|(names, times, by)| format!("{}, {times}.0 / {by}.0", one_of(&unit, names)))
        .collect();
    format!("{column} * case({}, 1.0)", cases.join(", "))
}
