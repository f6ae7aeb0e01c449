//! Four months of exports in Azure Blob Storage, brought in by hand: quoted, started, paused, killed,
//! resumed, and one damaged file repaired.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use foretide_domain::{Measure, TimeSpan};
use foretide_e2e::{Installation, Setup, Shape, now};
use foretide_lake::buckets::BucketStore;
use foretide_lake::{Lake, LakeConfig, open_object_store};
use foretide_test_support::{Azurite, Postgres, or_skip, wait_until};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{ObjectStore, ObjectStoreExt};
use polars::prelude::{ParquetWriter, df};
use serde_json::{Value, json};

const DAYS: u64 = 120;
const JOB: &str = "4f0c";
/// States as the service numbers them.
const PAUSED: u64 = 3;
const DONE: u64 = 4;
const FAILED: u64 = 5;

/// The exports, and what was put into them.
struct Exports<'a> {
    azurite: &'a Azurite,
    jobs: Arc<dyn ObjectStore>,
    first: NaiveDate,
    /// Incidents by day, as they should be counted.
    incidents_truth: BTreeMap<NaiveDate, f64>,
    /// Failed sign-ins by day.
    sign_ins_truth: BTreeMap<NaiveDate, f64>,
}

impl<'a> Exports<'a> {
    async fn put(azurite: &'a Azurite) -> anyhow::Result<Self> {
        for container in ["am-securityincident", "jobs"] {
            azurite.create_container(container).await?;
        }
        let first = now().date_naive() - Days::new(DAYS);
        let mut exports = Self {
            azurite,
            jobs: open(azurite, "az://jobs")?,
            first,
            incidents_truth: BTreeMap::new(),
            sign_ins_truth: BTreeMap::new(),
        };
        for day in first.iter_days().take(usize::try_from(DAYS)?) {
            exports.incidents_truth.insert(day, 3.0);
            exports.sign_ins_truth.insert(day, 4.0);
        }
        let days: Vec<NaiveDate> = exports.incidents_truth.keys().copied().collect();
        stream::iter(days)
            .map(|day| exports.put_day(day))
            .buffer_unordered(8)
            .try_collect::<()>()
            .await?;
        Ok(exports)
    }

    async fn put_day(&self, day: NaiveDate) -> anyhow::Result<()> {
        self.append(day, "PT05M.json", 0..3).await?;
        write(&self.jobs, &parquet_path(day), sign_ins(day)?).await
    }

    /// The last day of the exports.
    fn last(&self) -> NaiveDate {
        self.first + Days::new(DAYS - 1)
    }

    /// Another row at the end of a day's blob, as data export appends them, one of them twice.
    async fn append_late(&mut self, day: NaiveDate) -> anyhow::Result<()> {
        self.append(day, "PT05M.json", [3, 3]).await?;
        *self.incidents_truth.entry(day).or_default() += 1.0;
        Ok(())
    }

    /// The blob that follows after 50,000 appends.
    async fn begin_second_blob(&mut self, day: NaiveDate) -> anyhow::Result<()> {
        self.append(day, "PT05M_1.json", 10..12).await?;
        *self.incidents_truth.entry(day).or_default() += 2.0;
        Ok(())
    }

    async fn append(
        &self,
        day: NaiveDate,
        name: &str,
        numbers: impl IntoIterator<Item = i64>,
    ) -> anyhow::Result<()> {
        let lines: String = numbers.into_iter().map(|at| incident(day, at)).collect();
        let path = format!("am-securityincident/{}", blob(day, name));
        self.azurite.append(&path, lines.as_bytes()).await
    }

    async fn damage(&self, day: NaiveDate) -> anyhow::Result<()> {
        let whole = sign_ins(day)?;
        let half = whole[..whole.len() / 2].to_vec();
        write(&self.jobs, &parquet_path(day), half).await
    }

    async fn repair(&self, day: NaiveDate) -> anyhow::Result<()> {
        write(&self.jobs, &parquet_path(day), sign_ins(day)?).await
    }
}

fn container(azurite: &Azurite, url: &str) -> Value {
    json!({
        "url": url,
        "account": Azurite::ACCOUNT,
        "access_key": Azurite::KEY,
        "endpoint": format!("{}/{}", azurite.url(), Azurite::ACCOUNT),
    })
}

fn open(azurite: &Azurite, url: &str) -> anyhow::Result<Arc<dyn ObjectStore>> {
    let config: LakeConfig = serde_json::from_value(container(azurite, url))?;
    Ok(open_object_store(&config)?)
}

async fn write(
    store: &Arc<dyn ObjectStore>,
    path: &str,
    content: impl Into<Vec<u8>>,
) -> anyhow::Result<()> {
    let content: Vec<u8> = content.into();
    store.put(&path.into(), content.into()).await?;
    Ok(())
}

