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
use foretide_sentinel_tables::{arrivals_query, count_query, newest_query};
use foretide_service_runtime::testing::TestContext;
use foretide_synthetic_workspace::{Plan, Workspace};
use foretide_test_support::{KqlEngine, or_skip};
use serde_json::{Value, json};

use crate::row_sets::RowSets;

type Counts = BTreeMap<(DateTime<Utc>, String, String, String), f64>;

pub(crate) fn literal(moment: DateTime<Utc>) -> String {
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

/// An engine whose tables hold the rows that a folder has as plain files; nothing where it is not
/// installed.
async fn engine_over(
    folder: &Path,
    rows: impl Fn(SentinelTable) -> Vec<String>,
) -> Option<KqlEngine> {
    let mut script = String::new();
    for name in SentinelTable::ALL {
        let path = folder.join(format!("{name}.ndjson"));
        fs::write(&path, rows(name).join("\n") + "\n").unwrap();
        script.push_str(&KqlEngine::table_statement(name, &path));
    }
    let init = folder.join("init.sql");
    fs::write(&init, script).unwrap();
    or_skip(KqlEngine::start_with(Some(&init)).await).unwrap()
}

/// What the files source counts at each of some moments, one run after the other.
async fn from_files(
    folder: &Path,
    span: TimeSpan,
    moments: &[DateTime<Utc>],
) -> Vec<BTreeMap<Measure, Counts>> {
    let context = TestContext::new("ingestion", moments[0], &[]);
    let config = Config {
        files: Some(FilesConfig::folder(folder)),
        state_folder: Some(context.folder.path().join("state")),
        ..Config::default()
    };
    let ingestion = foretide_ingestion::open(&context.ctx, config)
        .await
        .unwrap();
    let buckets = BucketStore::new(context.ctx.lake.clone());
    let mut known = Vec::new();
    for as_of in moments.iter().copied() {
        let run = Run {
            run_id: RunId::new(),
            as_of,
        };
        let outcomes = ingestion.ingest(run, &[], &|_, _, _| {}).await.unwrap();
        for outcome in &outcomes.tables {
            assert_eq!(outcome.error, "", "{}", outcome.table);
        }
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
        known.push(all);
    }
    known
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
            ["Severity", "Product", "Tactic"].map(|name| label(&answer.text(row, name)));
        let value = answer.cell(row, "Value").as_f64().unwrap();
        *counts.entry((hour, severity, product, tactic)).or_default() += value;
    }
    counts.retain(|_, value| *value > 0.0);
    counts
}

