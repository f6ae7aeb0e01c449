//! Managed identities of App Service and of machines that Azure Arc manages.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::TimeDelta;
use foretide_entra::{Credential, EntraError, IdentityConfig, ManagedIdentity, TokenSource};
use serde_json::json;
use tempfile::TempDir;

use crate::fake::{Bench, MONITOR, noon};

fn managed(which: ManagedIdentity) -> IdentityConfig {
    IdentityConfig::from(Credential::ManagedIdentity {
        which,
        endpoint: None,
    })
}

/// Where the variables say so, with the endpoint's address for `{address}`.
async fn bench(which: ManagedIdentity, variables: &[(&str, &str)]) -> Result<Bench, EntraError> {
    Bench::in_environment(managed(which), |address| {
        let value = |text: &str| text.replace("{address}", address.as_str());
        let variables = variables.iter();
        variables
            .map(|(name, text)| ((*name).to_owned(), value(text)))
            .collect::<BTreeMap<_, _>>()
    })
    .await
}

const APP_SERVICE: [(&str, &str); 2] = [
    ("IDENTITY_ENDPOINT", "{address}msi/token"),
    ("IDENTITY_HEADER", "only-mine"),
];
const ARC: [(&str, &str); 2] = [
    (
        "IDENTITY_ENDPOINT",
        "{address}metadata/identity/oauth2/token",
    ),
    ("IMDS_ENDPOINT", "{address}"),
];

#[tokio::test]
async fn app_service_is_asked_with_the_header_of_the_environment() {
    for (which, name) in [
        (ManagedIdentity::SystemAssigned, None),
        (
            ManagedIdentity::ClientId("x/1".to_owned()),
            Some("client_id"),
        ),
        (
            ManagedIdentity::ObjectId("x/1".to_owned()),
            Some("principal_id"),
        ),
        (
            ManagedIdentity::ResourceId("x/1".to_owned()),
            Some("mi_res_id"),
        ),
    ] {
        let bench = bench(which, &APP_SERVICE).await.unwrap();
        let end = (noon() + TimeDelta::seconds(7_000)).timestamp().to_string();
        let body = json!({"access_token": "one", "expires_on": end, "resource": MONITOR, "token_type": "Bearer", "client_id": "c"});
        bench.endpoint.will_answer(200, &body);
        let token = bench.source.token(MONITOR).await.unwrap();
        assert_eq!(token.expires_at, noon() + TimeDelta::seconds(7_000));
        let asked = &bench.endpoint.requests()[0];
        assert_eq!(asked.path, "/msi/token");
        assert_eq!(asked.headers["x-identity-header"], "only-mine");
        assert_eq!(asked.query["api-version"], "2019-08-01");
        assert_eq!(asked.query["resource"], MONITOR);
        assert_eq!(asked.query.len(), 2 + usize::from(name.is_some()));
        assert!(name.is_none_or(|name| asked.query[name] == "x/1"));
    }
}

#[tokio::test]
async fn refusals_and_failures_of_app_service_are_decisions() {
    let bench = bench(ManagedIdentity::SystemAssigned, &APP_SERVICE)
        .await
        .unwrap();
    let unknown = json!({"statusCode": 400, "message": "No User Assigned or Delegated Managed Identity found"});
    bench.endpoint.will_answer(400, &unknown);
    let error = bench.token().await.unwrap_err();
    assert!(matches!(error, EntraError::InvalidClient { .. }), "{error}");
    for _ in 0..2 {
        bench.endpoint.will_answer(500, &json!({}));
    }
    assert!(bench.token().await.unwrap_err().is_transient());
    bench
        .endpoint
        .will_answer(200, &json!({"access_token": "top-secret"}));
    let error = bench.token().await.unwrap_err().to_string();
    assert!(
        !error.contains("top-secret") && !error.contains("only-mine"),
        "{error}"
    );
}

