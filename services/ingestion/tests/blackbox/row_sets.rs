//! Small sets of rows as hostile as real ones: nulls, ties, repeats, renames, merges, odd values. The
//! same seed gives the same rows.

use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::SentinelTable;
use foretide_sentinel_tables::{Column, Condition, Kind, table};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};

use crate::kql_agrees::literal;

/// Texts that are odd anywhere.
const ODD: [&str; 8] = [
    "",
    " ",
    "0",
    " 0 ",
    "50126",
    "Alpha",
    " Beta ",
    "Gamma, Delta",
];
const SEVERITIES: [&str; 7] = [
    "High",
    " high ",
    "Critical",
    "medium",
    "LOW",
    "Informational",
    "Purple",
];
const LISTED: [&str; 8] = [
    r#"["InitialAccess","Execution"]"#,
    "InitialAccess, Execution",
    " Execution ",
    "[]",
    "InitialAccess,",
    ", Impact",
    r#"[ "Impact" ]"#,
    "Unknown",
];
const NAMES: [&str; 7] = [
    "CONTOSO\\a",
    "contoso\\A",
    " contoso\\a ",
    "-",
    "",
    "b",
    "B",
];
const ADDRESSES: [&str; 26] = [
    "8.8.8.8",
    " 8.8.8.8 ",
    "8.8.8.8:443",
    "::ffff:8.8.8.8",
    "::FFFF:808:808",
    "10.1.1.1",
    "::ffff:10.1.1.1",
    "172.16.0.1",
    "172.32.0.1",
    "169.254.1.1",
    "224.0.0.1",
    "240.0.0.1",
    "0.0.0.0",
    "255.255.255.255",
    "999.1.1.1",
    "01.2.3.4",
    "1.2.3",
    "2001:DB8::1",
    "2001:0db8:0:0:0:0:0:1",
    "[2001:db8::1]:443",
    "2001:db8::1%eth0",
    "2001:db8:::1",
    "fe80::1%eth0",
    "fd00::1",
    "::",
    "-",
];
const UNITS: [&str; 6] = ["MBytes", "GBytes", "kb", " Bytes ", "", "Bananas"];

/// Sets of rows of every table.
pub(crate) struct RowSets {
    seed: u64,
    sets: u32,
    start: DateTime<Utc>,
}

impl RowSets {
    /// Sets whose rows are logged in the six days from `start` on.
    pub(crate) fn new(seed: u64, sets: u32, start: DateTime<Utc>) -> Self {
        Self { seed, sets, start }
    }

    /// The rows of all sets, set by set. Each set has things of its own.
    pub(crate) fn rows(&self, name: SentinelTable) -> Vec<String> {
        let at = SentinelTable::ALL.iter().position(|known| *known == name);
        let at = u64::try_from(at.unwrap_or_default()).unwrap();
        let sets = (0..self.sets).flat_map(|set| {
            let seed = self.seed ^ (u64::from(set) << 8) ^ (at << 48);
            let mut source = StdRng::seed_from_u64(seed);
            let count = source.random_range(1..9);
            let mut rows: Vec<String> = (0..count)
                .map(|_| self.row(name, set, &mut source).to_string())
                .collect();
            if source.random_range(0..4) == 0 {
                rows.extend(rows.last().cloned());
            }
            rows
        });
        sets.collect()
    }

    fn row(&self, name: SentinelTable, set: u32, source: &mut StdRng) -> Value {
        let declared = table(name);
        // few moments, so that rows meet in them
        let quarter = TimeDelta::minutes(15 * i64::from(set % 96));
        let hours = TimeDelta::hours(12 * source.random_range(0..10));
        let generated = self.start + quarter + hours;
        let lag = match source.random_range(0..4) {
            0 => source.random_range(0..3 * 86_400),
            _ => source.random_range(0..600),
        };
        let mut row = Map::new();
        row.insert("TimeGenerated".into(), literal(generated).into());
        let arrived = generated + TimeDelta::seconds(lag);
        row.insert("_ArrivalTime".into(), literal(arrived).into());
        for column in declared.columns.iter().skip(1) {
            let is_key = declared.identity.key() == Some(column.name);
            let value = if is_key {
                match source.random_range(0..20) {
                    0 => Value::Null,
                    1 => " ".into(),
                    2..5 => format!(" set{set}-0 ").into(),
                    _ => format!("set{set}-{}", source.random_range(0..2)).into(),
                }
            } else {
                any_value(name, column, generated, source)
            };
            row.insert(column.name.to_owned(), value);
        }
        Value::Object(row)
    }
}

fn one_of<'v>(values: &[&'v str], source: &mut StdRng) -> &'v str {
    values[source.random_range(0..values.len())]
}