/// A label as it stands in a bucket: one line, at most 128 characters.
fn label(text: &str) -> String {
    let one_line = text.trim().chars();
    one_line
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(128)
        .collect()
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

/// The days that an answer names.
fn days_of(arrivals: &Answer) -> BTreeSet<NaiveDate> {
    let days = arrivals.rows.iter();
    days.map(|row| arrivals.text(row, "Day")[..10].parse().unwrap())
        .collect()
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
    let synthetic: BTreeSet<SentinelTable> = workspace.tables().collect();
    let sets = RowSets::new(20_261_123, 60, workspace.span().start);
    let rows = |name| match synthetic.contains(&name) {
        true => synthetic_rows(&workspace, name),
        false => sets.rows(name),
    };
    let Some(engine) = engine_over(folder.path(), rows).await else {
        return;
    };
    let span = workspace.span();
    let midway = span.start + TimeDelta::hours(79);
    let in_the_end = span.end + TimeDelta::days(4);
    let expected = from_files(folder.path(), span, &[midway, in_the_end]).await;
    for measure in Measure::ALL {
        let before = from_kql(&engine, measure, span, midway).await;
        let after = from_kql(&engine, measure, span, in_the_end).await;
        assert!(!before.is_empty() && before != after, "{measure}");
        assert_same(measure, &before, &expected[0][&measure]);
        assert_same(measure, &after, &expected[1][&measure]);
        let moments = [
            ("ingestedAfter", midway),
            ("asOf", in_the_end),
            ("notBefore", span.start - TimeDelta::days(40)),
        ];
        let days = days_of(&ask(&engine, &moments, &arrivals_query(measure)).await);
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

/// When the hostile rows are looked at; they lie around ten days before.
const HOSTILE_NOW: &str = "2026-11-23T14:30:00Z";

/// A workspace that was onboarded to Defender: of 200 incidents 60 are merged into others half an hour
/// later, and closed thereby.
fn onboarded() -> Vec<String> {
    let first: DateTime<Utc> = "2026-11-03T09:00:00Z".parse().unwrap();
    let mut rows = Vec::new();
    for number in 0..200 {
        let created = first + TimeDelta::minutes(72 * number);
        let row = |logged: DateTime<Utc>, is_merged: bool| {
            let labels = json!([{"labelName": "Redirected", "labelType": "User"}]);
            json!({
                "TimeGenerated": literal(logged),
                "IncidentName": format!("m{number:03}"),
                "Title": "A",
                "CreatedTime": literal(created),
                "LastModifiedTime": literal(logged),
                "ClosedTime": is_merged.then(|| literal(logged)),
                "Status": if is_merged { "Closed" } else { "New" },
                "Severity": "Medium",
                "ProviderName": "Microsoft XDR",
                "AdditionalData": {
                    "alertProductNames": if is_merged { vec![] } else { vec!["Defender for Endpoint"] },
                    "tactics": ["InitialAccess"],
                },
                "Labels": if is_merged { labels } else { json!([]) },
            })
            .to_string()
        };
        rows.push(row(created, false));
        if number % 10 < 3 {
            rows.push(row(created + TimeDelta::minutes(30), true));
        }
    }
    rows
}

fn hostile_rows(name: SentinelTable) -> Vec<String> {
    let kept =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/hostile_rows/{name}.json"));
    let kept = fs::read_to_string(kept).unwrap_or_default();
    let mut rows: Vec<String> = kept.lines().map(str::to_owned).collect();
    if name == SentinelTable::SecurityIncident {
        rows.extend(onboarded());
    }
    rows
}

fn total(counts: &Counts, is_meant: impl Fn(&str, &str) -> bool) -> f64 {
    let meant = counts
        .iter()
        .filter(|((_, severity, product, _), _)| is_meant(severity, product));
    meant.map(|(_, value)| value).sum()
}

#[tokio::test]
async fn d7_hostile_rows_count_alike_in_queries_and_files_and_rightly() {
    let folder = tempfile::tempdir().unwrap();
    let Some(engine) = engine_over(folder.path(), hostile_rows).await else {
        return;
    };
    let now: DateTime<Utc> = HOSTILE_NOW.parse().unwrap();
    let span = TimeSpan {
        start: now - TimeDelta::days(500),
        end: now + TimeDelta::days(3),
    };
    let known = from_files(folder.path(), span, &[now]).await;
    for measure in Measure::ALL {
        let queried = from_kql(&engine, measure, span, now).await;
        assert_same(measure, &queried, &known[0][&measure]);
        let ahead = queried.keys().find(|(hour, ..)| *hour > now);
        assert_eq!(ahead, None, "{measure}");
    }
    let incidents = &known[0][&Measure::Incidents];
    assert_eq!(
        total(incidents, |_, product| product == "Defender for Endpoint"),
        140.0
    );
    // which they are: hostile_rows/README.md
    assert_eq!(
        total(incidents, |_, product| product != "Defender for Endpoint"),
        29.0
    );
    let closed = &known[0][&Measure::IncidentsClosed];
    assert_eq!(total(closed, |_, _| true), 3.0);
    assert_eq!(total(closed, |_, product| product == "Microsoft XDR"), 0.0);
    let four = ["High", "Medium", "Low", "Informational"];
    assert_eq!(
        total(incidents, |severity, _| !four.contains(&severity)),
        0.0
    );
    assert_eq!(
        total(&known[0][&Measure::IngestedMegabytes], |_, product| product
            == "GB"),
        1000.0
    );

    // the workspace looks 30 days back: what was told of 45 days ago counts again, and nothing else
    let recent = TimeSpan {
        start: now - TimeDelta::days(12),
        ..span
    };
    for measure in Measure::ALL {
        let queried = from_kql(&engine, measure, recent, now).await;
        let counted = known[0][&measure].iter();
        let counted: Counts = counted
            .filter(|((hour, ..), _)| recent.contains(*hour))
            .map(|(place, value)| (place.clone(), *value))
            .collect();
        let again = total(&queried, |_, _| true) - total(&counted, |_, _| true);
        let expected = if measure == Measure::Alerts { 1.0 } else { 0.0 };
        assert_eq!(again, expected, "{measure}");
    }
}

/// Row sets that are tried: `FORETIDE_ROW_SETS`, or few enough for every day.
fn row_sets() -> u32 {
    let wanted = std::env::var("FORETIDE_ROW_SETS").ok();
    wanted.and_then(|wanted| wanted.parse().ok()).unwrap_or(300)
}

#[tokio::test]
async fn d7_any_row_sets_count_alike_in_queries_and_files() {
    let start: DateTime<Utc> = "2026-11-02T00:00:00Z".parse().unwrap();
    let sets = RowSets::new(7, row_sets(), start);
    let folder = tempfile::tempdir().unwrap();
    let Some(engine) = engine_over(folder.path(), |name| sets.rows(name)).await else {
        return;
    };
    let span = TimeSpan {
        start: start - TimeDelta::days(60),
        end: start + TimeDelta::days(60),
    };
    let moments = [36, 60, 90, 24 * 30].map(|hours| start + TimeDelta::hours(hours));
    let known = from_files(folder.path(), span, &moments).await;
    for measure in Measure::ALL {
        let mut before: Option<(DateTime<Utc>, Counts)> = None;
        for (moment, known) in moments.into_iter().zip(&known) {
            let queried = from_kql(&engine, measure, span, moment).await;
            assert_same(measure, &queried, &known[&measure]);
            if let Some((earlier, before)) = &before {
                let bounds = [
                    ("ingestedAfter", *earlier),
                    ("asOf", moment),
                    ("notBefore", span.start),
                ];
                let days = days_of(&ask(&engine, &bounds, &arrivals_query(measure)).await);
                let changed = changed(before, &queried);
                assert!(
                    changed.is_subset(&days),
                    "{measure} at {moment}: {changed:?} {days:?}"
                );
            }
            before = Some((moment, queried));
        }
        assert!(
            before.is_some_and(|(_, counts)| !counts.is_empty()),
            "{measure}"
        );
    }
}
