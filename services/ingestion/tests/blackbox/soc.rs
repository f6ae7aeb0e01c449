//! A service with an auditor beside it, whom it met, and people who want to know.

use std::path::Path;
use std::sync::Arc;

use foretide_api::ingestion::v1 as api;
use foretide_api::ingestion::v1::pseudonym_service_client::PseudonymServiceClient;
use foretide_db::{Database, DatabaseConfig};
use foretide_domain::Role;
use foretide_ingestion::Config;
use foretide_ingestion::config::FilesConfig;
use foretide_service_runtime::AuthedChannel;
use foretide_service_runtime::testing::{TestContext, TestServer};
use foretide_test_support::{Postgres, or_skip};
use sea_orm::{ConnectionTrait, Statement};
use secrecy::SecretString;
use serde_json::json;
use tempfile::TempDir;
use tonic::{Code, Status};

use crate::auditor::Auditor;
use crate::world::{World, at};

pub(crate) const WHY: &str = "incident 4711: whose account is it";
pub(crate) const NAMES: [&str; 6] = [
    "ada@contoso.example",
    "grace@contoso.example",
    "198.51.100.7",
    "198.51.100.8",
    "203.0.113.99",
    "ws01.contoso.example",
];

/// A service with an auditor beside it, and the people who call.
pub(crate) struct Soc {
    pub(crate) world: World,
    pub(crate) auditor: Auditor,
    auditor_server: TestServer,
    postgres: Option<Arc<Postgres>>,
}

pub(crate) fn config(folder: &Path, key: &str, previous: Option<&str>) -> Config {
    Config {
        files: Some(FilesConfig::folder(&folder.join("input"))),
        pseudonym_key: Some(SecretString::from(key.repeat(64))),
        previous_pseudonym_key: previous.map(|key| SecretString::from(key.repeat(64))),
        pseudonym_resolves_an_hour: Some(60),
        ..Config::default()
    }
}

impl Soc {
    pub(crate) async fn on_sqlite() -> Self {
        Self::on(None).await
    }

    /// Nothing where there is no PostgreSQL.
    pub(crate) async fn on_postgres() -> Option<Self> {
        let postgres = or_skip(Postgres::start().await).unwrap()?;
        Some(Self::on(Some(Arc::new(postgres))).await)
    }

    pub(crate) async fn on(postgres: Option<Arc<Postgres>>) -> Self {
        let auditor = Auditor::default();
        let auditor_server = auditor.serve().await;
        let peers = [("auditor", auditor_server.address)];
        let mut context = TestContext::new("ingestion", at("2026-11-20T12:00:00Z"), &peers);
        if let Some(postgres) = &postgres {
            context.ctx.database = DatabaseConfig::new(postgres.url());
        }
        std::fs::create_dir(context.folder.path().join("input")).unwrap();
        let config = config(context.folder.path(), "a", None);
        Self {
            world: World::start(context, config).await,
            auditor,
            auditor_server,
            postgres,
        }
    }

    pub(crate) fn reopened(&self) -> TestContext {
        let peers = [("auditor", self.auditor_server.address)];
        let folder: Arc<TempDir> = Arc::clone(&self.world.context.folder);
        let now = self.world.context.ctx.clock.now();
        let mut context = TestContext::reopen("ingestion", now, &peers, folder);
        context.ctx.database = self.world.context.ctx.database.clone();
        context
    }

    /// The service started anew with these master keys.
    pub(crate) async fn restarted(self, key: &str, previous: Option<&str>) -> Self {
        let context = self.reopened();
        let config = config(context.folder.path(), key, previous);
        Self {
            world: World::start(context, config).await,
            ..self
        }
    }

    pub(crate) fn as_person(
        &self,
        name: &str,
        roles: &[Role],
    ) -> PseudonymServiceClient<AuthedChannel> {
        PseudonymServiceClient::new(self.world.server().channel_of(name, roles))
    }

