//! The client-secret flow, and what holds for every flow against a token endpoint.

use chrono::TimeDelta;
use foretide_domain::SimulatedClock;
use foretide_entra::{EntraError, IdentityConfig, TokenSource};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;

use crate::fake::{Bench, MONITOR, noon, refusal, token, tokens_of};

#[tokio::test]
async fn asks_once_for_one_audience_and_caches() {
    let bench = Bench::with_secret().await;
    bench.endpoint.will_answer(200, &token("first", 3_599));
    let (one, two) = tokio::join!(bench.source.token(MONITOR), bench.source.token(MONITOR));
    assert_eq!(one.unwrap().secret.expose_secret(), "first");
    let two = two.unwrap();
    assert_eq!(two.secret.expose_secret(), "first");
    assert_eq!(two.expires_at, noon() + TimeDelta::seconds(3_599));
    let requests = bench.endpoint.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].path, "/contoso.example/oauth2/v2.0/token");
    assert_eq!(
        requests[0].body,
        "grant_type=client_credentials&client_id=app-1&scope=https%3A%2F%2Fmonitor.azure.com%2F.default&client_secret=p%26ss%3Dword"
    );
}

#[tokio::test]
async fn refreshes_before_the_end_and_serves_the_old_token_while_that_fails() {
    let bench = Bench::with_secret().await;
    bench.endpoint.will_answer(200, &token("first", 3_599));
    bench.source.token(MONITOR).await.unwrap();
    bench.clock.advance_to(noon() + TimeDelta::seconds(3_400));
    bench
        .endpoint
        .will_answer(500, &json!({}))
        .will_answer(503, &json!({}));
    let still_old = bench.source.token(MONITOR).await.unwrap();
    assert_eq!(still_old.secret.expose_secret(), "first");
    bench.clock.advance_to(noon() + TimeDelta::seconds(3_431));
    bench.endpoint.will_answer(200, &token("second", 3_599));
    assert_eq!(
        bench
            .source
            .token(MONITOR)
            .await
            .unwrap()
            .secret
            .expose_secret(),
        "second"
    );
}

#[tokio::test]
async fn an_ended_token_is_not_served() {
    let bench = Bench::with_secret().await;
    bench.endpoint.will_answer(200, &token("first", 600));
    bench.source.token(MONITOR).await.unwrap();
    bench.clock.advance_to(noon() + TimeDelta::seconds(600));
    bench
        .endpoint
        .will_answer(500, &json!({}))
        .will_answer(500, &json!({}));
    let error = bench.source.token(MONITOR).await.unwrap_err();
    assert!(
        matches!(error, EntraError::Unavailable { .. }) && error.is_transient(),
        "{error}"
    );
}

#[tokio::test]
async fn a_refused_client_is_explained_and_not_repeated() {
    let bench = Bench::with_secret().await;
    bench.endpoint.will_answer(
        401,
        &json!({
            "error": "invalid_client",
            "error_description": "AADSTS7000215: Invalid client secret provided.",
            "error_codes": [7_000_215],
            "trace_id": "a",
        }),
    );
    let error = bench.source.token(MONITOR).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Entra ID refuses the client: AADSTS7000215 (invalid_client); the client secret is wrong: give the secret's value, not its id"
    );
    assert!(!error.is_transient());
}

#[tokio::test]
async fn reads_the_code_from_the_description_and_survives_a_body_that_is_no_json() {
    let bench = Bench::with_secret().await;
    bench.endpoint.will_answer(
        400,
        &json!({"error": "unauthorized_client", "error_description": "AADSTS700016: no such app"}),
    );
    let error = bench.source.token(MONITOR).await.unwrap_err();
    assert!(
        error.to_string().contains("check client_id and tenant"),
        "{error}"
    );
    bench
        .endpoint
        .will_answer_text(403, vec![], "<html>go away");
    let error = bench.source.token(MONITOR).await.unwrap_err();
    assert!(error.to_string().contains("HTTP 403"), "{error}");
}

#[tokio::test]
async fn throttling_carries_the_wait() {
    let bench = Bench::with_secret().await;
    bench
        .endpoint
        .will_answer_text(429, vec![("retry-after", "90".to_owned())], "{}");
    let error = bench.source.token(MONITOR).await.unwrap_err();
    assert!(
        matches!(error, EntraError::Throttled { retry_after: Some(wait) } if wait.as_secs() == 90),
        "{error}"
    );
}

#[tokio::test]
async fn malformed_replies_are_refused_without_being_shown() {
    let bench = Bench::with_secret().await;
    let huge = format!("{{\"access_token\":\"{}\"", "x".repeat(300 * 1024));
    for body in [
        "",
        "not json",
        r#"{"access_token":"top-secret"}"#,
        r#"{"access_token":"top-secret","expires_in":"soon"}"#,
        r#"{"access_token":"","expires_in":3599}"#,
        r#"{"access_token":"top-secret","expires_in":-5}"#,
        &huge,
    ] {
        bench.endpoint.will_answer_text(200, vec![], body);
        let error = bench.source.token(MONITOR).await.unwrap_err();
        assert!(matches!(error, EntraError::Malformed { .. }), "{error}");
        assert!(!error.to_string().contains("top-secret"), "{error}");
    }
}

