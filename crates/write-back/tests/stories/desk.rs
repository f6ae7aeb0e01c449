//! A workspace that answers as it is told, and a table of accepted batches.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use foretide_db::testing::TestDatabase;
use foretide_db::{Database, DbError};
use foretide_domain::{Clock, RunId, RunningClock, SharedClock, SimulatedClock};
use foretide_emulator::{Emulator, EmulatorConfig, EmulatorHandle, Fault, FaultAction};
use foretide_entra::IdentityConfig;
use foretide_migrations::{auditor, migrate};
use foretide_write_back::{
    Accepted, Batch, Batches, ReadBack, ReadBackConfig, RowColumns, SinkKind, note_accepted,
};
use serde_json::{Value, json};

pub(crate) const TABLE: &str = "AI_Governance_CL";
pub(crate) const QUERIES: &str = "/v1/workspaces/";

pub(crate) fn start() -> DateTime<Utc> {
    "2026-11-23T06:00:00Z".parse().unwrap()
}

pub(crate) struct Desk {
    pub(crate) azure: EmulatorHandle,
    pub(crate) database: Database,
    pub(crate) clock: SimulatedClock,
    pub(crate) run: RunId,
    pub(crate) kept: TestDatabase,
}

impl Desk {
    pub(crate) async fn open(kept: TestDatabase) -> Self {
        let azure = Emulator::start(
            EmulatorConfig::default(),
            RunningClock::starting_at(start()).shared(),
        )
        .await
        .unwrap();
        let database = Database::connect(&kept.config, "auditor").await.unwrap();
        migrate::<auditor::Migrator>(&database).await.unwrap();
        Self {
            azure,
            database,
            clock: SimulatedClock::starting_at(start()),
            run: RunId::new(),
            kept,
        }
    }

    pub(crate) fn batches(&self) -> Batches {
        Batches::new(self.database.clone())
    }

    /// A read-back as a service builds it; again after a restart.
    pub(crate) fn read_back(&self) -> ReadBack {
        let address: url::Url = self.azure.base_url().parse().unwrap();
        let identity =
            IdentityConfig::client_secret(EmulatorConfig::TENANT, "reader", "any".into())
                .at(address.clone());
        let config = ReadBackConfig {
            workspace_id: "00000000-0000-4000-8000-00000000aaaa".to_owned(),
            endpoint: address,
            audience: "https://api.loganalytics.io".to_owned(),
            identity: Some(identity),
            first_wait_seconds: 5,
            longest_wait_seconds: 60,
            patience_seconds: 1_200,
        };
        let clock: SharedClock = Arc::new(self.clock.clone());
        ReadBack {
            batches: self.batches(),
            finder: Arc::new(config.open(None, &clock).unwrap()),
            columns: RowColumns::of(SinkKind::LogsIngestion),
            pace: config.pace(),
            clock,
        }
    }

    pub(crate) async fn accepted(&self, rows: u64) {
        let accepted = Accepted {
            run_id: self.run,
            table: TABLE.to_owned(),
            rows,
            at: self.clock.now(),
            watched: true,
        };
        self.database
            .transaction("accept", move |tx| {
                let accepted = accepted.clone();
                Box::pin(async move { note_accepted(tx, &accepted).await })
            })
            .await
            .map_err(|error: DbError| error)
            .unwrap();
    }

    /// The workspace answers the next question with this number.
    pub(crate) fn will_count(&self, rows: u64) {
        self.will_answer(table(&json!(rows)));
    }

    pub(crate) fn will_answer(&self, body: Value) {
        let mut fault = Fault::at(QUERIES, 1, FaultAction::status(200));
        if let FaultAction::Answer(answer) = &mut fault.action {
            answer.body = Some(body);
        }
        self.azure.add_fault(fault);
    }

    /// Some time later, one look.
    pub(crate) async fn look_after(&self, pause: TimeDelta) -> Batch {
        self.clock.advance_to(self.clock.now() + pause);
        self.read_back().round().await.unwrap();
        self.only_batch().await
    }

    pub(crate) async fn only_batch(&self) -> Batch {
        let mut batches = self.batches().list(Some(self.run), 10).await.unwrap();
        assert_eq!(batches.len(), 1, "{batches:?}");
        batches.remove(0)
    }
}

pub(crate) fn table(cell: &Value) -> Value {
    json!({ "tables": [{
        "name": "PrimaryResult",
        "columns": [{ "name": "Count", "type": "long" }],
        "rows": [[cell]],
    }]})
}
