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
fn known(table: &TableDeclaration, by: &str) -> String {
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

fn head(what: &str, parameters: &str) -> String {
    format!("// {what}\n// parameters: {parameters}\n")
}

fn line(query: &mut String, text: &str) {
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
fn values(table: &TableDeclaration, declared: &MeasureDeclaration) -> Vec<(&'static str, String)> {
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
    key: &str,
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
    key: &str,
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

fn keyed(query: &mut String, key: &str) {
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

/// The days of a measure that rows which came to be known in `(ingestedAfter, asOf]` may have
/// changed, none before `notBefore`. Answers with `Day` and `Rows`.
#[must_use]
pub fn arrivals_query(measure: Measure) -> String {
    let table = declared::table(measure.table());
    let declared = declared::measure(measure);
    let mut query = head(
        &format!("days that new rows may have changed: {}", declared.what),
        "ingestedAfter: datetime, asOf: datetime, notBefore: datetime",
    );
    let at = match table.identity {
        Identity::EachRow => {
            line(&mut query, table.table.name());
            came_in(&mut query, table);
            declared.at
        }
        Identity::Latest { key, .. } => {
            line(&mut query, &format!("let touched = {}", table.table));
            came_in(&mut query, table);
            keyed(&mut query, key);
            line(&mut query, "| summarize by Key;");
            of_touched(&mut query, table, key);
            line(&mut query, &format!("| where isnotnull({})", declared.at));
            declared.at
        }
        Identity::First { key, made } => {
            line(&mut query, &format!("let touched = {}", table.table));
            match made {
                // told of again without a change of when it was made, it changes nothing
                Some(made) if values(table, declared).is_empty() => {
                    moved(&mut query, table, key, made);
                }
                _ => {
                    came_in(&mut query, table);
                    keyed(&mut query, key);
                    line(&mut query, "| summarize by Key;");
                }
            }
            of_touched(&mut query, table, key);
            made.unwrap_or("TimeGenerated")
        }
    };
    let at = match at {
        "TimeGenerated" => at.to_owned(),
        at => format!("coalesce({at}, TimeGenerated)"),
    };
    line(
        &mut query,
        &format!("| summarize Rows = count() by Day = startofday({at})"),
    );
    line(&mut query, "| where Day >= notBefore");
    query
}

/// The rows that came to be known.
fn came_in(query: &mut String, table: &TableDeclaration) {
    line(query, "| where TimeGenerated >= notBefore");
    line(query, &format!("| where {}", known(table, "asOf")));
    line(
        query,
        &format!("| where not({})", known(table, "ingestedAfter")),
    );
}

/// The things that are new, or whose moment has changed.
fn moved(query: &mut String, table: &TableDeclaration, key: &str, made: &str) {
    line(query, "| where TimeGenerated >= notBefore");
    line(query, &format!("| where {}", known(table, "asOf")));
    keyed(query, key);
    line(
        query,
        &format!("| extend IsOld = {}", known(table, "ingestedAfter")),
    );
    line(
        query,
        &format!(
            "| extend OldMade = iff(IsOld, {made}, datetime(null)), OldSeen = iff(IsOld, TimeGenerated, datetime(null))"
        ),
    );
    line(
        query,
        &format!(
            "| summarize Made = min({made}), Seen = min(TimeGenerated), OldMade = min(OldMade), OldSeen = min(OldSeen) by Key"
        ),
    );
    line(
        query,
        "| where isnull(OldSeen) or coalesce(Made, Seen) != coalesce(OldMade, OldSeen)",
    );
    line(query, "| project Key;");
}

/// All rows of the things that were touched.
fn of_touched(query: &mut String, table: &TableDeclaration, key: &str) {
    line(query, table.table.name());
    line(query, "| where TimeGenerated >= notBefore");
    line(query, &format!("| where {}", known(table, "asOf")));
    keyed(query, key);
    line(query, "| where Key in (touched)");
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
    line(&mut query, "| where TimeGenerated >= notBefore");
    line(
        &mut query,
        "| where ingestion_time() > ingestedAfter and ingestion_time() <= asOf",
    );
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
