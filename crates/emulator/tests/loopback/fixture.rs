use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use foretide_domain::SimulatedClock;
use foretide_emulator::{Emulator, EmulatorConfig, EmulatorHandle};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

/// The clock of these tests.
pub(crate) fn clock() -> SimulatedClock {
    SimulatedClock::starting_at("2026-11-23T10:00:00Z".parse().expect("a moment"))
}

/// An emulator on a clock set by hand, and a client.
pub(crate) struct World {
    pub(crate) emulator: EmulatorHandle,
    pub(crate) clock: SimulatedClock,
    pub(crate) http: reqwest::Client,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(EmulatorConfig::default()).await
    }

    pub(crate) async fn with(config: EmulatorConfig) -> Self {
        let clock = clock();
        let emulator = Emulator::start(config, Arc::new(clock.clone()))
            .await
            .expect("the emulator starts");
        let http =
            foretide_http::client(&foretide_http::ClientOptions::default()).expect("a client");
        Self {
            emulator,
            clock,
            http,
        }
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.http
            .post(format!("{}{path}", self.emulator.base_url()))
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.emulator.base_url()))
    }

    pub(crate) async fn ask_for_token(&self, fields: &[(&str, &str)]) -> Response {
        let path = format!("/{}/oauth2/v2.0/token", EmulatorConfig::TENANT);
        self.post(&path)
            .form(fields)
            .send()
            .await
            .expect("an answer")
    }

    pub(crate) async fn token_for(&self, audience: &str) -> String {
        let scope = format!("{audience}/.default");
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", "foretide"),
            ("client_secret", "anything"),
            ("scope", &scope),
        ];
        let answer = self.ask_for_token(&fields).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let body: Value = answer.json().await.expect("JSON");
        body["access_token"].as_str().expect("a token").to_owned()
    }

    pub(crate) async fn upload(&self, token: &str, rows: &Value) -> Response {
        let path = upload_path("Custom-PredictiveAlerting_CL");
        self.post(&path)
            .bearer_auth(token)
            .json(rows)
            .send()
            .await
            .expect("an answer")
    }
}

pub(crate) fn upload_path(stream: &str) -> String {
    let rule = EmulatorConfig::RULE_ID;
    format!("/dataCollectionRules/{rule}/streams/{stream}?api-version=2023-01-01")
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("written to memory");
    encoder.finish().expect("finished")
}

pub(crate) async fn error_code(answer: Response) -> String {
    let body: Value = answer.json().await.expect("JSON");
    body["error"]["code"].as_str().expect("a code").to_owned()
}

pub(crate) fn card() -> Value {
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": [{ "type": "TextBlock", "text": "Forecast", "wrap": true }],
            },
        }],
    })
}
