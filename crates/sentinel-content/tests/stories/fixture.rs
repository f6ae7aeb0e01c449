use std::sync::Arc;
use std::time::Duration;

use foretide_domain::{RunningClock, SharedClock};
use foretide_emulator::{ArmConfig, Emulator, EmulatorConfig, EmulatorHandle};
use foretide_entra::StaticToken;
use foretide_http::{ClientOptions, RetryPolicy};
use foretide_sentinel_arm::{ArmClient, OperationPace, WorkspaceConfig};
use foretide_sentinel_content::PackOptions;
use serde_json::Value;
use std::path::{Path, PathBuf};

pub(crate) struct World {
    pub(crate) emulator: EmulatorHandle,
    pub(crate) client: ArmClient,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(ArmConfig::default()).await
    }

    /// An Azure that keeps nobody waiting.
    pub(crate) async fn patient() -> Self {
        Self::with(ArmConfig {
            throttles: false,
            operation_looks: 0,
            ..ArmConfig::default()
        })
        .await
    }

    async fn with(arm: ArmConfig) -> Self {
        let config = EmulatorConfig {
            arm,
            ..EmulatorConfig::default()
        };
        let emulator = Emulator::start(config, clock()).await.unwrap();
        let token = token_for(&emulator, "https://management.azure.com").await;
        let client = client_at(&emulator.base_url(), &token);
        Self { emulator, client }
    }

    pub(crate) fn options(&self) -> PackOptions {
        PackOptions::of(&self.client, "westeurope")
    }

    /// Requests that wrote something.
    pub(crate) fn writes(&self) -> usize {
        let requests = self.emulator.requests("/subscriptions/");
        requests.iter().filter(|one| one.method != "GET").count()
    }
}

pub(crate) fn clock() -> SharedClock {
    RunningClock::starting_at("2026-11-23T06:00:00Z".parse().unwrap()).shared()
}

/// A token for an interface of Azure.
pub(crate) async fn token_for(emulator: &EmulatorHandle, audience: &str) -> String {
    let http = foretide_http::client(&ClientOptions::default()).unwrap();
    let address = format!(
        "{}/{}/oauth2/v2.0/token",
        emulator.base_url(),
        EmulatorConfig::TENANT
    );
    let scope = format!("{audience}/.default");
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "foretide"),
        ("client_secret", "any"),
        ("scope", &scope),
    ];
    let answer = http.post(address).form(&form).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

pub(crate) fn client_at(endpoint: &str, token: &str) -> ArmClient {
    let arm = ArmConfig::default();
    let workspace = WorkspaceConfig {
        endpoint: endpoint.parse().unwrap(),
        audience: "https://management.azure.com".to_owned(),
        subscription_id: arm.subscription_id,
        resource_group: arm.resource_group,
        workspace: arm.workspace,
    };
    let http = foretide_http::client(&ClientOptions::default()).unwrap();
    let tokens = Arc::new(StaticToken::new(token));
    let pace = OperationPace {
        between: Duration::from_millis(1),
        ..OperationPace::default()
    };
    let retry = RetryPolicy {
        base: Duration::from_millis(1),
        ..RetryPolicy::default()
    };
    ArmClient::new(workspace, http, tokens, clock())
        .unwrap()
        .with_pace(pace)
        .with_retry(retry)
}

/// A file of the shared fixtures, read in place; nothing, with a word, where they are not.
pub(crate) fn shared_fixture(path: &str) -> Option<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures/fetched");
    let path: PathBuf = root.join(path);
    match std::fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(_) => {
            eprintln!("skipped: {} is not there", path.display());
            None
        }
    }
}