fn any_value(
    name: SentinelTable,
    column: &Column,
    generated: DateTime<Utc>,
    source: &mut StdRng,
) -> Value {
    let is_null = source.random_range(0..12) == 0;
    if is_null && !(column.name == "CreatedTime" && source.random_range(0..3) > 0) {
        return Value::Null;
    }
    match column.kind {
        Kind::Text => any_text(name, column.name, source),
        Kind::Moment => {
            let minutes = match source.random_range(0..16) {
                0 => 60 * 30,
                1 => 60 * 5,
                2 => -60 * 24 * 12_000,
                3..6 => 0,
                _ => -60 * source.random_range(0..30),
            };
            literal(generated + TimeDelta::minutes(minutes)).into()
        }
        Kind::Int | Kind::Long => match telling(name, column.name).as_slice() {
            [] => source.random_range(-1..4_i64).into(),
            values => {
                let value = one_of(values, source).parse::<i64>().unwrap();
                (value + i64::from(source.random_range(0..4) == 0)).into()
            }
        },
        Kind::Real => (f64::from(source.random_range(-1..40_i32)) / 4.0).into(),
        Kind::Dynamic if column.name == "Labels" => any_labels(source),
        Kind::Dynamic => any_details(source),
    }
}

/// The values that conditions on a column ask for.
fn telling(name: SentinelTable, column: &str) -> Vec<&'static str> {
    let declared = table(name);
    let conditions = declared.measures.iter().flat_map(|measure| measure.only);
    let values = conditions
        .chain(declared.never)
        .filter_map(|condition| match condition {
            Condition::OneOf(text, values) if text.columns().contains(&column) => {
                Some(values.to_vec())
            }
            Condition::Starting(text, beginning) if text.columns().contains(&column) => {
                Some(vec![beginning])
            }
            _ => None,
        });
    values.flatten().collect()
}

fn any_text(name: SentinelTable, column: &str, source: &mut StdRng) -> Value {
    let value = match column {
        "SourceIP" | "IPAddress" => one_of(&ADDRESSES, source).to_owned(),
        "QuantityUnit" => one_of(&UNITS, source).to_owned(),
        "TargetAccount" | "DeviceId" | "AccountObjectId" => one_of(&NAMES, source).to_owned(),
        "Tactics" => one_of(&LISTED, source).to_owned(),
        "Severity" | "AlertSeverity" => one_of(&SEVERITIES, source).to_owned(),
        "ResultType" if source.random_range(0..4) == 0 => return 50_126.into(),
        _ => match telling(name, column).as_slice() {
            [] => one_of(&ODD, source).to_owned(),
            values => {
                let value = one_of(values, source);
                let is_ours = matches!(column, "Title" | "AlertName");
                match source.random_range(0..if is_ours { 12 } else { 6 }) {
                    0 => value.to_lowercase(),
                    1 => format!(" {value} a"),
                    2 => format!("{value} surge"),
                    3 => value.to_uppercase(),
                    4 => format!(" {value} "),
                    5 if !is_ours => value.to_owned(),
                    _ => one_of(&ODD, source).to_owned(),
                }
            }
        },
    };
    value.into()
}

fn any_labels(source: &mut StdRng) -> Value {
    match source.random_range(0..12) {
        0 => json!([{"labelName": "Redirected", "labelType": "User"}]),
        1 => json!([{"labelName": "vip"}, {"labelType": "User", "labelName": "Redirected"}]),
        2 => json!([{"labelName": "redirected"}]),
        3 => json!([{"labelName": "Redirected by Ada", "labelType": "Redirected"}]),
        4 => json!({}),
        _ => json!([]),
    }
}

fn any_details(source: &mut StdRng) -> Value {
    match source.random_range(0..9) {
        0 => json!({}),
        1 => json!({"alertProductNames": [], "tactics": []}),
        2 => json!({"alertProductNames": ["", "X"], "tactics": [null, "T2"]}),
        3 => json!({"alertProductNames": "NotAList", "tactics": "T"}),
        4 => json!({"alertProductNames": [" P "], "alertsCount": 2}),
        5 => json!({"alertProductNames": [17], "tactics": ["T1", "T2"]}),
        _ => json!({"alertProductNames": ["Defender", "X"], "tactics": ["Impact"]}),
    }
}

#[test]
fn row_sets_hold_what_is_hard() {
    let sets = RowSets::new(1, 200, "2026-11-02T00:00:00Z".parse().unwrap());
    let incidents = sets.rows(SentinelTable::SecurityIncident).join("\n");
    for hard in [
        "\"Title\":\"Foretide: surge\"",
        "\"Title\":\" Foretide: a\"",
        "\"Title\":\"foretide:\"",
        "\"labelName\":\"Redirected\"",
        "\"CreatedTime\":null",
        "\"Severity\":\" high \"",
        "NotAList",
    ] {
        assert!(incidents.contains(hard), "{hard}");
    }
    assert_eq!(
        sets.rows(SentinelTable::SecurityIncident).join("\n"),
        incidents
    );
}
