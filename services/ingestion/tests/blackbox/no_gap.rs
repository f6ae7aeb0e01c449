//! No gap and no duplicate after any sequence of faults (D2): a seeded simulation over fetch, fault,
//! kill and resume.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::{Measure, RunId, SentinelTable, TimeSpan};
use foretide_ingestion::Config;
use foretide_ingestion::config::LogAnalyticsConfig;
use foretide_ingestion::source::Run;
use foretide_lake::buckets::{BucketRow, BucketStore};
use foretide_service_runtime::testing::TestContext;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use crate::workspace::{Fault, HISTORY_DAYS, IncidentRow, SignInRow, Workspace, reading};
use crate::world::at;

const MEASURES: [Measure; 4] = [
    Measure::Incidents,
    Measure::IncidentsClosed,
    Measure::FailedLogins,
    Measure::UniqueSourceIpsDaily,
];
const SEVERITIES: [&str; 3] = ["High", "Low", "Medium"];

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    Failed,
    Killed,
}

struct Simulation {
    source: StdRng,
    workspace: Arc<Workspace>,
    config: Config,
    context: TestContext,
    now: DateTime<Utc>,
    incidents: u32,
    /// What was known after each run that ended well.
    known: Vec<(DateTime<Utc>, Vec<Vec<BucketRow>>)>,
}

impl Simulation {
    async fn new(seed: u64) -> Self {
        let workspace = Arc::new(Workspace::default());
        let now = at("2026-11-10T00:00:00Z");
        let reading: LogAnalyticsConfig = reading(&workspace, &json!({"history_days": 40})).await;
        let context = TestContext::new("ingestion", now, &[]);
        let config = Config {
            tables: vec![SentinelTable::SecurityIncident, SentinelTable::SigninLogs],
            log_analytics: Some(reading),
            state_folder: Some(context.folder.path().join("state")),
            ..Config::default()
        };
        let mut simulation = Self {
            source: StdRng::seed_from_u64(seed),
            workspace,
            config,
            context,
            now,
            incidents: 0,
            known: Vec::new(),
        };
        // rows are visible up to 90 minutes after ingestion: less than the overlap
        let after = simulation.source.random_range(0..90);
        simulation.workspace.rows().visible_after = TimeDelta::minutes(after);
        simulation.happen(TimeDelta::days(HISTORY_DAYS - 4), 60);
        simulation
    }

    /// Things happen in the time up to now; some rows come in days late, some tell of old things.
    fn happen(&mut self, within: TimeDelta, things: u32) {
        let workspace = Arc::clone(&self.workspace);
        let mut rows = workspace.rows();
        for _ in 0..things {
            let before = self.source.random_range(0..within.num_minutes().max(1));
            let generated = self.now - TimeDelta::minutes(before);
            let lag = match self.source.random_range(0..5) {
                0 => self.source.random_range(0..3 * 24 * 60),
                _ => self.source.random_range(0..20),
            };
            // it is ingested now or later, never in a past that was looked at
            let ingested = (generated + TimeDelta::minutes(lag)).max(self.now);
            if self.source.random() {
                rows.sign_ins.push(SignInRow {
                    failed: self.source.random(),
                    address: self.source.random_range(0..20),
                    generated,
                    ingested,
                });
                continue;
            }
            let changes_old = self.incidents > 0 && self.source.random();
            let (name, created) = if changes_old {
                let name = self.source.random_range(0..self.incidents);
                let known = rows.incidents.iter().find(|row| row.name == name);
                (name, known.map_or(generated, |row| row.created))
            } else {
                self.incidents += 1;
                (self.incidents - 1, generated - TimeDelta::minutes(5))
            };
            let closed = self.source.random::<bool>().then_some(generated);
            let severity = SEVERITIES[self.source.random_range(0..SEVERITIES.len())];
            rows.incidents.push(IncidentRow {
                name,
                created,
                closed,
                severity,
                generated,
                ingested,
            });
        }
    }