#[tokio::test]
async fn platforms_that_cannot_be_asked_are_refused_at_the_start() {
    let system = || ManagedIdentity::SystemAssigned;
    let named = ManagedIdentity::ClientId("x".to_owned());
    let far = [("IDENTITY_ENDPOINT", "http://collector.example/"), ARC[1]];
    let fabric = [
        APP_SERVICE[0],
        APP_SERVICE[1],
        ("IDENTITY_SERVER_THUMBPRINT", "ab"),
    ];
    let no_address = [("IDENTITY_ENDPOINT", "file:///etc"), APP_SERVICE[1]];
    for (which, variables, said) in [
        (named, &ARC[..], "only their own"),
        (system(), &far[..], "address of this machine"),
        (system(), &fabric[..], "Service Fabric"),
        (system(), &no_address[..], "http(s) address"),
    ] {
        let error = bench(which, variables).await.err().unwrap();
        assert!(!error.is_transient());
        assert!(error.to_string().contains(said), "{error}");
    }
}

async fn arc(keys: &Path) -> Bench {
    let mut bench = bench(ManagedIdentity::SystemAssigned, &ARC).await.unwrap();
    bench.source = bench.source.with_arc_keys(keys);
    bench
}

fn challenge(bench: &Bench, file: &str) {
    let header = ("www-authenticate", format!("Basic realm={file}"));
    bench.endpoint.will_answer_text(401, vec![header], "");
}

fn keys() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("4a8b.key");
    std::fs::write(&file, "the-agents-key\n").unwrap();
    let file = file.display().to_string();
    (folder, file)
}

#[tokio::test]
async fn arc_is_answered_with_the_key_it_names() {
    let (folder, file) = keys();
    let bench = arc(folder.path()).await;
    challenge(&bench, &file);
    bench
        .endpoint
        .will_answer(200, &json!({"access_token": "one", "expires_in": "3599"}));
    assert_eq!(bench.token().await.unwrap(), "one");
    let asked = bench.endpoint.requests();
    assert_eq!(asked[0].headers["metadata"], "true");
    assert!(!asked[0].headers.contains_key("authorization"));
    assert_eq!(asked[0].query["api-version"], "2020-06-01");
    assert_eq!(asked[1].headers["authorization"], "Basic the-agents-key");
    assert_eq!(asked[1].query, asked[0].query);
}

#[tokio::test]
async fn a_challenge_for_any_other_file_gets_nothing() {
    let (folder, file) = keys();
    let inside = |name: &str| folder.path().join(name).display().to_string();
    let elsewhere = tempfile::tempdir().unwrap();
    let secret = elsewhere.path().join("id.key");
    std::fs::write(&secret, "not-for-you").unwrap();
    std::os::unix::fs::symlink(&secret, inside("link.key")).unwrap();
    std::fs::create_dir(inside("folder.key")).unwrap();
    std::fs::write(inside("long.key"), vec![b'k'; 5_000]).unwrap();
    std::fs::write(inside("lines.key"), "one\r\ninjected: header").unwrap();
    std::fs::write(inside("plain.txt"), "not-for-you").unwrap();
    let outside = secret.display().to_string();
    let name = elsewhere.path().file_name().unwrap().to_str().unwrap();
    let climbing = inside(&format!("../{name}/id.key"));
    for realm in [
        "/etc/shadow",
        &outside,
        &climbing,
        &inside("./../x.key"),
        &inside("link.key"),
        &inside("folder.key"),
        &inside("long.key"),
        &inside("lines.key"),
        &inside("plain.txt"),
        &inside("missing.key"),
        "4a8b.key",
        "",
    ] {
        let bench = arc(folder.path()).await;
        challenge(&bench, realm);
        let error = bench.token().await.unwrap_err();
        assert!(
            matches!(error, EntraError::Credential { .. }),
            "{realm}: {error}"
        );
        assert!(!error.to_string().contains("not-for-you"), "{error}");
        assert_eq!(bench.endpoint.requests().len(), 1, "{realm}");
    }
    // another kind of challenge, or none
    for headers in [
        vec![],
        vec![("www-authenticate", format!("Bearer realm={file}"))],
    ] {
        let bench = arc(folder.path()).await;
        bench.endpoint.will_answer_text(401, headers, "");
        assert!(matches!(
            bench.token().await,
            Err(EntraError::Credential { .. })
        ));
    }
    // a key that is not accepted is not sent again and again
    let bench = arc(folder.path()).await;
    challenge(&bench, &file);
    challenge(&bench, &file);
    let error = bench.token().await.unwrap_err();
    assert!(matches!(error, EntraError::InvalidClient { .. }), "{error}");
    assert_eq!(bench.endpoint.requests().len(), 2);
}