    pub(crate) fn eve(&self) -> PseudonymServiceClient<AuthedChannel> {
        self.as_person("eve", &[Role::Viewer, Role::Operator])
    }

    pub(crate) fn anna(&self) -> PseudonymServiceClient<AuthedChannel> {
        self.as_person("anna", &[Role::Viewer, Role::Operator, Role::Approver])
    }

    /// Accounts that failed to log on, addresses of sign-ins, machines: all on a day.
    pub(crate) fn a_day_of_rows(&self, day: &str, accounts: &[&str], addresses: &[&str]) {
        let time = format!("{day}T09:30:00Z");
        let write = |table: &str, rows: Vec<serde_json::Value>| {
            let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
            self.world.append(&format!("{table}/{day}.ndjson"), &rows);
        };
        let account = |name| json!({"TimeGenerated": time, "EventID": 4625, "TargetAccount": name});
        let address = |from| json!({"TimeGenerated": time, "ResultType": "0", "IPAddress": from});
        write("SecurityEvent", accounts.iter().map(account).collect());
        write("SigninLogs", addresses.iter().map(address).collect());
        let device = json!({"TimeGenerated": time, "DeviceId": "WS01.contoso.example", "OSPlatform": "Windows11"});
        write("DeviceInfo", vec![device]);
        let denied =
            json!({"TimeGenerated": time, "DeviceAction": "deny", "SourceIP": "203.0.113.99"});
        write("CommonSecurityLog", vec![denied]);
    }

    pub(crate) async fn ingested(&self, as_of: &str) {
        for (table, summary) in self.world.ingest(as_of).await {
            assert_eq!(
                (summary.error.as_str(), summary.rows_quarantined),
                ("", 0),
                "{table}"
            );
        }
    }

    /// The rows of one day, read on the next.
    pub(crate) async fn with_a_day() -> Self {
        let soc = Self::on_sqlite().await;
        soc.a_day_of_rows("2026-11-19", &NAMES[..2], &NAMES[2..4]);
        soc.ingested("2026-11-20T12:00:00Z").await;
        soc
    }

    pub(crate) fn it_is(&self, moment: &str) {
        self.world.context.clock.advance_to(at(moment));
    }

    pub(crate) async fn known(&self, kind: &str) -> Vec<api::KnownPseudonym> {
        let request = api::ListPseudonymsRequest {
            kind: kind.to_owned(),
            limit: 0,
        };
        let answer = self.eve().list_pseudonyms(request).await;
        answer.unwrap().into_inner().pseudonyms
    }

    pub(crate) async fn resolve(
        &self,
        pseudonym: &str,
    ) -> Result<api::ResolvePseudonymResponse, Status> {
        resolve(self.anna(), pseudonym, WHY).await
    }

    /// The pseudonyms of somebody, oldest first.
    pub(crate) async fn find(&self, kind: &str, clear: &str) -> Vec<String> {
        let request = api::FindPseudonymsRequest {
            kind: kind.to_owned(),
            clear: clear.to_owned(),
            reason: WHY.to_owned(),
        };
        let answer = self.anna().find_pseudonyms(request).await;
        let found = answer.unwrap().into_inner().pseudonyms;
        found.into_iter().map(|known| known.pseudonym).collect()
    }

    pub(crate) async fn rotate(&self, at_once: bool) -> api::PseudonymEpoch {
        let request = api::RotatePseudonymKeysRequest {
            reason: "the yearly change".to_owned(),
            at_once,
        };
        let answer = self.anna().rotate_pseudonym_keys(request).await;
        answer.unwrap().into_inner().epoch.unwrap()
    }

    pub(crate) async fn drop_epoch(&self, epoch: u32, confirm: u32) -> Result<u64, Status> {
        let request = api::DropPseudonymEpochRequest {
            epoch,
            confirm,
            reason: "a year is over".to_owned(),
        };
        let answer = self.anna().drop_pseudonym_epoch(request).await;
        Ok(answer?.into_inner().erased)
    }

