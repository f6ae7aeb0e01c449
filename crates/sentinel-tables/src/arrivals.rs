//! What to ask for anew: KQL that finds which days new rows belong to, and how late rows come in.

use foretide_domain::{Measure, SentinelTable};

use crate::declaration::{Identity, TableDeclaration};
use crate::declared;
use crate::kql::{head, keyed, known, line, values};

/// Upper ends of the classes of arrival lag, minutes; what is later still is in the last.
const LAG_CLASSES: [u32; 15] = [
    1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1_440, 2_880, 10_080, 43_200, 1_000_000,
];

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
fn moved(query: &mut String, table: &TableDeclaration, key: &'static str, made: &str) {
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
fn of_touched(query: &mut String, table: &TableDeclaration, key: &'static str) {
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
