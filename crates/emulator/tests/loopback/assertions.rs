//! Applications that prove themselves by a certificate or by a service account's token.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use foretide_domain::Clock;
use foretide_emulator::{
    ClientConfig, ConfigError, Emulator, EmulatorConfig, FederatedCredential, StartError,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use serde_json::{Value, json};

use crate::fixture::{World, clock};

const CLIENT: &str = "00000000-0000-4000-8000-00000000c11e";
const ISSUER: &str = "https://oidc.example/cluster/";
const SUBJECT: &str = "system:serviceaccount:foretide:scorer";
const KEY: &str = include_str!("../../../clients/entra/tests/stories/test_only_key.pem");

fn certificate() -> rcgen::Certificate {
    let key = rcgen::KeyPair::from_pem(KEY).expect("a key");
    let parameters = rcgen::CertificateParams::new(vec!["foretide.example".to_owned()]);
    parameters
        .expect("a name")
        .self_signed(&key)
        .expect("a certificate")
}

async fn world() -> World {
    let credential = FederatedCredential {
        issuer: ISSUER.to_owned(),
        subject: SUBJECT.to_owned(),
        audience: EmulatorConfig::TOKEN_EXCHANGE_AUDIENCE.to_owned(),
    };
    let client = ClientConfig {
        client_id: CLIENT.to_owned(),
        certificates: vec![certificate().pem()],
        federated_credentials: vec![credential],
        ..ClientConfig::default()
    };
    let bare = ClientConfig {
        client_id: "bare".to_owned(),
        client_secret: Some("s3cret".into()),
        secret_expired: true,
        ..ClientConfig::default()
    };
    World::with(EmulatorConfig {
        clients: vec![client, bare],
        ..EmulatorConfig::default()
    })
    .await
}

/// The status and, of a refusal, the AADSTS code.
async fn ask(world: &World, client_id: &str, assertion: &str) -> (u16, u64) {
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", client_id),
        ("scope", "https://monitor.azure.com/.default"),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", assertion),
    ];
    let answer = world.ask_for_token(&fields).await;
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.expect("JSON");
    (status, body["error_codes"][0].as_u64().unwrap_or_default())
}

fn token_address(world: &World) -> String {
    format!(
        "{}/{}/oauth2/v2.0/token",
        world.emulator.base_url(),
        EmulatorConfig::TENANT
    )
}

fn claims(world: &World) -> Value {
    let now = world.clock.now().timestamp();
    json!({
        "aud": token_address(world), "iss": CLIENT, "sub": CLIENT, "jti": "1",
        "nbf": now, "exp": now + 600,
    })
}

/// Signs as Foretide does.
fn signed(claims: &Value) -> String {
    let mut header = Header::new(Algorithm::PS256);
    header.x5t_s256 = Some(URL_SAFE_NO_PAD.encode(digest(&SHA256, certificate().der())));
    let key = EncodingKey::from_rsa_pem(KEY.as_bytes()).expect("a key");
    jsonwebtoken::encode(&header, claims, &key).expect("a token")
}

#[tokio::test]
async fn a_registered_certificate_is_enough() {
    let world = world().await;
    assert_eq!(
        ask(&world, CLIENT, &signed(&claims(&world))).await,
        (200, 0)
    );
    // Microsoft's older libraries: RS256, SHA-1 thumbprint with padding, times with fractions
    let mut header = Header::new(Algorithm::RS256);
    let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate().der());
    header.x5t = Some(format!("{}=", URL_SAFE_NO_PAD.encode(sha1)));
    let mut old = claims(&world);
    old.as_object_mut().expect("claims").remove("nbf");
    old["exp"] = json!(world.clock.now().timestamp() as f64 + 600.25);
    let key = EncodingKey::from_rsa_pem(KEY.as_bytes()).expect("a key");
    let old = jsonwebtoken::encode(&header, &old, &key).expect("a token");
    assert_eq!(ask(&world, CLIENT, &old).await, (200, 0));
}

