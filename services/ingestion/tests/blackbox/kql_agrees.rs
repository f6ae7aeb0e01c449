//! The counting in KQL and the counting from files agree, on a real KQL engine, for every table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use foretide_domain::{Measure, RunId, SentinelTable, TimeSpan};
use foretide_ingestion::Config;
use foretide_ingestion::config::FilesConfig;
use foretide_ingestion::source::Run;
use foretide_lake::buckets::BucketStore;
use foretide_sentinel_tables::{Condition, Kind, arrivals_query, count_query, newest_query, table};
use foretide_service_runtime::testing::TestContext;
use foretide_synthetic_workspace::{Plan, Workspace};
use foretide_test_support::{KqlEngine, or_skip};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};

type Counts = BTreeMap<(DateTime<Utc>, String, String, String), f64>;

/// Titles of Foretide's own incidents, and what only looks like one.
const OURS: [&str; 4] = [
    "Foretide:",
    "Foretide: predicted surge",
    "foretide: a",
    "On Foretide:",
];

fn literal(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Sound rows of the synthetic workspace, each once.
fn synthetic_rows(workspace: &Workspace, name: SentinelTable) -> Vec<String> {
    let mut lines: Vec<String> = workspace
        .rows(name)
        .iter()
        .map(|row| row.line.to_string())
        .filter(|line| {
            let row: Option<Value> = serde_json::from_str(line).ok();
            row.is_some_and(|row| {
                row["TimeGenerated"]
                    .as_str()
                    .is_some_and(|time| time.ends_with('Z'))
            })
        })
        .collect();
    lines.sort_unstable();
    lines.dedup();
    lines
}

/// Rows of any declared table: values that its conditions ask for, in any case, and others, with
/// spaces, empty, null and missing; things told of again; rows that come in late.
fn any_rows(name: SentinelTable, span: TimeSpan, source: &mut StdRng) -> Vec<String> {
    let declared = table(name);
    let mut telling: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for condition in declared.measures.iter().flat_map(|measure| measure.only) {
        let (text, values): (_, &[&str]) = match condition {
            Condition::OneOf(text, values) => (text, values),
            Condition::NotStarting(text, beginning) => {
                assert_eq!(*beginning, OURS[0]);
                (text, &OURS)
            }
            _ => continue,
        };
        for column in text.columns() {
            telling.entry(column).or_default().extend(values);
        }
    }
    (0..400)
        .map(|number| {
            let length = (span.end - span.start).num_milliseconds();
            let generated = span.start + TimeDelta::milliseconds(source.random_range(0..length));
            let lag = match source.random_range(0..4) {
                0 => source.random_range(0..3 * 86_400),
                _ => source.random_range(0..600),
            };
            let mut row = Map::new();
            row.insert("TimeGenerated".into(), literal(generated).into());
            let arrived = generated + TimeDelta::seconds(lag);
            row.insert("_ArrivalTime".into(), literal(arrived).into());
            row.insert("Row".into(), number.into());
            for column in declared.columns.iter().skip(1) {
                let is_key = declared.identity.key() == Some(column.name);
                let value = if is_key {
                    format!("thing-{}", source.random_range(0..150)).into()
                } else {
                    any_value(column.kind, telling.get(column.name), generated, source)
                };
                row.insert(column.name.to_owned(), value);
            }
            Value::Object(row).to_string()
        })
        .collect()
}

fn any_value(
    kind: Kind,
    telling: Option<&Vec<&str>>,
    generated: DateTime<Utc>,
    source: &mut StdRng,
) -> Value {
    if source.random_range(0..20) == 0 {
        return Value::Null;
    }
    match (kind, telling) {
        (Kind::Int, Some(values)) => match source.random_range(0..4) {
            0 => 4624.into(),
            _ => values[source.random_range(0..values.len())]
                .parse::<i64>()
                .unwrap()
                .into(),
        },
        (Kind::Text, Some(values)) => {
            let value = values[source.random_range(0..values.len())];
            match source.random_range(0..6) {
                0 => value.to_uppercase().into(),
                1 => format!(" {value} ").into(),
                2 => "something else".into(),
                _ => value.into(),
            }
        }
        (Kind::Text, None) => {
            let words = [
                "",
                " ",
                "0",
                "0 ",
                "50126",
                "Alpha",
                " Beta ",
                "Gamma, Delta",
            ];
            words[source.random_range(0..words.len())].into()
        }
        (Kind::Moment, _) => {
            let before = TimeDelta::minutes(source.random_range(0..180));
            literal(generated - before).into()
        }
        (Kind::Int | Kind::Long, None) => source.random_range(0..6_i64).into(),
        (Kind::Real, _) => f64::from(source.random_range(0..1000_u32)).into(),
        (Kind::Dynamic | Kind::Long, _) => json!({}),
    }
}

/// Rows of every table as plain files and as tables of the engine.
fn write_tables(workspace: &Workspace, folder: &Path) -> String {
    let mut script = String::new();
    let mut source = StdRng::seed_from_u64(20_261_123);
    let synthetic: BTreeSet<SentinelTable> = workspace.tables().collect();
    for name in SentinelTable::ALL {
        let lines = if synthetic.contains(&name) {
            synthetic_rows(workspace, name)
        } else {
            any_rows(name, workspace.span(), &mut source)
        };
        let path = folder.join(format!("{name}.ndjson"));
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        script.push_str(&KqlEngine::table_statement(name, &path));
    }
    script
}

async fn from_files(
    folder: &Path,
    span: TimeSpan,
    as_of: DateTime<Utc>,
) -> BTreeMap<Measure, Counts> {
    let context = TestContext::new("ingestion", as_of, &[]);
    let config = Config {
        files: Some(FilesConfig::folder(folder)),
        state_folder: Some(context.folder.path().join("state")),
        ..Config::default()
    };
    let ingestion = foretide_ingestion::open(&context.ctx, config)
        .await
        .unwrap();
    let run = Run {
        run_id: RunId::new(),
        as_of,
    };
    let outcomes = ingestion.ingest(run, &[], &|_, _, _| {}).await.unwrap();
    for outcome in &outcomes {
        assert_eq!(outcome.error, "", "{}", outcome.table);
        assert_eq!(outcome.report.rows_quarantined, 0, "{}", outcome.table);
    }
    let buckets = BucketStore::new(context.ctx.lake.clone());
    let mut all = BTreeMap::new();
    for measure in Measure::ALL {
        let rows = buckets.rows(measure, span, as_of).await.unwrap();
        let counts = rows
            .into_iter()
            .map(|row| {
                let place = (row.event_time, row.severity, row.product, row.tactic);
                (place, row.value)
            })
            .collect();
        all.insert(measure, counts);
    }
    all
}

/// The engine's answer: its columns and rows.
async fn ask(engine: &KqlEngine, moments: &[(&str, DateTime<Utc>)], query: &str) -> Answer {
    let lets: String = moments
        .iter()
        .map(|(name, moment)| format!("let {name} = datetime({});\n", literal(*moment)))
        .collect();
    let query = KqlEngine::dialect(&format!("{lets}{query}"));
    let http = foretide_http::client(&foretide_http::ClientOptions::default()).unwrap();
    let request = http
        .post(format!("{}/v1/rest/query", engine.url()))
        .json(&json!({"db": "workspace", "csl": query}));
    let response = request.send().await.unwrap();
    let (status, body) = (response.status(), response.text().await.unwrap());
    assert!(status.is_success(), "{query}\n{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    let answer = &body["Tables"][0];
    let columns = answer["Columns"].as_array().unwrap().iter();
    Answer {
        columns: columns
            .map(|column| column["ColumnName"].as_str().unwrap().to_owned())
            .collect(),
        rows: answer["Rows"].as_array().unwrap().clone(),
    }
}

struct Answer {
    columns: Vec<String>,
    rows: Vec<Value>,
}

impl Answer {
    fn cell<'r>(&self, row: &'r Value, name: &str) -> &'r Value {
        let at = self.columns.iter().position(|column| column == name);
        at.map_or(&Value::Null, |at| &row[at])
    }

    fn text(&self, row: &Value, name: &str) -> String {
        self.cell(row, name).as_str().unwrap_or_default().to_owned()
    }
}

