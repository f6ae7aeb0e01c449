//! Nothing that proves an identity is in a log, an error or debug output, however much is logged.

use std::io::Write;
use std::sync::{Arc, Mutex};

use foretide_entra::{Credential, StaticToken};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::fake::{Bench, CLIENT, at, refusal, token};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Captured {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Everything that may not be seen.
const HIDDEN: [&str; 6] = [
    "p&ss=word",
    "p%26ss%3Dword",
    "access-token-text",
    "the.pod.token",
    "static-token-text",
    "echoed-by-the-server",
];

#[tokio::test]
async fn secrets_assertions_and_tokens_leave_no_trace() {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(captured.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut shown = format!("{:?}", StaticToken::new("static-token-text"));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "the.pod.token").unwrap();
    let federated = |authority| {
        at(
            authority,
            Credential::WorkloadIdentity {
                tenant: Some("contoso.example".to_owned()),
                client_id: Some(CLIENT.to_owned()),
                token_file: Some(file),
            },
        )
    };
    for bench in [Bench::with_secret().await, Bench::with(federated).await] {
        bench
            .endpoint
            .will_answer(200, &token("access-token-text", 600));
        bench.token().await.unwrap();
        bench.after(400);
        bench.endpoint.will_answer(401, &refusal(7_000_215));
        bench.token().await.unwrap();
        bench.after(600);
        let echo = json!({"error": "invalid_client", "error_description": "AADSTS50027: echoed-by-the-server"});
        bench.endpoint.will_answer(400, &echo);
        let error = bench.token().await.unwrap_err();
        shown.push_str(&format!("{error} {error:?} {:?}", bench.source));
        bench.endpoint.will_answer_text(
            200,
            vec![],
            r#"{"access_token": "access-token-text", "expires_in": "x"}"#,
        );
        let error = bench.token().await.unwrap_err();
        shown.push_str(&format!("{error} {error:?}"));
    }

    let logged = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    assert!(
        logged.contains("the old one is served"),
        "the capture works: {logged}"
    );
    for hidden in HIDDEN {
        assert!(!logged.contains(hidden), "{hidden} was logged");
        assert!(!shown.contains(hidden), "{hidden} was shown");
    }
}