    pub(crate) async fn erase(
        &self,
        pseudonym: &str,
        confirm: &str,
    ) -> Result<Vec<String>, Status> {
        let request = api::ErasePseudonymRequest {
            pseudonym: pseudonym.to_owned(),
            confirm: confirm.to_owned(),
            reason: "a request under article 17".to_owned(),
        };
        Ok(self
            .anna()
            .erase_pseudonym(request)
            .await?
            .into_inner()
            .erased)
    }

    pub(crate) async fn epochs(&self) -> Vec<api::PseudonymEpoch> {
        let request = api::ListPseudonymEpochsRequest {};
        let answer = self.eve().list_pseudonym_epochs(request).await;
        answer.unwrap().into_inner().epochs
    }

    pub(crate) async fn database(&self) -> Database {
        Database::connect(&self.world.context.ctx.database, "ingestion")
            .await
            .unwrap()
    }

    /// Every byte of the files beside the input: lake and, on SQLite, database.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let folder = self.world.folder().path();
        let mut bytes = Vec::new();
        for place in ["lake", "db"] {
            add_bytes(&folder.join(place), &mut bytes);
        }
        bytes
    }

    /// What PostgreSQL, if it is used, has of each table, as text.
    pub(crate) async fn rows(&self) -> String {
        if self.postgres.is_none() {
            return String::new();
        }
        let database = self.database().await;
        let (connection, schema) = (database.connection(), database.schema());
        let backend = connection.get_database_backend();
        let tables = format!(
            "SELECT table_name::text AS name FROM information_schema.tables WHERE table_schema = '{schema}'"
        );
        let tables = connection
            .query_all_raw(Statement::from_string(backend, tables))
            .await;
        let mut text = String::new();
        for table in tables.unwrap() {
            let name: String = table.try_get("", "name").unwrap();
            let rows = format!("SELECT to_jsonb(t)::text AS row FROM \"{name}\" t");
            let rows = connection
                .query_all_raw(Statement::from_string(backend, rows))
                .await;
            for row in rows.unwrap() {
                text += &row.try_get::<String>("", "row").unwrap();
            }
        }
        text
    }

    /// What is stored of a pseudonym and of its epoch's secret.
    pub(crate) async fn stored(&self, pseudonym: &str, epoch: u32) -> [Vec<u8>; 2] {
        let database = self.database().await;
        let connection = database.connection();
        let mut stored = [vec![], vec![]];
        for (place, statement) in stored.iter_mut().zip([
            format!("SELECT sealed AS bytes FROM pseudonym_vault WHERE pseudonym = '{pseudonym}'"),
            format!("SELECT wrapped_secret AS bytes FROM pseudonym_epoch WHERE id = {epoch}"),
        ]) {
            let statement = Statement::from_string(connection.get_database_backend(), statement);
            let row = connection.query_one_raw(statement).await.unwrap().unwrap();
            *place = row.try_get("", "bytes").unwrap();
        }
        database.close().await.unwrap();
        stored
    }
}

pub(crate) async fn resolve(
    mut client: PseudonymServiceClient<AuthedChannel>,
    pseudonym: &str,
    reason: &str,
) -> Result<api::ResolvePseudonymResponse, Status> {
    let request = api::ResolvePseudonymRequest {
        pseudonym: pseudonym.to_owned(),
        reason: reason.to_owned(),
    };
    Ok(client.resolve_pseudonym(request).await?.into_inner())
}

pub(crate) fn add_bytes(folder: &Path, bytes: &mut Vec<u8>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_bytes(&path, bytes);
        } else {
            bytes.extend(std::fs::read(path).unwrap());
        }
    }
}

pub(crate) fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    !wanted.is_empty() && bytes.windows(wanted.len()).any(|found| found == wanted)
}

pub(crate) fn assert_code<T: std::fmt::Debug>(outcome: Result<T, Status>, code: Code) -> String {
    let status = outcome.unwrap_err();
    assert_eq!(status.code(), code, "{status}");
    status.message().to_owned()
}
