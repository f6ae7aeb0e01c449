use chrono::Duration;
use foretide_domain::Clock;
use foretide_emulator::{ClientConfig, EmulatorConfig};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::fixture::World;

const MONITOR: &str = "https://monitor.azure.com";

async fn refusal(world: &World, fields: &[(&str, &str)]) -> (StatusCode, String, u64) {
    let answer = world.ask_for_token(fields).await;
    let status = answer.status();
    let body: Value = answer.json().await.expect("JSON");
    let code = body["error_codes"][0].as_u64().expect("a code");
    let description = body["error_description"].as_str().expect("a description");
    assert!(
        description.starts_with(&format!("AADSTS{code}: ")),
        "{description}"
    );
    (
        status,
        body["error"].as_str().expect("an error").to_owned(),
        code,
    )
}

#[tokio::test]
async fn a_token_can_be_checked_with_the_published_keys() {
    let world = World::new().await;
    let path = format!(
        "/{}/v2.0/.well-known/openid-configuration",
        EmulatorConfig::TENANT
    );
    let discovery: Value = world
        .get(&path)
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let keys = world
        .http
        .get(discovery["jwks_uri"].as_str().expect("an address"));
    let keys: JwkSet = keys
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("a key set");

    let token = world.token_for(MONITOR).await;
    let key_id = jsonwebtoken::decode_header(&token)
        .expect("a header")
        .kid
        .expect("a key id");
    let key = DecodingKey::from_jwk(keys.find(&key_id).expect("the key")).expect("an RSA key");
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[MONITOR]);
    validation.set_issuer(&[discovery["issuer"].as_str().expect("an issuer")]);
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<Value>(&token, &key, &validation)
        .expect("a valid token")
        .claims;
    let lifetime = claims["exp"].as_i64().expect("a number") - world.clock.now().timestamp();
    assert_eq!(lifetime, 3599);
}

#[tokio::test]
async fn refusals_carry_entras_codes() {
    let config = EmulatorConfig {
        clients: vec![ClientConfig {
            client_id: "foretide".to_owned(),
            client_secret: Some("s3cret".into()),
            ..ClientConfig::default()
        }],
        ..EmulatorConfig::default()
    };
    let world = World::with(config).await;
    let ask = |changes: &[(&'static str, &'static str)]| {
        let mut fields = vec![
            ("grant_type", "client_credentials"),
            ("client_id", "foretide"),
            ("client_secret", "s3cret"),
            ("scope", "https://monitor.azure.com/.default"),
        ];
        for change in changes {
            fields.retain(|field| field.0 != change.0);
            fields.push(*change);
        }
        fields
    };
    assert_eq!(
        world.ask_for_token(&ask(&[])).await.status(),
        StatusCode::OK
    );
    let expected = [
        (
            &[("client_secret", "wrong")][..],
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            7_000_215,
        ),
        (
            &[("client_secret", "")],
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            7_000_218,
        ),
        (
            &[("client_assertion", "a.b.c")],
            StatusCode::BAD_REQUEST,
            "invalid_request",
            900_144,
        ),
        (
            &[("client_id", "stranger")],
            StatusCode::BAD_REQUEST,
            "unauthorized_client",
            700_016,
        ),
        (
            &[("client_id", "")],
            StatusCode::BAD_REQUEST,
            "invalid_request",
            900_144,
        ),
        (
            &[("grant_type", "password")],
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            70003,
        ),
        (
            &[("scope", "https://monitor.azure.com")],
            StatusCode::BAD_REQUEST,
            "invalid_scope",
            1_002_012,
        ),
        (
            &[("scope", "a/.default b/.default")],
            StatusCode::BAD_REQUEST,
            "invalid_scope",
            1_002_012,
        ),
    ];
    for (changes, status, error, code) in expected {
        let (got_status, got_error, got_code) = refusal(&world, &ask(changes)).await;
        assert_eq!(
            (got_status, got_error.as_str(), got_code),
            (status, error, code),
            "{changes:?}"
        );
    }
    let elsewhere = world
        .post("/other-tenant/oauth2/v2.0/token")
        .body("")
        .send()
        .await
        .expect("an answer");
    assert_eq!(elsewhere.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn tokens_expire_and_serve_one_audience() {
    let world = World::new().await;
    let token = world.token_for("https://api.loganalytics.io").await;
    let refused = world.upload(&token, &json!([{}])).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);

    let token = world.token_for(MONITOR).await;
    assert_eq!(
        world.upload(&token, &json!([{}])).await.status(),
        StatusCode::NO_CONTENT
    );
    world
        .clock
        .advance_to(world.clock.now() + Duration::hours(1));
    assert_eq!(
        world.upload(&token, &json!([{}])).await.status(),
        StatusCode::UNAUTHORIZED
    );
    let (body, signature) = token.rsplit_once('.').expect("a signature");
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{body}.{other}{}", &signature[1..]);
    for bad in ["", "x", "a.b.c", &forged] {
        assert_eq!(
            world.upload(bad, &json!([{}])).await.status(),
            StatusCode::UNAUTHORIZED
        );
    }
}
