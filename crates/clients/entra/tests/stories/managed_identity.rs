//! Managed identities through the metadata service.

use std::time::Duration;

use chrono::TimeDelta;
use foretide_entra::{Credential, EntraError, IdentityConfig, ManagedIdentity, TokenSource};
use serde_json::json;

use crate::fake::{Bench, MONITOR, noon};

async fn bench(which: ManagedIdentity) -> Bench {
    let mut bench = Bench::with(|endpoint| {
        IdentityConfig::from(Credential::ManagedIdentity {
            which,
            endpoint: Some(endpoint),
        })
    })
    .await;
    bench.source = bench.source.with_upgrade_wait(Duration::from_secs(5));
    bench
}

/// As IMDS answers: numbers are text.
fn imds_token(text: &str, expires_in: &str) -> serde_json::Value {
    json!({
        "access_token": text, "client_id": "c", "expires_in": expires_in, "expires_on": "1795500000",
        "ext_expires_in": "86399", "not_before": "1795413300", "resource": MONITOR, "token_type": "Bearer",
    })
}

#[tokio::test]
async fn the_machines_own_identity_is_asked_for_as_imds_wants_it() {
    let bench = bench(ManagedIdentity::SystemAssigned).await;
    bench.endpoint.will_answer(200, &imds_token("one", "86399"));
    let token = bench.source.token(MONITOR).await.unwrap();
    assert_eq!(token.expires_at, noon() + TimeDelta::seconds(86_399));
    let asked = &bench.endpoint.requests()[0];
    assert_eq!(asked.path, "/metadata/identity/oauth2/token");
    assert_eq!(asked.headers["metadata"], "true");
    let query: Vec<_> = asked
        .query
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        query,
        [("api-version", "2018-02-01"), ("resource", MONITOR)]
    );
    // A day's token is refreshed at half-life.
    bench.after(43_198);
    bench.token().await.unwrap();
    bench.after(43_200);
    bench.endpoint.will_answer(200, &imds_token("two", "86399"));
    assert_eq!(bench.token().await.unwrap(), "two");
}

#[tokio::test]
async fn a_user_assigned_identity_is_named() {
    for (which, name) in [
        (ManagedIdentity::ClientId("x/1".to_owned()), "client_id"),
        (ManagedIdentity::ObjectId("x/1".to_owned()), "object_id"),
        (ManagedIdentity::ResourceId("x/1".to_owned()), "msi_res_id"),
    ] {
        let bench = bench(which).await;
        bench.endpoint.will_answer(200, &imds_token("one", "3599"));
        bench.token().await.unwrap();
        assert_eq!(bench.endpoint.requests()[0].query[name], "x/1");
    }
}

#[tokio::test]
async fn a_life_that_is_only_given_as_a_moment_is_read() {
    let bench = bench(ManagedIdentity::SystemAssigned).await;
    let end = (noon() + TimeDelta::seconds(7_000)).timestamp();
    bench.endpoint.will_answer(
        200,
        &json!({"access_token": "one", "expires_on": end.to_string()}),
    );
    let token = bench.source.token(MONITOR).await.unwrap();
    assert_eq!(token.expires_at, noon() + TimeDelta::seconds(7_000));
}

#[tokio::test]
async fn no_identity_is_for_the_operator_and_not_repeated() {
    let bench = bench(ManagedIdentity::SystemAssigned).await;
    bench.endpoint.will_answer(
        400,
        &json!({"error": "invalid_request", "error_description": "Identity not found"}),
    );
    let error = bench.token().await.unwrap_err();
    assert!(matches!(error, EntraError::InvalidClient { .. }) && !error.is_transient());
    assert!(error.to_string().contains("assign it"), "{error}");
    assert_eq!(bench.endpoint.requests().len(), 1);
}

#[tokio::test]
async fn an_upgrade_of_imds_is_waited_for() {
    let bench = bench(ManagedIdentity::SystemAssigned).await;
    for status in [404, 410, 410, 410, 410, 410] {
        bench.endpoint.will_answer(status, &json!({}));
    }
    bench.endpoint.will_answer(200, &imds_token("one", "3599"));
    assert_eq!(bench.token().await.unwrap(), "one");
}

#[tokio::test]
async fn an_upgrade_without_end_is_unavailable() {
    let mut bench = bench(ManagedIdentity::SystemAssigned).await;
    bench.source = bench.source.with_upgrade_wait(Duration::from_millis(30));
    for _ in 0..100 {
        bench.endpoint.will_answer(410, &json!({}));
    }
    let error = bench.token().await.unwrap_err();
    assert!(
        error.is_transient() && error.to_string().contains("upgraded"),
        "{error}"
    );
}

#[tokio::test]
async fn failures_and_throttling_are_decisions() {
    let bench = bench(ManagedIdentity::SystemAssigned).await;
    bench
        .endpoint
        .will_answer(500, &json!({}))
        .will_answer(503, &json!({}));
    assert!(bench.token().await.unwrap_err().is_transient());
    bench
        .endpoint
        .will_answer_text(429, vec![("retry-after", "90".to_owned())], "");
    let error = bench.token().await.unwrap_err();
    assert!(
        matches!(error, EntraError::Throttled { retry_after: Some(wait) } if wait.as_secs() == 90)
    );
    bench.after(90);
    for body in [
        "",
        "[]",
        r#"{"access_token":"top-secret"}"#,
        r#"{"access_token":"top-secret","expires_in":"soon"}"#,
    ] {
        bench.endpoint.will_answer_text(200, vec![], body);
        let error = bench.token().await.unwrap_err();
        assert!(matches!(error, EntraError::Malformed { .. }), "{error}");
        assert!(!error.to_string().contains("top-secret"));
    }
}
