//! Foretide's own client gets its tokens here in every way it has, and they are taken.

use std::sync::Arc;

use foretide_emulator::{ClientConfig, EmulatorConfig, FederatedCredential, ManagedIdentityConfig};
use foretide_entra::{
    Credential, EntraError, IdentityConfig, IdentityTokens, ManagedIdentity, TokenSource,
};
use reqwest::StatusCode;
use serde_json::json;

use crate::fixture::World;

const CLIENT: &str = "00000000-0000-4000-8000-00000000c11e";
const ISSUER: &str = "https://oidc.example/cluster/";
const SUBJECT: &str = "system:serviceaccount:foretide:scorer";
const KEY: &str = include_str!("../../../clients/entra/tests/stories/test_only_key.pem");

fn certificate() -> String {
    let key = rcgen::KeyPair::from_pem(KEY).expect("a key");
    let parameters = rcgen::CertificateParams::new(vec!["foretide.example".to_owned()]);
    let certificate = parameters.expect("a name").self_signed(&key);
    certificate.expect("a certificate").pem()
}

async fn world() -> World {
    let credential = FederatedCredential {
        issuer: ISSUER.to_owned(),
        subject: SUBJECT.to_owned(),
        audience: EmulatorConfig::TOKEN_EXCHANGE_AUDIENCE.to_owned(),
    };
    World::with(EmulatorConfig {
        clients: vec![ClientConfig {
            client_id: CLIENT.to_owned(),
            client_secret: Some("s3cret".into()),
            certificates: vec![certificate()],
            federated_credentials: vec![credential],
            ..ClientConfig::default()
        }],
        managed_identities: vec![ManagedIdentityConfig {
            client_id: "machine".to_owned(),
            object_id: None,
            resource_id: None,
            system_assigned: true,
        }],
        ..EmulatorConfig::default()
    })
    .await
}

fn tokens(world: &World, credential: Credential) -> IdentityTokens {
    let authority = world.emulator.base_url().parse().expect("an address");
    let identity = IdentityConfig::from(credential).at(authority);
    let clock = Arc::new(world.clock.clone());
    IdentityTokens::new(identity, world.http.clone(), clock).expect("an identity")
}

fn secret(text: &str) -> Credential {
    Credential::ClientSecret {
        tenant: EmulatorConfig::TENANT.to_owned(),
        client_id: CLIENT.to_owned(),
        client_secret: text.into(),
    }
}

#[tokio::test]
async fn every_kind_of_identity_is_served() {
    let world = world().await;
    let folder = tempfile::tempdir().expect("a folder");
    let certificate_file = folder.path().join("identity.pem");
    std::fs::write(&certificate_file, format!("{}{KEY}", certificate())).expect("written");
    let token_file = folder.path().join("token");
    let pod_token = world.emulator.service_account_token(ISSUER, SUBJECT, 3_600);
    std::fs::write(&token_file, pod_token).expect("written");
    let base = world.emulator.base_url();
    for credential in [
        secret("s3cret"),
        Credential::Certificate {
            tenant: EmulatorConfig::TENANT.to_owned(),
            client_id: CLIENT.to_owned(),
            certificate_file,
        },
        Credential::WorkloadIdentity {
            tenant: Some(EmulatorConfig::TENANT.to_owned()),
            client_id: Some(CLIENT.to_owned()),
            token_file: Some(token_file),
        },
        Credential::ManagedIdentity {
            which: ManagedIdentity::SystemAssigned,
            endpoint: Some(base.parse().expect("an address")),
        },
    ] {
        let source = tokens(&world, credential);
        let token = source.token("https://monitor.azure.com").await;
        let token = token.unwrap_or_else(|error| panic!("{source:?}: {error}"));
        let text = secrecy::ExposeSecret::expose_secret(&token.secret);
        let uploaded = world.upload(text, &json!([{ "a": 1 }])).await;
        assert_eq!(uploaded.status(), StatusCode::NO_CONTENT, "{source:?}");
    }
}

#[tokio::test]
async fn refusals_arrive_as_advice() {
    let world = world().await;
    let folder = tempfile::tempdir().expect("a folder");
    let token_file = folder.path().join("token");
    let stranger = "system:serviceaccount:foretide:stranger";
    let pod_token = world
        .emulator
        .service_account_token(ISSUER, stranger, 3_600);
    std::fs::write(&token_file, pod_token).expect("written");
    let pod = Credential::WorkloadIdentity {
        tenant: Some(EmulatorConfig::TENANT.to_owned()),
        client_id: Some(CLIENT.to_owned()),
        token_file: Some(token_file),
    };
    let nobody = Credential::ManagedIdentity {
        which: ManagedIdentity::ClientId("nobody".to_owned()),
        endpoint: Some(world.emulator.base_url().parse().expect("an address")),
    };
    for (credential, said) in [
        (secret("wrong"), "AADSTS7000215"),
        (pod, "AADSTS700213"),
        (nobody, "assign it"),
    ] {
        let refused = tokens(&world, credential)
            .token("https://monitor.azure.com")
            .await;
        let error = refused.expect_err("refused");
        assert!(matches!(error, EntraError::InvalidClient { .. }), "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
}
