//! The synthetic workspace, looked at as the rest of Foretide will.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use chrono::{DateTime, Datelike, NaiveDate, Utc, Weekday};
use foretide_domain::{SentinelTable, TimeSpan, floor_hour};
use foretide_synthetic_workspace::{
    EventKind, ExportError, Plan, PlanError, Workspace, append_arrivals, write_export,
};
use proptest::prelude::*;
use serde_json::Value;

fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("a date")
}

/// The whole workspace of the demo, made once for all tests that only look at it.
fn contoso() -> &'static Workspace {
    static CONTOSO: LazyLock<Workspace> = LazyLock::new(|| {
        Workspace::generate(&Plan::contoso(7, day(2026, 7, 1))).expect("a valid plan")
    });
    &CONTOSO
}

fn objects(workspace: &Workspace, table: SentinelTable) -> Vec<Value> {
    let parsed = workspace
        .rows(table)
        .iter()
        .filter_map(|row| serde_json::from_str(&row.line).ok());
    parsed.collect()
}

fn time(object: &Value, column: &str) -> Option<DateTime<Utc>> {
    object[column].as_str()?.parse().ok()
}

fn incidents_created_by_day(workspace: &Workspace) -> BTreeMap<NaiveDate, usize> {
    let mut seen = HashSet::new();
    let mut days = BTreeMap::new();
    for object in objects(workspace, SentinelTable::SecurityIncident) {
        let created = time(&object, "CreatedTime").expect("every incident was created");
        if seen.insert(object["IncidentNumber"].as_u64()) {
            *days.entry(created.date_naive()).or_default() += 1;
        }
    }
    days
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let relative = |file: &PathBuf| file.strip_prefix(folder).expect("below").to_owned();
    files_below(folder)
        .iter()
        .map(|file| (relative(file), fs::read(file).expect("readable")))
        .collect()
}

#[test]
fn has_the_size_of_a_real_soc_but_stays_quick() {
    let workspace = contoso();
    assert!(workspace.row_count() < 600_000, "{}", workspace.row_count());
    let days = incidents_created_by_day(workspace);
    let mean = days.values().sum::<usize>() as f64 / days.len() as f64;
    assert!((60.0..150.0).contains(&mean), "{mean} incidents a day");
    let alerts = objects(workspace, SentinelTable::SecurityAlert)
        .iter()
        .map(|alert| alert["SystemAlertId"].to_string())
        .collect::<HashSet<_>>();
    let alerts_a_day = alerts.len() as f64 / days.len() as f64;
    assert!(
        (200.0..900.0).contains(&alerts_a_day),
        "{alerts_a_day} alerts a day"
    );
}