fn blob(day: NaiveDate, name: &str) -> String {
    let folder = day.format("y=%Y/m=%m/d=%d/h=09/m=05");
    format!(
        "WorkspaceResourceId=/subscriptions/s/resourcegroups/g/providers/microsoft.operationalinsights/workspaces/w/{folder}/{name}"
    )
}

fn parquet_path(day: NaiveDate) -> String {
    format!("workspaceId/w/jobId/{JOB}/timestamp={day}T09/part-0.snappy.parquet")
}

fn nine(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::hours(9)
}

fn incident(day: NaiveDate, number: i64) -> String {
    let created = nine(day) + TimeDelta::seconds(300 + number);
    let row = json!({
        "TimeGenerated": created,
        "IncidentName": format!("{day}-{number}"),
        "CreatedTime": created,
        "LastModifiedTime": created,
        "Status": "Active",
        "Severity": "High",
        "ProviderName": "Azure Sentinel",
    });
    format!("{row}\n")
}

fn sign_ins(day: NaiveDate) -> anyhow::Result<Vec<u8>> {
    let times: Vec<String> = (0..4)
        .map(|at| (nine(day) + TimeDelta::minutes(at)).to_rfc3339())
        .collect();
    let mut frame = df!(
        "TimeGenerated" => &times,
        "ResultType" => ["50126"; 4],
        "IPAddress" => ["198.51.100.7"; 4],
        "UserPrincipalName" => ["ada@contoso.example"; 4],
    )?;
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame)?;
    Ok(bytes)
}

async fn say(installation: &Installation, arguments: &[&str]) -> anyhow::Result<String> {
    let mut line = vec!["backfill"];
    line.extend(arguments);
    let said = installation.cli("operator", &line).await?.success()?;
    Ok(said.stdout)
}

/// What the command says when it is refused.
async fn refused(installation: &Installation, arguments: &[&str]) -> anyhow::Result<String> {
    let mut line = vec!["backfill"];
    line.extend(arguments);
    let said = installation.cli("operator", &line).await?;
    ensure!(
        said.code != 0,
        "{arguments:?} was not refused: {}",
        said.stdout
    );
    Ok(said.stderr)
}

async fn status(installation: &Installation, id: &str) -> anyhow::Result<Value> {
    let said = say(installation, &["status", id, "--format", "json"]).await?;
    Ok(serde_json::from_str(&said)?)
}

async fn wait_for(installation: &Installation, id: &str, state: u64) -> anyhow::Result<Value> {
    wait_until(Duration::from_secs(180), "the backfill rests", || async {
        let status = status(installation, id).await?;
        let now = status["state"].as_u64();
        ensure!(
            [Some(2), Some(state)].contains(&now),
            "it is in state {now:?}: {status}"
        );
        Ok((now == Some(state)).then_some(status))
    })
    .await
}

/// Counts of a measure in the lake, by day.
async fn counted(
    installation: &Installation,
    measure: Measure,
) -> anyhow::Result<BTreeMap<NaiveDate, f64>> {
    let lake = Lake::open(&LakeConfig::folder(
        &installation.folder().join("data/lake"),
    ))?;
    let end = now() + TimeDelta::days(1);
    let span = TimeSpan {
        start: end - TimeDelta::days(200),
        end,
    };
    let mut days = BTreeMap::new();
    for row in BucketStore::new(lake).rows(measure, span, end).await? {
        *days.entry(row.event_time.date_naive()).or_default() += row.value;
    }
    Ok(days)
}