async fn from_kql(
    engine: &KqlEngine,
    measure: Measure,
    span: TimeSpan,
    as_of: DateTime<Utc>,
) -> Counts {
    let moments = [
        ("windowStart", span.start),
        ("windowEnd", span.end),
        ("asOf", as_of),
    ];
    let answer = ask(engine, &moments, &count_query(measure)).await;
    let mut counts = Counts::new();
    for row in &answer.rows {
        let hour = answer.text(row, "Hour").parse().unwrap();
        let [severity, product, tactic] =
            ["Severity", "Product", "Tactic"].map(|name| answer.text(row, name));
        let value = answer.cell(row, "Value").as_f64().unwrap();
        let before = counts.insert((hour, severity, product, tactic), value);
        assert_eq!(before, None, "{measure} at {hour} twice");
    }
    counts
}

fn assert_same(measure: Measure, counted: &Counts, expected: &Counts) {
    assert_eq!(
        counted.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>(),
        "{measure}"
    );
    for (place, value) in counted {
        // sums of fractions may be summed in another order; counts are exact
        let allowed = 1e-9 * value.abs();
        assert!(
            (value - expected[place]).abs() <= allowed,
            "{measure} {place:?}: {value} {}",
            expected[place]
        );
    }
}

/// Days on which two countings differ.
fn changed(before: &Counts, after: &Counts) -> BTreeSet<NaiveDate> {
    let places = before.keys().chain(after.keys());
    places
        .filter(|place| before.get(*place) != after.get(*place))
        .map(|(hour, ..)| hour.date_naive())
        .collect()
}

