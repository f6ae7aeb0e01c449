//! The metadata service, discovery as Microsoft's libraries want it, and TLS.

use std::sync::Arc;

use foretide_emulator::{Emulator, EmulatorConfig, HttpsConfig, ManagedIdentityConfig};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::fixture::{World, clock, upload_path};

const IMDS: &str =
    "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://monitor.azure.com";

async fn world() -> World {
    let identity = |client_id: &str, system_assigned| ManagedIdentityConfig {
        client_id: client_id.to_owned(),
        object_id: Some(format!("object-of-{client_id}")),
        resource_id: Some(format!("/resource/of/{client_id}")),
        system_assigned,
    };
    World::with(EmulatorConfig {
        managed_identities: vec![identity("machine", true), identity("user", false)],
        ..EmulatorConfig::default()
    })
    .await
}

async fn imds(world: &World, suffix: &str) -> (StatusCode, Value) {
    let request = world
        .get(&format!("{IMDS}{suffix}"))
        .header("Metadata", "true");
    let answer = request.send().await.expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn the_machine_has_identities_and_their_tokens_work() {
    let world = world().await;
    for (suffix, client_id) in [
        ("", "machine"),
        ("&client_id=user", "user"),
        ("&object_id=object-of-user", "user"),
        ("&msi_res_id=/resource/of/machine", "machine"),
    ] {
        let (status, body) = imds(&world, suffix).await;
        assert_eq!(
            (status, &body["client_id"]),
            (StatusCode::OK, &json!(client_id))
        );
        assert_eq!(body["expires_in"], "3599", "numbers are text");
        let token = body["access_token"].as_str().expect("a token");
        let uploaded = world.upload(token, &json!([{ "a": 1 }])).await;
        assert_eq!(uploaded.status(), StatusCode::NO_CONTENT);
    }
}

#[tokio::test]
async fn what_imds_refuses_is_refused() {
    let world = world().await;
    for suffix in [
        "&client_id=nobody",
        "&client_id=user&object_id=object-of-user",
    ] {
        let (status, body) = imds(&world, suffix).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(
            body,
            json!({"error": "invalid_request", "error_description": "Identity not found"})
        );
    }
    let without_header = world.get(IMDS).send().await.expect("an answer");
    assert_eq!(without_header.status(), StatusCode::BAD_REQUEST);
    for path in [
        "/metadata/identity/oauth2/token?api-version=2018-02-01",
        "/metadata/identity/oauth2/token?resource=x",
    ] {
        let answer = world
            .get(path)
            .header("Metadata", "true")
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    }
    let nothing = World::new().await;
    assert_eq!(
        imds(&nothing, "").await.1["error_description"],
        "Identity not found"
    );
}

#[tokio::test]
async fn discovery_names_the_host_that_was_asked() {
    let world = World::new().await;
    let base = world.emulator.base_url();
    let tenant = EmulatorConfig::TENANT;
    let host = base.trim_start_matches("http://");
    // libraries leave the port out of the authorization endpoint
    let path = format!(
        "/common/discovery/instance?api-version=1.1&authorization_endpoint=https://127.0.0.1/{tenant}/oauth2/v2.0/authorize"
    );
    let instance: Value = world
        .get(&path)
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let document = format!("{base}/{tenant}/v2.0/.well-known/openid-configuration");
    assert_eq!(instance["tenant_discovery_endpoint"], document);
    assert_eq!(instance["metadata"][0]["aliases"], json!([host]));
    let tenant_document: Value = world
        .http
        .get(&document)
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    for (name, path) in [
        ("issuer", "v2.0"),
        ("token_endpoint", "oauth2/v2.0/token"),
        ("authorization_endpoint", "oauth2/v2.0/authorize"),
        ("jwks_uri", "discovery/v2.0/keys"),
    ] {
        assert_eq!(
            tenant_document[name],
            format!("{base}/{tenant}/{path}"),
            "{name}"
        );
    }
    for endpoint in [
        "https://login.evil.example/x/oauth2/v2.0/authorize",
        "nonsense",
    ] {
        let path = format!("/common/discovery/instance?authorization_endpoint={endpoint}");
        let answer = world.get(&path).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        assert_eq!(
            answer.json::<Value>().await.expect("JSON")["error"],
            "invalid_instance"
        );
    }
    let elsewhere = world
        .get("/elsewhere/v2.0/.well-known/openid-configuration")
        .send()
        .await;
    assert_eq!(
        elsewhere.expect("an answer").status(),
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn tls_is_trusted_by_its_authority_only_and_both_doors_lead_to_one_room() {
    let folder = std::env::temp_dir().join(format!("foretide-emulator-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).expect("a folder");
    let ca_file = folder.join("ca.pem");
    let emulator = Emulator::start(
        EmulatorConfig {
            https: Some(HttpsConfig {
                names: vec!["login.contoso.example".to_owned()],
                ca_file: Some(ca_file.clone()),
                ..HttpsConfig::default()
            }),
            ..EmulatorConfig::default()
        },
        Arc::new(clock()),
    )
    .await
    .expect("the emulator starts");
    let pem = std::fs::read_to_string(&ca_file).expect("the authority's certificate");
    std::fs::remove_dir_all(&folder).expect("the folder goes");
    assert_eq!(emulator.ca_pem(), Some(pem.as_str()));
    let base = emulator.https_url().expect("an address");

    let strangers =
        foretide_http::client(&foretide_http::ClientOptions::default()).expect("a client");
    assert!(
        strangers
            .get(format!("{base}/healthz"))
            .send()
            .await
            .is_err(),
        "nobody trusts it unasked"
    );

    let options = foretide_http::ClientOptions {
        extra_ca_pem: Some(pem.into_bytes()),
        ..foretide_http::ClientOptions::default()
    };
    let trusting = foretide_http::client(&options).expect("a client");
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "c"),
        ("client_secret", "s"),
        ("scope", "https://monitor.azure.com/.default"),
    ];
    let address = format!("{base}/{}/oauth2/v2.0/token", EmulatorConfig::TENANT);
    let body: Value = trusting
        .post(address)
        .form(&form)
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let token = body["access_token"].as_str().expect("a token").to_owned();
    for (http, base) in [(&trusting, base.clone()), (&strangers, emulator.base_url())] {
        let path = upload_path("Custom-PredictiveAlerting_CL");
        let uploaded = http
            .post(format!("{base}{path}"))
            .bearer_auth(&token)
            .json(&json!([{"a": 1}]))
            .send()
            .await;
        assert_eq!(
            uploaded.expect("an answer").status(),
            StatusCode::NO_CONTENT
        );
    }
    assert_eq!(emulator.rows("PredictiveAlerting_CL").len(), 2);
    emulator.shutdown().await;
    assert!(
        trusting
            .get(format!("{base}/healthz"))
            .send()
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_refusal_says_where_tokens_are_to_be_had_and_the_own_address_is_an_audience() {
    let world = World::new().await;
    let refused = world.upload("nonsense", &json!([])).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let challenge = refused.headers()["www-authenticate"]
        .to_str()
        .expect("text")
        .to_owned();
    let authority = format!("{}/{}", world.emulator.base_url(), EmulatorConfig::TENANT);
    assert!(
        challenge.starts_with(&format!("Bearer authorization_uri=\"{authority}\"")),
        "{challenge}"
    );
    assert!(refused.headers().contains_key("x-ms-request-id"));
    let own = world.token_for(&world.emulator.base_url()).await;
    assert_eq!(
        world.upload(&own, &json!([{"a": 1}])).await.status(),
        StatusCode::NO_CONTENT
    );
}
