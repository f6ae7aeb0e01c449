//! A workspace on the emulator, and a server that answers what it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use foretide_domain::{RunningClock, SharedClock};
use foretide_emulator::{ArmConfig, Emulator, EmulatorConfig, EmulatorHandle};
use foretide_entra::StaticToken;
use foretide_http::{ClientOptions, RetryPolicy};
use foretide_sentinel_arm::{ArmClient, OperationPace, WorkspaceConfig};
use serde_json::Value;
use url::Url;

pub(crate) struct World {
    pub(crate) emulator: EmulatorHandle,
    pub(crate) client: ArmClient,
    /// A token for Azure Resource Manager.
    pub(crate) token: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(ArmConfig::default()).await
    }

    pub(crate) async fn with(arm: ArmConfig) -> Self {
        let config = EmulatorConfig {
            arm,
            ..EmulatorConfig::default()
        };
        let emulator = Emulator::start(config, clock()).await.unwrap();
        let token = token_of(&emulator).await;
        let client = client_at(&emulator.base_url(), &token);
        Self {
            emulator,
            client,
            token,
        }
    }

    /// Requests that wrote something.
    pub(crate) fn writes(&self) -> usize {
        let requests = self.emulator.requests("/subscriptions/");
        requests.iter().filter(|one| one.method != "GET").count()
    }
}

/// On the day all of these tests are on.
pub(crate) fn clock() -> SharedClock {
    RunningClock::starting_at("2026-11-23T06:00:00Z".parse().unwrap()).shared()
}

async fn token_of(emulator: &EmulatorHandle) -> String {
    let http = foretide_http::client(&ClientOptions::default()).unwrap();
    let address = format!(
        "{}/{}/oauth2/v2.0/token",
        emulator.base_url(),
        EmulatorConfig::TENANT
    );
    let answer = http
        .post(address)
        .form(&[
            ("grant_type", "client_credentials"),
            ("client_id", "foretide"),
            ("client_secret", "any"),
            ("scope", "https://management.azure.com/.default"),
        ])
        .send()
        .await
        .unwrap();
    let answer: Value = answer.json().await.unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

pub(crate) fn client_at(endpoint: &str, token: &str) -> ArmClient {
    let arm = ArmConfig::default();
    let workspace = WorkspaceConfig {
        endpoint: Url::parse(endpoint).unwrap(),
        audience: "https://management.azure.com".to_owned(),
        subscription_id: arm.subscription_id,
        resource_group: arm.resource_group,
        workspace: arm.workspace,
    };
    let http = foretide_http::client(&ClientOptions::default()).unwrap();
    let retry = RetryPolicy {
        attempts: 3,
        base: Duration::from_millis(1),
        max_wait: Duration::from_secs(2),
    };
    let pace = OperationPace {
        between: Duration::from_millis(1),
        longest_between: Duration::from_millis(20),
        patience: Duration::from_millis(400),
    };
    ArmClient::new(workspace, http, Arc::new(StaticToken::new(token)), clock())
        .unwrap()
        .with_retry(retry)
        .with_pace(pace)
}

type Told = (u16, Vec<(&'static str, String)>, String);

/// Answers what it is told, in turn; the last answer for ever.
#[derive(Clone, Default)]
pub(crate) struct Teller {
    answers: Arc<Mutex<VecDeque<Told>>>,
    seen: Arc<Mutex<Vec<(String, String, HeaderMap)>>>,
}

impl Teller {
    pub(crate) async fn start() -> (Self, ArmClient, String) {
        let teller = Self::default();
        let app = axum::Router::new()
            .fallback(Self::answer)
            .with_state(teller.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let client = client_at(&base, "secret-token");
        (teller, client, base)
    }

    pub(crate) fn will_say(&self, status: u16, body: &str) -> &Self {
        self.will_say_with(status, &[], body)
    }

    pub(crate) fn will_say_with(
        &self,
        status: u16,
        headers: &[(&'static str, String)],
        body: &str,
    ) -> &Self {
        let told = (status, headers.to_vec(), body.to_owned());
        self.answers.lock().unwrap().push_back(told);
        self
    }

    /// Method, path with query, headers.
    pub(crate) fn seen(&self) -> Vec<(String, String, HeaderMap)> {
        self.seen.lock().unwrap().clone()
    }

    async fn answer(
        State(teller): State<Self>,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
    ) -> Response {
        let seen = (method.to_string(), uri.to_string(), headers);
        teller.seen.lock().unwrap().push(seen);
        let mut answers = teller.answers.lock().unwrap();
        let (status, headers, body) = if answers.len() > 1 {
            answers.pop_front().unwrap()
        } else {
            answers.front().cloned().unwrap()
        };
        let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
        for (name, value) in headers {
            let name = HeaderName::from_static(name);
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        response
    }
}