#[test]
fn weekends_are_quiet_and_counts_scatter_more_than_poisson() {
    let days = incidents_created_by_day(contoso());
    let of = |is_wanted: fn(Weekday) -> bool| -> Vec<f64> {
        let wanted = days.iter().filter(|(day, _)| is_wanted(day.weekday()));
        wanted.map(|(_, count)| *count as f64).collect()
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let sundays = of(|weekday| weekday == Weekday::Sun);
    let thursdays = of(|weekday| weekday == Weekday::Thu);
    assert!(mean(&sundays) < 0.6 * mean(&thursdays));
    let centre = mean(&thursdays);
    let variance =
        thursdays.iter().map(|x| (x - centre).powi(2)).sum::<f64>() / thursdays.len() as f64;
    assert!(
        variance > 1.3 * centre,
        "variance {variance}, mean {centre}"
    );
}

fn incidents_created_by_hour(workspace: &Workspace) -> HashMap<DateTime<Utc>, usize> {
    let mut seen = HashSet::new();
    let mut hours = HashMap::new();
    for object in objects(workspace, SentinelTable::SecurityIncident) {
        let created = time(&object, "CreatedTime").expect("every incident was created");
        if seen.insert(object["IncidentNumber"].as_u64()) {
            *hours.entry(floor_hour(created)).or_default() += 1;
        }
    }
    hours
}

/// Incidents of all hours that are wanted.
fn incidents_where(
    hours: &HashMap<DateTime<Utc>, usize>,
    is_wanted: impl Fn(DateTime<Utc>) -> bool,
) -> f64 {
    let wanted = hours.iter().filter(|(hour, _)| is_wanted(**hour));
    wanted.map(|(_, count)| *count).sum::<usize>() as f64
}

#[test]
fn only_exercises_are_announced_and_the_replay_has_one_attack_and_one_drift() {
    let plan = Plan::contoso(7, day(2026, 7, 1));
    let events = contoso().events();
    for event in events {
        assert_eq!(event.is_announced(), event.kind == EventKind::Exercise);
        assert!(event.announced_at.is_none_or(|at| at < event.span.start));
        assert!(event.name.contains("synthetic") && event.factor > 1.0);
    }
    let of = |kind: EventKind, is_replayed: bool| {
        let wanted = events.iter().filter(|event| event.kind == kind);
        wanted
            .filter(|event| (event.span.start >= plan.replay_start()) == is_replayed)
            .collect::<Vec<_>>()
    };
    assert!(of(EventKind::Surge, false).len() >= 10, "the history");
    assert!(of(EventKind::Exercise, false).len() >= 4, "the history");
    assert!(!of(EventKind::Surge, true).is_empty(), "the replay");
    assert_eq!(of(EventKind::Drift, true).len(), 1);
    let attack = of(EventKind::WeekendAttack, true);
    assert_eq!(attack.len(), 1);
    assert_eq!(
        attack[0]
            .span
            .start
            .with_timezone(&plan.time_zone)
            .weekday(),
        Weekday::Sat
    );
    let ahead = of(EventKind::Exercise, true);
    assert_eq!(ahead.len(), 2);
    assert!(ahead[1].span.start > plan.span().end, "one is still ahead");
}

#[test]
fn holidays_are_quiet() {
    let holiday = day(2026, 8, 12);
    let mut plan = Plan::contoso(7, day(2026, 7, 1));
    let usual = incidents_created_by_day(&Workspace::generate(&plan).expect("valid"))[&holiday];
    plan.holidays = vec![holiday];
    let quiet = incidents_created_by_day(&Workspace::generate(&plan).expect("valid"))[&holiday];
    assert!(quiet * 3 < usual * 2, "{quiet} against {usual}");
}

#[test]
fn an_incident_is_a_log_of_its_changes() {
    let mut rows: HashMap<u64, Vec<Value>> = HashMap::new();
    for object in objects(contoso(), SentinelTable::SecurityIncident) {
        rows.entry(object["IncidentNumber"].as_u64().expect("a number"))
            .or_default()
            .push(object);
    }
    let (mut reopened, mut regraded) = (0, 0);
    for changes in rows.values_mut() {
        changes.sort_by_key(|row| time(row, "LastModifiedTime"));
        let created: BTreeSet<_> = changes.iter().map(|row| time(row, "CreatedTime")).collect();
        assert_eq!(created.len(), 1, "the moment of creation never changes");
        assert!(changes.iter().all(|row| {
            row["Title"]
                .as_str()
                .is_some_and(|t| t.contains("synthetic"))
        }));
        assert!(
            changes
                .iter()
                .all(|row| (row["Status"] == "Closed") == row["ClosedTime"].is_string())
        );
        let statuses: Vec<_> = changes.iter().map(|row| row["Status"].as_str()).collect();
        reopened += usize::from(
            statuses
                .windows(2)
                .any(|pair| pair == [Some("Closed"), Some("Active")]),
        );
        let severities: BTreeSet<_> = changes.iter().map(|row| row["Severity"].as_str()).collect();
        regraded += usize::from(severities.len() > 1);
    }
    let share = |count: usize| count as f64 / rows.len() as f64;
    assert!(
        (0.02..0.10).contains(&share(reopened)),
        "{}",
        share(reopened)
    );
    assert!(
        (0.05..0.20).contains(&share(regraded)),
        "{}",
        share(regraded)
    );
}

#[test]
fn incidents_name_alerts_that_exist() {
    let workspace = contoso();
    let alerts: HashSet<String> = objects(workspace, SentinelTable::SecurityAlert)
        .iter()
        .filter_map(|alert| alert["SystemAlertId"].as_str().map(ToOwned::to_owned))
        .collect();
    for incident in objects(workspace, SentinelTable::SecurityIncident) {
        for id in incident["AlertIds"].as_array().expect("a list") {
            assert!(alerts.contains(id.as_str().expect("an id")));
        }
    }
}

#[test]
fn some_rows_are_late_some_twice_and_a_few_broken() {
    let workspace = contoso();
    for table in workspace.tables() {
        let rows = workspace.rows(table);
        let broken = rows.iter().filter(|row| {
            let parsed = serde_json::from_str::<Value>(&row.line);
            parsed.map_or(true, |object| time(&object, "TimeGenerated").is_none())
        });
        assert_eq!(broken.count(), 3, "{table}");
        let distinct: HashSet<_> = rows.iter().map(|row| &row.line).collect();
        assert!(distinct.len() < rows.len(), "{table} has duplicates");
        assert!(rows.iter().all(|row| row.arrived_at >= row.time_generated));
    }
    let late = workspace.rows(SentinelTable::SecurityIncident).iter();
    let late = late.filter(|row| row.arrived_at - row.time_generated > chrono::Duration::hours(2));
    assert!(late.count() > 100);
}

#[test]
fn indicators_are_published_again_under_the_same_id() {
    let objects = objects(contoso(), SentinelTable::ThreatIntelIndicators);
    let again = objects
        .iter()
        .filter(|row| row["LastUpdateMethod"] == "LogARepublisher");
    let ids: HashSet<_> = objects.iter().map(|row| row["Id"].to_string()).collect();
    assert!(again.count() > ids.len() / 2);
}

#[test]
fn the_export_looks_like_the_real_one_and_is_never_mixed_with_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = Plan {
        history_days: 3,
        replay_days: 1,
        ..Plan::contoso(1, day(2026, 11, 1))
    };
    let workspace = Workspace::generate(&plan).expect("valid");
    let mut last = None;
    write_export(&workspace, folder.path(), &mut |progress| {
        last = Some(progress);
    })
    .expect("written");
    let last = last.expect("progress was told");
    assert_eq!(
        (last.rows_done, last.rows_total),
        (workspace.row_count(), workspace.row_count())
    );

    let files = contents(folder.path());
    let path = files
        .keys()
        .map(|path| path.display().to_string())
        .find(|path| path.starts_with("am-securityincident/"))
        .expect("incidents were exported");
    assert!(
        path.starts_with("am-securityincident/WorkspaceResourceId=/subscriptions/"),
        "{path}"
    );
    assert!(path.contains("/y=2026/m=11/d="), "{path}");
    assert!(path.ends_with("/m=00/PT05M.json"), "{path}");
    let lines: usize = files
        .values()
        .map(|bytes| bytes.iter().filter(|b| **b == b'\n').count())
        .sum();
    assert_eq!(lines, workspace.row_count());

    let again = write_export(&workspace, folder.path(), &mut |_| {});
    assert!(matches!(again, Err(ExportError::NotEmpty(_))));
}