#[tokio::test(flavor = "multi_thread")]
async fn four_months_are_brought_in_through_pause_kill_and_repair() -> anyhow::Result<()> {
    four_months_are_brought_in(Setup::new(Shape::OneProcess)?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_four_months_come_in_through_eight_processes_on_postgresql() -> anyhow::Result<()>
{
    let Some(postgres) = or_skip(Postgres::start().await)? else {
        return Ok(());
    };
    let setup = Setup::new(Shape::EightProcesses)?.on_postgres(postgres);
    four_months_are_brought_in(setup).await
}

async fn four_months_are_brought_in(setup: Setup) -> anyhow::Result<()> {
    let Some(azurite) = or_skip(Azurite::start().await)? else {
        return Ok(());
    };
    let mut exports = Exports::put(&azurite).await?;
    let broken = exports.first + Days::new(40);
    exports.damage(broken).await?;
    exports
        .begin_second_blob(exports.first + Days::new(60))
        .await?;
    let mut installation = setup
        .with(
            "/ingestion/files",
            json!({
                "locations": [
                    container(&azurite, "az://am-securityincident"),
                    container(&azurite, "az://jobs"),
                ],
                "export_jobs": {JOB: "SigninLogs"},
            }),
        )
        .with(
            "/ingestion/tables",
            json!(["SecurityIncident", "SigninLogs"]),
        )
        .start()
        .await?;

    let (from, to) = (exports.first.to_string(), exports.last().to_string());
    mistakes_are_named(&installation, &from, &to).await?;
    let plan = ["plan", "--from", &from, "--to", &to];
    let shown = say(&installation, &plan).await?;
    for part in [
        "SecurityIncident",
        "SigninLogs",
        "240 parts",
        "budget: within it",
    ] {
        ensure!(shown.contains(part), "{part} is not in {shown}");
    }
    ensure!(
        counted(&installation, Measure::Incidents).await?.is_empty(),
        "a quote reads nothing"
    );
    let id = shown
        .lines()
        .find_map(|line| line.strip_prefix("start it: foretide backfill start "))
        .context("the quote does not say how to start it")?
        .to_owned();

    say(&installation, &["start", &id]).await?;
    say(&installation, &["pause", &id]).await?;
    let paused = status(&installation, &id).await?;
    ensure!(paused["state"] == json!(PAUSED), "{paused}");
    let left = paused["progress"]["parts_left"].as_u64().unwrap_or(0);
    ensure!(left > 0, "it was over before it could be paused");
    // the newest days come first, so the oldest is still to be read
    exports.append_late(exports.first).await?;
    say(&installation, &["resume", &id]).await?;
    let twice = refused(&installation, &["start", &id]).await?;
    ensure!(twice.contains("cannot be started"), "{twice}");
    let process = installation.process_of("ingestion")?;
    process.kill_hard()?;
    process.restart().await?;

    let failed = wait_for(&installation, &id, FAILED).await?;
    let parts = failed["failed_parts"].as_array().context("parts")?;
    ensure!(parts.len() == 1, "{failed}");
    let error = parts[0]["error"].as_str().unwrap_or_default();
    ensure!(error.contains(&parquet_path(broken)), "{error}");
    ensure!(error.contains("broken_object"), "{error}");
    let shown = say(&installation, &["status", &id]).await?;
    ensure!(
        shown.contains(&format!("foretide backfill retry {id}")),
        "{shown}"
    );

    exports.repair(broken).await?;
    say(&installation, &["retry", &id]).await?;
    let done = wait_for(&installation, &id, DONE).await?;
    ensure!(done["progress"]["parts_done"] == json!(240), "{done}");
    the_lake_holds(&installation, &exports).await?;

    // a row that comes in after all that is one part more, and nothing else is read
    exports.append_late(exports.last()).await?;
    let quote: Value = serde_json::from_str(
        &say(
            &installation,
            &["plan", "--from", &from, "--to", &to, "--format", "json"],
        )
        .await?,
    )?;
    ensure!(quote["quote"]["parts"] == json!(1), "{quote}");
    let id = quote["backfill_id"].as_str().context("an id")?;
    say(&installation, &["start", id]).await?;
    let done = wait_for(&installation, id, DONE).await?;
    ensure!(done["progress"]["rows"] == json!(2), "{done}");
    the_lake_holds(&installation, &exports).await
}

async fn the_lake_holds(installation: &Installation, exports: &Exports<'_>) -> anyhow::Result<()> {
    let incidents = counted(installation, Measure::Incidents).await?;
    ensure!(incidents == exports.incidents_truth, "{incidents:?}");
    let sign_ins = counted(installation, Measure::FailedLogins).await?;
    ensure!(sign_ins == exports.sign_ins_truth, "{sign_ins:?}");
    Ok(())
}

async fn mistakes_are_named(
    installation: &Installation,
    from: &str,
    to: &str,
) -> anyhow::Result<()> {
    let unknown = "00000000-0000-7000-8000-000000000000";
    let cases: [(&[&str], &str); 6] = [
        (&["plan", "--from", to, "--to", from], "lies before --from"),
        (
            &["plan", "--from", "yesterday", "--to", to],
            "invalid value",
        ),
        (
            &[
                "plan",
                "--from",
                from,
                "--to",
                to,
                "--tables",
                "x'; drop table backfill",
            ],
            "field tables",
        ),
        (
            &["plan", "--from", from, "--to", to, "--source", "tape"],
            "field source",
        ),
        (&["start", unknown], "there is no backfill"),
        (&["status"], "there is no backfill"),
    ];
    for (arguments, wanted) in cases {
        let said = refused(installation, arguments).await?;
        ensure!(said.contains(wanted), "{arguments:?}: {said}");
    }
    Ok(())
}