#[tokio::test]
async fn assertions_that_entra_would_refuse_are_refused() {
    let world = world().await;
    let now = world.clock.now().timestamp();
    let with = |name: &str, value: Value| {
        let mut claims = claims(&world);
        claims[name] = value;
        signed(&claims)
    };
    let good = signed(&claims(&world));
    let (body, signature) = good.rsplit_once('.').expect("a signature");
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    let broken = format!("{body}.{other}{}", &signature[1..]);
    let mut unknown = Header::new(Algorithm::PS256);
    unknown.x5t_s256 = Some("unknown".to_owned());
    let key = EncodingKey::from_rsa_pem(KEY.as_bytes()).expect("a key");
    let unknown = jsonwebtoken::encode(&unknown, &claims(&world), &key).expect("a token");
    for (assertion, code) in [
        (broken, 700_027),
        (unknown, 700_027),
        (with("iss", json!("somebody")), 700_021),
        (with("sub", json!("somebody")), 700_021),
        (with("aud", json!("https://login.example/token")), 700_023),
        (with("exp", json!(now - 301)), 700_024),
        (with("nbf", json!(now + 301)), 700_024),
        (with("exp", json!("soon")), 50_027),
        ("a.b".to_owned(), 50_027),
        ("a.b.c.d".to_owned(), 50_027),
        ("!!.??.,,".to_owned(), 50_027),
    ] {
        assert_eq!(
            ask(&world, CLIENT, &assertion).await,
            (401, code),
            "{assertion}"
        );
    }
    assert_eq!(
        ask(&world, CLIENT, &with("exp", json!(now - 299))).await.0,
        200,
        "clocks may differ"
    );
    assert_eq!(ask(&world, "stranger", &good).await, (400, 700_016));
    assert_eq!(ask(&world, "bare", &good).await, (401, 700_027));
}

#[tokio::test]
async fn a_service_accounts_token_is_taken_when_a_credential_fits() {
    let world = world().await;
    let token = |issuer, subject, life| world.emulator.service_account_token(issuer, subject, life);
    assert_eq!(
        ask(&world, CLIENT, &token(ISSUER, SUBJECT, 3_600)).await,
        (200, 0)
    );
    for (assertion, code) in [
        (
            token("https://oidc.example/other/", SUBJECT, 3_600),
            700_211,
        ),
        (
            token(ISSUER, "system:serviceaccount:foretide:other", 3_600),
            700_213,
        ),
        (token(ISSUER, SUBJECT, -301), 700_024),
    ] {
        assert_eq!(ask(&world, CLIENT, &assertion).await, (401, code));
    }
    let good = token(ISSUER, SUBJECT, 3_600);
    assert_eq!(ask(&world, "bare", &good).await, (401, 70_025));
    let (body, _) = good.rsplit_once('.').expect("a signature");
    assert_eq!(
        ask(&world, CLIENT, &format!("{body}.AAAA")).await,
        (401, 50_013)
    );

    let request = json!({"issuer": ISSUER, "subject": SUBJECT, "audience": "api://elsewhere"});
    let minted = world
        .post("/_emulator/service-account-token")
        .json(&request)
        .send()
        .await;
    let minted: Value = minted.expect("an answer").json().await.expect("JSON");
    let elsewhere = minted["token"].as_str().expect("a token");
    assert_eq!(ask(&world, CLIENT, elsewhere).await, (401, 700_212));
    let nonsense = world
        .post("/_emulator/service-account-token")
        .json(&json!({"issuer": 5}))
        .send()
        .await;
    assert_eq!(nonsense.expect("an answer").status().as_u16(), 400);
}

#[tokio::test]
async fn assertions_are_not_remembered_and_expired_secrets_are_told() {
    let world = world().await;
    let assertion = signed(&claims(&world));
    ask(&world, CLIENT, &assertion).await;
    let recorded = format!("{:?}", world.emulator.requests("/"));
    assert!(!recorded.contains(&assertion));
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", "bare"),
        ("client_secret", "s3cret"),
        ("scope", "https://monitor.azure.com/.default"),
    ];
    let body: Value = world
        .ask_for_token(&fields)
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(body["error_codes"][0], 7_000_222);
    let missing_type = [
        ("grant_type", "client_credentials"),
        ("client_id", CLIENT),
        ("client_assertion", assertion.as_str()),
        ("scope", "https://monitor.azure.com/.default"),
    ];
    let body: Value = world
        .ask_for_token(&missing_type)
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(body["error_codes"][0], 900_144);
    world
        .clock
        .advance_to(world.clock.now() + Duration::hours(1));
    assert_eq!(ask(&world, CLIENT, &assertion).await, (401, 700_024));
}

#[tokio::test]
async fn a_certificate_that_is_none_is_refused_at_the_start() {
    let client = ClientConfig {
        client_id: CLIENT.to_owned(),
        certificates: vec![
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----".to_owned(),
        ],
        ..ClientConfig::default()
    };
    let refused = Emulator::start(
        EmulatorConfig {
            clients: vec![client],
            ..EmulatorConfig::default()
        },
        Arc::new(clock()),
    )
    .await;
    assert!(matches!(
        refused,
        Err(StartError::Config(ConfigError::Certificate { .. }))
    ));
}