#[test]
fn an_export_that_grows_day_by_day_ends_as_the_one_written_at_once() {
    let plan = Plan {
        history_days: 4,
        replay_days: 0,
        ..Plan::contoso(1, day(2026, 11, 1))
    };
    let workspace = Workspace::generate(&plan).expect("valid");
    let (at_once, by_days) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    write_export(&workspace, at_once.path(), &mut |_| {}).expect("written");
    let mut start = workspace.span().start;
    while start < workspace.span().end + chrono::Duration::days(4) {
        let span = TimeSpan {
            start,
            end: start + chrono::Duration::hours(24),
        };
        append_arrivals(&workspace, by_days.path(), span).expect("appended");
        start = span.end;
    }
    assert!(
        contents(at_once.path()) == contents(by_days.path()),
        "the files differ"
    );
}

#[test]
fn a_plan_without_days_or_with_absurd_volume_is_refused() {
    let plan = Plan::contoso(1, day(2026, 11, 1));
    let refused = |plan: Plan| Workspace::generate(&plan).expect_err("refused");
    assert_eq!(
        refused(Plan {
            history_days: 0,
            replay_days: 0,
            ..plan.clone()
        }),
        PlanError::Days(0)
    );
    assert!(matches!(
        refused(Plan {
            history_days: u32::MAX,
            ..plan.clone()
        }),
        PlanError::Days(_)
    ));
    assert!(matches!(
        refused(Plan {
            volume: f64::NAN,
            ..plan.clone()
        }),
        PlanError::Volume(_)
    ));
    assert!(matches!(
        refused(Plan {
            volume: 0.0,
            ..plan.clone()
        }),
        PlanError::Volume(_)
    ));
    let far = Plan {
        start: NaiveDate::MAX,
        ..plan
    };
    assert!(matches!(refused(far), PlanError::Start(_)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_same_plan_gives_the_same_bytes_and_another_seed_others(
        seed in any::<u64>(),
        offset in 0_u64..3000,
        days in 1_u32..25,
    ) {
        let start = day(2020, 1, 1) + chrono::Days::new(offset);
        let plan = Plan { history_days: days, replay_days: 0, ..Plan::contoso(seed, start) };
        let first = Workspace::generate(&plan).expect("valid");
        let second = Workspace::generate(&plan).expect("valid");
        let other = Workspace::generate(&Plan { seed: seed ^ 1, ..plan }).expect("valid");
        for table in first.tables() {
            prop_assert!(first.rows(table) == second.rows(table));
            prop_assert!(first.rows(table) != other.rows(table));
            let span = first.span();
            prop_assert!(first.rows(table).iter().all(|row| row.time_generated < span.end));
        }
    }

    #[test]
    fn the_truth_agrees_with_the_rows(seed in any::<u64>(), offset in 0_u64..3000) {
        let start = day(2020, 1, 1) + chrono::Days::new(offset);
        let plan = Plan { history_days: 48, ..Plan::contoso(seed, start) };
        let planted = Workspace::generate(&plan).expect("valid");
        let without = Workspace::generate(&Plan { has_events: false, ..plan }).expect("valid");
        prop_assert!(without.events().is_empty());
        let events = planted.events();
        let (planted, without) =
            (incidents_created_by_hour(&planted), incidents_created_by_hour(&without));
        let kinds = [
            (EventKind::Surge, 1.3),
            (EventKind::WeekendAttack, 1.8),
            (EventKind::Exercise, 1.8),
            (EventKind::Drift, 1.05),
        ];
        for (kind, factor) in kinds {
            let within = |hour| {
                events.iter().any(|event| event.kind == kind && event.span.contains(hour))
            };
            let (with, usual) =
                (incidents_where(&planted, within), incidents_where(&without, within));
            prop_assert!(with > factor * usual, "{kind:?}: {with} against {usual}");
        }
        let outside = |hour| events.iter().all(|event| !event.span.contains(hour));
        let ratio = incidents_where(&planted, outside) / incidents_where(&without, outside);
        prop_assert!((0.9..1.1).contains(&ratio), "{ratio} times as many outside of events");
    }

    #[test]
    fn what_is_forgotten_has_arrived_before(days in 0_i64..25) {
        let plan = Plan { history_days: 20, replay_days: 0, ..Plan::contoso(3, day(2026, 11, 1)) };
        let mut workspace = Workspace::generate(&plan).expect("valid");
        let moment = plan.span().start + chrono::Duration::days(days);
        let later = |workspace: &Workspace, table| {
            let rows = workspace.rows(table).iter();
            rows.filter(|row| row.arrived_at >= moment).cloned().collect::<Vec<_>>()
        };
        let tables: Vec<_> = workspace.tables().collect();
        let kept: Vec<_> = tables.iter().map(|table| later(&workspace, *table)).collect();
        workspace.forget_arrivals_before(moment);
        for (table, kept) in tables.into_iter().zip(kept) {
            prop_assert!(workspace.rows(table) == kept);
        }
    }
}
