//! A folder of exported tables and a service that reads it.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use foretide_api::ingestion::v1::ingestion_service_client::IngestionServiceClient;
use foretide_api::ingestion::v1::{
    GetQueryCostsRequest, GetQueryCostsResponse, IngestRequest, ListCompletenessRequest,
    ListQuarantineRequest, ListWatermarksRequest, QuarantinedRow, TableCompleteness, TableSummary,
    Watermark, ingest_response::Event,
};
use foretide_api::timestamp;
use foretide_domain::{Measure, Principal, RunId, TimeSpan};
use foretide_ingestion::Config;
use foretide_ingestion::config::FilesConfig;
use foretide_lake::buckets::{BucketRow, BucketStore};
use foretide_service_runtime::AuthedChannel;
use foretide_service_runtime::testing::{TestContext, TestServer};
use tempfile::TempDir;
use tonic::Status;

pub(crate) type Summary = BTreeMap<String, TableSummary>;

/// A folder with input, and the service over it.
pub(crate) struct World {
    pub(crate) context: TestContext,
    server: Option<TestServer>,
    config: Config,
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

impl World {
    /// A service that reads the `input` folder.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// As [`World::new`], with a changed configuration.
    pub(crate) async fn with(change: impl FnOnce(&mut FilesConfig)) -> Self {
        let context = TestContext::new("ingestion", at("2026-11-23T00:00:00Z"), &[]);
        let input = context.folder.path().join("input");
        fs::create_dir(&input).unwrap();
        let mut files = FilesConfig::folder(&input);
        change(&mut files);
        let config = Config {
            files: Some(files),
            state_folder: Some(context.folder.path().join("state")),
            ..Config::default()
        };
        Self::start(context, config).await
    }

    pub(crate) async fn start(context: TestContext, config: Config) -> Self {
        let built = foretide_ingestion::build(&context.ctx, config.clone())
            .await
            .unwrap();
        let server = TestServer::start(&context.ctx, built).await;
        Self {
            context,
            server: Some(server),
            config,
        }
    }

    /// Stops the service and starts it anew on what it has left.
    pub(crate) async fn restart(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
        let folder = Arc::clone(&self.context.folder);
        self.context = TestContext::reopen("ingestion", at("2026-11-23T00:00:00Z"), &[], folder);
        let built = foretide_ingestion::build(&self.context.ctx, self.config.clone())
            .await
            .unwrap();
        self.server = Some(TestServer::start(&self.context.ctx, built).await);
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.context.folder.path().join("input").join(path)
    }

    /// Writes a file, or replaces it.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Appends to a file, as data export does.
    pub(crate) fn append(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        file.write_all(content.as_bytes()).unwrap();
    }

    pub(crate) fn server(&self) -> &TestServer {
        self.server.as_ref().unwrap()
    }

    pub(crate) fn client(&self) -> IngestionServiceClient<AuthedChannel> {
        IngestionServiceClient::new(self.server().channel_as(Principal::service("orchestrator")))
    }

    /// A whole run as of the moment.
    pub(crate) async fn ingest(&self, as_of: &str) -> Summary {
        self.try_ingest(RunId::new(), at(as_of), &[]).await.unwrap()
    }

    pub(crate) async fn try_ingest(
        &self,
        run_id: RunId,
        as_of: DateTime<Utc>,
        tables: &[&str],
    ) -> Result<Summary, Status> {
        let request = IngestRequest {
            run_id: run_id.to_string(),
            as_of: timestamp(as_of),
            tables: tables.iter().map(|table| (*table).to_owned()).collect(),
        };
        let mut answers = self.client().ingest(request).await?.into_inner();
        let mut summary = None;
        while let Some(answer) = answers.message().await? {
            if let Some(Event::Summary(last)) = answer.event {
                summary = Some(last);
            }
        }
        let tables = summary.unwrap().tables.into_iter();
        Ok(tables.map(|table| (table.table.clone(), table)).collect())
    }