    fn some_faults(&mut self) {
        let mut faults = Vec::new();
        for _ in 0..self.source.random_range(0..12) {
            faults.push(match self.source.random_range(0..16) {
                0 => Fault::Killed,
                1 => Fault::Refused,
                2 => Fault::Truncated,
                3 => Fault::Partial,
                4 => Fault::Slow,
                5 => Fault::Broken,
                6 => Fault::Busy,
                _ => Fault::Fine,
            });
        }
        let mut rows = self.workspace.rows();
        rows.faults = faults.into();
        rows.most_rows = self.source.random::<bool>().then_some(20);
    }

    /// A run of a process of its own, that may be killed while it waits for an answer.
    async fn run(&mut self, run_id: RunId) -> End {
        let folder = Arc::clone(&self.context.folder);
        self.context = TestContext::reopen("ingestion", self.now, &[], folder);
        let ingestion = foretide_ingestion::open(&self.context.ctx, self.config.clone())
            .await
            .unwrap();
        self.workspace.rows().now = self.now;
        let run = Run {
            run_id,
            as_of: self.now,
        };
        let outcomes = tokio::select! {
            outcomes = ingestion.ingest(run, &[], &|_, _, _| {}) => outcomes.unwrap(),
            () = self.workspace.killed.notified() => return End::Killed,
        };
        if outcomes
            .tables
            .iter()
            .any(|outcome| !outcome.error.is_empty())
        {
            return End::Failed;
        }
        End::Whole
    }

    async fn buckets(&self, known_at: DateTime<Utc>) -> Vec<Vec<BucketRow>> {
        let store = BucketStore::new(self.context.ctx.lake.clone());
        let span = TimeSpan::new(at("2026-10-01T00:00:00Z"), at("2027-01-01T00:00:00Z")).unwrap();
        let mut all = Vec::new();
        for measure in MEASURES {
            all.push(store.rows(measure, span, known_at).await.unwrap());
        }
        all
    }

    fn truth(&self) -> Vec<Vec<BucketRow>> {
        MEASURES
            .map(|measure| self.workspace.expected(measure, self.now))
            .into()
    }

    async fn step(&mut self, ends: &mut Vec<End>) {
        let passed = TimeDelta::minutes(self.source.random_range(10..720));
        self.now += passed;
        let things = self.source.random_range(0..12);
        self.happen(passed, things);
        self.some_faults();
        let run_id = RunId::new();
        let mut end = self.run(run_id).await;
        // as the queue does: the same run again, unless it is given up
        while end != End::Whole && self.source.random_range(0..3) > 0 {
            ends.push(end);
            self.some_faults();
            end = self.run(run_id).await;
        }
        ends.push(end);
        if end == End::Whole {
            let known = self.buckets(self.now).await;
            assert_eq!(known, self.truth(), "at {}", self.now);
            self.known.push((self.now, known));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_every_row_is_counted_once() {
    let mut ends = Vec::new();
    for seed in 0..6 {
        let mut simulation = Box::pin(Simulation::new(seed)).await;
        // the history stays within the days that are read
        while simulation.now < at("2026-11-13T12:00:00Z") {
            Box::pin(simulation.step(&mut ends)).await;
        }
        simulation.now += TimeDelta::hours(80);
        simulation.workspace.rows().faults.clear();
        simulation.workspace.rows().most_rows = None;
        assert_eq!(Box::pin(simulation.run(RunId::new())).await, End::Whole);
        let known = simulation.buckets(simulation.now).await;
        assert_eq!(known, simulation.truth(), "seed {seed}");
        // what was known before has not changed
        for (moment, before) in &simulation.known {
            assert_eq!(&simulation.buckets(*moment).await, before, "seed {seed}");
        }
    }
    for end in [End::Whole, End::Failed, End::Killed] {
        let count = ends.iter().filter(|other| **other == end).count();
        assert!(count > 3, "{end:?} happened {count} times");
    }
}
