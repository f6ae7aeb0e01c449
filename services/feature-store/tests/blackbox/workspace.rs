//! A small workspace with known counts, and verbs to speak about it.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use foretide_api::features::v1 as wire;
use foretide_api::features::v1::feature_store_service_client::FeatureStoreServiceClient;
use foretide_api::features::v1::materialize_response::Event;
use foretide_api::timestamp;
use foretide_api::types::v1::TimeSpan;
use foretide_db::testing::TestDatabase;
use foretide_domain::{Measure, Principal, RunId};
use foretide_feature_store::config::Config;
use foretide_lake::buckets::{BucketRow, BucketStore};
use foretide_service_runtime::AuthedChannel;
use foretide_service_runtime::testing::{TestContext, TestServer};
use polars::frame::DataFrame;
use tonic::Status;

/// A Monday, midnight UTC.
pub(crate) const FIRST_DAY: &str = "2026-03-02T00:00:00Z";

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a moment in RFC 3339")
}

/// The hour so many days and hours after the first.
pub(crate) fn hour(days: i64, hours: i64) -> DateTime<Utc> {
    at(FIRST_DAY) + TimeDelta::days(days) + TimeDelta::hours(hours)
}

pub(crate) fn row(time: DateTime<Utc>, severity: &str, product: &str, value: f64) -> BucketRow {
    BucketRow {
        event_time: time,
        severity: severity.to_owned(),
        product: product.to_owned(),
        tactic: String::new(),
        value,
    }
}

pub(crate) struct Workspace {
    pub(crate) context: TestContext,
    pub(crate) buckets: BucketStore,
    pub(crate) server: TestServer,
    pub(crate) client: FeatureStoreServiceClient<AuthedChannel>,
}

impl Workspace {
    /// A feature store on an empty lake.
    pub(crate) async fn empty() -> Self {
        Self::with_config(Config::default()).await
    }

    pub(crate) async fn with_config(config: Config) -> Self {
        Self::open(
            TestContext::new("feature-store", at(FIRST_DAY), &[]),
            config,
        )
        .await
    }

    /// A feature store with its tables on the given database.
    pub(crate) async fn on_database(database: &TestDatabase) -> Self {
        let mut context = TestContext::new("feature-store", at(FIRST_DAY), &[]);
        context.ctx.database = database.config.clone();
        Self::open(context, Config::default()).await
    }

    /// A feature store on the folder of another one, as after a restart.
    pub(crate) async fn restarted(self) -> Self {
        let folder = self.context.folder.clone();
        self.server.stop().await;
        let context = TestContext::reopen("feature-store", at(FIRST_DAY), &[], folder);
        Self::open(context, Config::default()).await
    }

    async fn open(context: TestContext, config: Config) -> Self {
        let built = foretide_feature_store::build(&context.ctx, config)
            .await
            .expect("builds");
        let server = TestServer::start(&context.ctx, built).await;
        let channel = server.channel_as(Principal::service("trainer"));
        Self {
            buckets: BucketStore::new(context.ctx.lake.clone()),
            client: FeatureStoreServiceClient::new(channel),
            context,
            server,
        }
    }

    /// A feature store on a lake with so many days, each known at its end.
    pub(crate) async fn with_days(days: i64) -> Self {
        let workspace = Self::empty().await;
        for day in 0..days {
            workspace.ingest_usual_day(day, hour(day + 1, 0)).await;
        }
        workspace
    }

    /// Every hour one incident of high severity; at noon three of low severity from another
    /// product, and five alerts. One incident is closed at 23:00. Two failed sign-ins an hour, nine
    /// addresses a day.
    pub(crate) async fn ingest_usual_day(&self, day: i64, known_at: DateTime<Utc>) {
        let mut incidents: Vec<_> = (0..24)
            .map(|of_day| row(hour(day, of_day), "High", "Microsoft Defender XDR", 1.0))
            .collect();
        incidents.push(row(hour(day, 12), "Low", "Okta, Inc.", 3.0));
        let closed = vec![row(hour(day, 23), "High", "Microsoft Defender XDR", 1.0)];
        let alerts = vec![row(hour(day, 12), "High", "Microsoft Defender XDR", 5.0)];
        let logins = (0..24)
            .map(|of_day| row(hour(day, of_day), "", "", 2.0))
            .collect();
        let addresses = vec![row(hour(day, 0), "", "", 9.0)];
        self.ingest(Measure::Incidents, day, known_at, incidents)
            .await;
        self.ingest(Measure::IncidentsClosed, day, known_at, closed)
            .await;
        self.ingest(Measure::Alerts, day, known_at, alerts).await;
        self.ingest(Measure::FailedLogins, day, known_at, logins)
            .await;
        self.ingest(Measure::UniqueSourceIpsDaily, day, known_at, addresses)
            .await;
    }