#[tokio::test]
async fn every_query_counts_what_the_files_source_counts_and_finds_what_has_changed() {
    let plan = Plan {
        history_days: 6,
        replay_days: 0,
        volume: 0.4,
        ..Plan::contoso(3, "2026-11-02".parse().unwrap())
    };
    let workspace = Workspace::generate(&plan).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let script = write_tables(&workspace, folder.path());
    let init = folder.path().join("init.sql");
    fs::write(&init, script).unwrap();
    let Some(engine) = or_skip(KqlEngine::start_with(Some(&init)).await).unwrap() else {
        return;
    };
    let span = workspace.span();
    let midway = span.start + TimeDelta::hours(79);
    let in_the_end = span.end + TimeDelta::days(4);
    let expected = from_files(folder.path(), span, in_the_end).await;
    let expected_midway = from_files(folder.path(), span, midway).await;
    for measure in Measure::ALL {
        let before = from_kql(&engine, measure, span, midway).await;
        let after = from_kql(&engine, measure, span, in_the_end).await;
        assert!(!before.is_empty() && before != after, "{measure}");
        assert_same(measure, &before, &expected_midway[&measure]);
        assert_same(measure, &after, &expected[&measure]);
        let moments = [
            ("ingestedAfter", midway),
            ("asOf", in_the_end),
            ("notBefore", span.start - TimeDelta::days(40)),
        ];
        let arrivals = ask(&engine, &moments, &arrivals_query(measure)).await;
        let days: BTreeSet<NaiveDate> = arrivals
            .rows
            .iter()
            .map(|row| arrivals.text(row, "Day")[..10].parse().unwrap())
            .collect();
        assert!(changed(&before, &after).is_subset(&days), "{measure}");
    }
    for name in SentinelTable::ALL {
        let moments = [
            ("ingestedAfter", span.start - TimeDelta::days(1)),
            ("asOf", in_the_end),
            ("notBefore", span.start - TimeDelta::days(1)),
        ];
        let lags = ask(&engine, &moments, &newest_query(name)).await;
        assert!(!lags.rows.is_empty(), "{name}");
    }
}