    /// The buckets of November 2026 as known at the moment.
    pub(crate) async fn buckets(&self, measure: Measure, known_at: &str) -> Vec<BucketRow> {
        let span = TimeSpan::new(at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z")).unwrap();
        self.buckets_in(measure, span, at(known_at)).await
    }

    pub(crate) async fn buckets_in(
        &self,
        measure: Measure,
        span: TimeSpan,
        known_at: DateTime<Utc>,
    ) -> Vec<BucketRow> {
        let store = BucketStore::new(self.context.ctx.lake.clone());
        store.rows(measure, span, known_at).await.unwrap()
    }

    /// Sum of the buckets.
    pub(crate) async fn count(&self, measure: Measure, known_at: &str) -> f64 {
        self.buckets(measure, known_at)
            .await
            .iter()
            .map(|row| row.value)
            .sum()
    }

    pub(crate) async fn quarantine(&self, table: &str) -> Vec<QuarantinedRow> {
        let request = ListQuarantineRequest {
            table: table.to_owned(),
            limit: 1000,
        };
        self.client()
            .list_quarantine(request)
            .await
            .unwrap()
            .into_inner()
            .rows
    }

    /// Reasons of the quarantine of a table and how often each occurs.
    pub(crate) async fn reasons(&self, table: &str) -> BTreeMap<String, usize> {
        let mut reasons = BTreeMap::new();
        for row in self.quarantine(table).await {
            *reasons.entry(row.reason).or_default() += 1;
        }
        reasons
    }

    pub(crate) async fn watermarks(&self) -> Vec<Watermark> {
        let answer = self
            .client()
            .list_watermarks(ListWatermarksRequest {})
            .await;
        answer.unwrap().into_inner().watermarks
    }

    pub(crate) async fn query_costs(&self) -> GetQueryCostsResponse {
        let request = GetQueryCostsRequest::default();
        let answer = self.client().get_query_costs(request).await;
        answer.unwrap().into_inner()
    }

    pub(crate) async fn completeness(&self, as_of: &str, hours: u32) -> Vec<TableCompleteness> {
        let request = ListCompletenessRequest {
            as_of: timestamp(at(as_of)),
            hours,
        };
        let answer = self.client().list_completeness(request).await;
        answer.unwrap().into_inner().tables
    }

    /// Paths and lengths of all objects of the lake.
    pub(crate) async fn lake(&self) -> Vec<(String, u64)> {
        let objects = self.context.ctx.lake.list("").await.unwrap();
        objects
            .into_iter()
            .map(|object| (object.path, object.size))
            .collect()
    }

    pub(crate) fn folder(&self) -> &TempDir {
        &self.context.folder
    }
}

/// A row of an incident. Times are minutes after 2026-11-20T00:00:00Z.
pub(crate) struct Incident {
    pub(crate) number: u32,
    pub(crate) created: i64,
    pub(crate) logged: i64,
    pub(crate) severity: &'static str,
    pub(crate) closed: Option<i64>,
}

pub(crate) fn minute(minutes: i64) -> String {
    let moment = at("2026-11-20T00:00:00Z") + TimeDelta::minutes(minutes);
    moment.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

impl Incident {
    pub(crate) fn new(number: u32, created: i64, severity: &'static str) -> Self {
        Self {
            number,
            created,
            logged: created,
            severity,
            closed: None,
        }
    }

    pub(crate) fn logged(self, logged: i64) -> Self {
        Self { logged, ..self }
    }

    pub(crate) fn closed(self, closed: i64) -> Self {
        Self {
            closed: Some(closed),
            ..self
        }
    }

    pub(crate) fn line(&self) -> String {
        let row = serde_json::json!({
            "TimeGenerated": minute(self.logged),
            "IncidentName": format!("incident-{}", self.number),
            "IncidentNumber": self.number,
            "CreatedTime": minute(self.created),
            "LastModifiedTime": minute(self.logged),
            "ClosedTime": self.closed.map(minute),
            "Status": if self.closed.is_some() { "Closed" } else { "Active" },
            "Severity": self.severity,
            "ProviderName": "Azure Sentinel",
            "Owner": {"assignedTo": "Ada"},
            "AdditionalData": {"alertProductNames": ["Defender"], "tactics": ["InitialAccess"]},
        });
        format!("{row}\n")
    }
}

/// Path of an export's object.
pub(crate) fn exported(table: &str, time: &str) -> String {
    format!(
        "am-{table}/WorkspaceResourceId=/subscriptions/s/resourcegroups/g/providers/microsoft.operationalinsights/workspaces/w/{time}/PT05M.json"
    )
}