#[tokio::test]
async fn numbers_may_be_text_and_a_wild_life_is_cut() {
    let bench = Bench::with_secret().await;
    bench.endpoint.will_answer_text(
        200,
        vec![],
        r#"{"access_token":"t","expires_in":"18446744073709551615","refresh_in":"60"}"#,
    );
    let token = bench.source.token(MONITOR).await.unwrap();
    assert_eq!(token.expires_at, noon() + TimeDelta::days(7));
}

#[tokio::test]
async fn a_token_that_no_header_can_carry_is_refused() {
    let bench = Bench::with_secret().await;
    for text in ["top secret", "top-secret\r\nHost: evil", "t\u{f6}p-secret"] {
        bench.endpoint.will_answer(200, &token(text, 3_599));
        let error = bench.token().await.unwrap_err();
        assert!(matches!(error, EntraError::Malformed { .. }), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    bench.endpoint.will_answer(200, &token("t", 0));
    let error = bench.token().await.unwrap_err();
    assert!(error.to_string().contains("expired already"), "{error}");
}

#[tokio::test]
async fn wrong_types_are_malformed() {
    let bench = Bench::with_secret().await;
    for body in [
        json!([]),
        json!({"access_token": 5, "expires_in": 3599}),
        json!({"access_token": {"a": 1}, "expires_in": 3599}),
        json!({"access_token": "t", "expires_in": [3599]}),
        json!({"access_token": "t", "expires_in": 1.5}),
        json!({"access_token": "t", "expires_in": true}),
        json!(null),
    ] {
        bench.endpoint.will_answer(200, &body);
        let error = bench.token().await.unwrap_err();
        assert!(
            matches!(error, EntraError::Malformed { .. }),
            "{body}: {error}"
        );
    }
}

#[tokio::test]
async fn entras_own_failure_is_no_refusal() {
    let bench = Bench::with_secret().await;
    bench.endpoint.will_answer(400, &refusal(90_033));
    let error = bench.token().await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(error.to_string().contains("AADSTS90033"), "{error}");
}

#[tokio::test]
async fn every_status_is_a_decision() {
    let bench = Bench::with_secret().await;
    for (status, transient) in [
        (302, false),
        (400, false),
        (401, false),
        (403, false),
        (404, false),
        (408, true),
        (429, true),
        (500, true),
        (502, true),
        (503, true),
        (504, true),
    ] {
        // twice, as what may pass is tried again
        bench.endpoint.will_answer(status, &json!({}));
        if transient {
            bench.endpoint.will_answer(status, &json!({}));
        }
        let error = bench.token().await.unwrap_err();
        assert_eq!(error.is_transient(), transient, "{status}: {error}");
    }
}

#[tokio::test]
async fn nobody_listening_is_unavailable() {
    let clock = SimulatedClock::starting_at(noon());
    let secret = SecretString::from("s");
    let identity = IdentityConfig::client_secret("contoso.example", "app-1", secret)
        .at(Url::parse("http://127.0.0.1:9/").unwrap());
    let source = tokens_of(identity, &clock, &[]).unwrap();
    let error = source.token(MONITOR).await.unwrap_err();
    assert!(matches!(error, EntraError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn tenant_and_authority_cannot_lead_elsewhere() {
    let clock = SimulatedClock::starting_at(noon());
    let identity = |authority: &str, tenant: &str, client_id: &str| {
        let secret = SecretString::from("hush");
        let identity = IdentityConfig::client_secret(tenant, client_id, secret);
        tokens_of(identity.at(Url::parse(authority).unwrap()), &clock, &[])
    };
    identity("https://login.example", "contoso.example", "app").unwrap();
    identity("http://localhost:1", "contoso.example", "app").unwrap();
    for (authority, tenant, client_id) in [
        ("https://login.example", "", "app"),
        ("https://login.example", "a/b", "app"),
        ("https://login.example", "..%2f", "app"),
        ("https://login.example", "a?b", "app"),
        ("https://login.example", "contoso.example", ""),
        ("http://login.example", "contoso.example", "app"),
        ("http://127.0.0.1.evil.example", "contoso.example", "app"),
        ("ftp://login.example", "contoso.example", "app"),
        ("data:text/plain,x", "contoso.example", "app"),
    ] {
        let error = identity(authority, tenant, client_id).unwrap_err();
        assert!(matches!(error, EntraError::Credential { .. }), "{error}");
        assert!(!error.to_string().contains("hush"), "{error}");
    }
}