    /// Writes a whole day of one measure as known at a moment.
    pub(crate) async fn ingest(
        &self,
        measure: Measure,
        day: i64,
        known_at: DateTime<Utc>,
        rows: Vec<BucketRow>,
    ) {
        let date = hour(day, 0).date_naive();
        assert_eq!(hour(day, 0).time(), NaiveTime::MIN);
        self.buckets
            .write_day(measure, date, known_at, RunId::new(), rows)
            .await
            .expect("the buckets are valid");
    }

    pub(crate) async fn train_as_of(
        &mut self,
        known_at: DateTime<Utc>,
    ) -> Result<wire::TrainingSet, Status> {
        let request = wire::BuildTrainingSetRequest {
            run_id: RunId::new().to_string(),
            use_case: "attack_volume".to_owned(),
            known_at: timestamp(known_at),
        };
        let response = self.client.build_training_set(request).await?.into_inner();
        Ok(response.training_set.expect("a training set"))
    }

    pub(crate) async fn materialize(
        &mut self,
        run_id: RunId,
        as_of: DateTime<Utc>,
    ) -> Result<(Vec<String>, wire::MaterializeSummary), Status> {
        let request = wire::MaterializeRequest {
            run_id: run_id.to_string(),
            use_case: "attack_volume".to_owned(),
            as_of: timestamp(as_of),
        };
        let mut events = self.client.materialize(request).await?.into_inner();
        let mut stages = Vec::new();
        while let Some(message) = events.message().await? {
            match message.event.expect("an event") {
                Event::Progress(progress) => stages.push(progress.stage),
                Event::Summary(summary) => return Ok((stages, summary)),
            }
        }
        panic!("the stream ended without a summary");
    }

    pub(crate) async fn actuals(
        &mut self,
        series: &[&str],
        start: DateTime<Utc>,
        end: DateTime<Utc>,
        known_at: DateTime<Utc>,
    ) -> Result<wire::GetActualsResponse, Status> {
        let request = wire::GetActualsRequest {
            use_case: "attack_volume".to_owned(),
            series_ids: series.iter().map(|&id| id.to_owned()).collect(),
            span: Some(TimeSpan {
                start: timestamp(start),
                end: timestamp(end),
            }),
            known_at: timestamp(known_at),
        };
        Ok(self.client.get_actuals(request).await?.into_inner())
    }

    pub(crate) async fn scoring_frame(
        &mut self,
        as_of: DateTime<Utc>,
        horizon_hours: u32,
        history_hours: u32,
    ) -> Result<wire::GetScoringFrameResponse, Status> {
        let request = wire::GetScoringFrameRequest {
            use_case: "attack_volume".to_owned(),
            as_of: timestamp(as_of),
            horizon_hours,
            history_hours,
        };
        Ok(self.client.get_scoring_frame(request).await?.into_inner())
    }

    pub(crate) async fn online(
        &mut self,
        series: &[&str],
        features: &[&str],
    ) -> Result<Vec<wire::OnlineValue>, Status> {
        let request = wire::GetOnlineValuesRequest {
            use_case: "attack_volume".to_owned(),
            series_ids: series.iter().map(|&id| id.to_owned()).collect(),
            features: features.iter().map(|&name| name.to_owned()).collect(),
        };
        Ok(self
            .client
            .get_online_values(request)
            .await?
            .into_inner()
            .values)
    }

    pub(crate) fn file(&self, path: &str) -> std::path::PathBuf {
        self.context.folder.path().join("lake").join(path)
    }

    pub(crate) async fn table(&self, path: &str, sha256: &str) -> DataFrame {
        let lake = &self.context.ctx.lake;
        lake.read_frame(path, Some(sha256))
            .await
            .expect("the file is as it was written")
    }

    /// Paths of the feature files, oldest first.
    pub(crate) async fn feature_files(&self) -> Vec<String> {
        let files = self
            .context
            .ctx
            .lake
            .list("features")
            .await
            .expect("the lake answers");
        files.into_iter().map(|file| file.path).collect()
    }
}

/// One column of a table as numbers.
pub(crate) fn numbers(table: &DataFrame, column: &str) -> Vec<f64> {
    let column = table.column(column).expect("the column is there");
    column.f64().expect("numbers").into_no_null_iter().collect()
}

/// The values of a series in an answer.
pub(crate) fn series<'a>(found: &'a [wire::SeriesHistory], id: &str) -> &'a wire::SeriesHistory {
    found
        .iter()
        .find(|series| series.series_id == id)
        .expect("the series is there")
}
