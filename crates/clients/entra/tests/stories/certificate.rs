//! Client assertions, checked as Entra ID checks them: with the public key of the certificate.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use foretide_entra::{Credential, EntraError};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};
use serde_json::Value;

use crate::fake::{Asked, Bench, CLIENT, at, noon, refusal, token};

const KEY: &str = include_str!("test_only_key.pem");

fn certificate() -> rcgen::Certificate {
    let key = rcgen::KeyPair::from_pem(KEY).unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["foretide.example".to_owned()]).unwrap();
    parameters.self_signed(&key).unwrap()
}

fn other_certificate() -> rcgen::Certificate {
    let key = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["issuer.example".to_owned()]).unwrap();
    parameters.self_signed(&key).unwrap()
}

async fn bench(file: PathBuf) -> Bench {
    Bench::with(|authority| {
        at(
            authority,
            Credential::Certificate {
                tenant: "contoso.example".to_owned(),
                client_id: CLIENT.to_owned(),
                certificate_file: file,
            },
        )
    })
    .await
}

fn write(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("identity.pem");
    std::fs::write(&file, text).unwrap();
    file
}

/// The assertion's claims, after its signature was checked.
fn checked(asked: &Asked) -> Value {
    let form = asked.form();
    assert_eq!(
        form["client_assertion_type"],
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    assert_eq!(form["client_id"], CLIENT);
    assert!(!form.contains_key("client_secret"));
    let assertion = &form["client_assertion"];
    let (header, _) = assertion.split_once('.').unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, certificate().der());
    assert_eq!(header["x5t#S256"], URL_SAFE_NO_PAD.encode(digest));
    let key = EncodingKey::from_rsa_pem(KEY.as_bytes()).unwrap();
    let key = jsonwebtoken::jwk::Jwk::from_encoding_key(&key, Algorithm::PS256).unwrap();
    let mut validation = Validation::new(Algorithm::PS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    let key = DecodingKey::from_jwk(&key).unwrap();
    jsonwebtoken::decode::<Value>(assertion, &key, &validation)
        .unwrap()
        .claims
}

fn moment(claims: &Value, name: &str) -> DateTime<Utc> {
    DateTime::from_timestamp(claims[name].as_i64().unwrap(), 0).unwrap()
}

#[tokio::test]
async fn the_assertion_is_signed_by_the_certificate_for_this_endpoint_and_for_minutes() {
    let folder = tempfile::tempdir().unwrap();
    let chain = format!("{}{}{KEY}", other_certificate().pem(), certificate().pem());
    let bench = bench(write(folder.path(), &chain)).await;
    bench.endpoint.will_answer(200, &token("first", 3_599));
    assert_eq!(bench.token().await.unwrap(), "first");
    let claims = checked(&bench.endpoint.requests()[0]);
    assert_eq!(
        claims["aud"],
        format!("{}contoso.example/oauth2/v2.0/token", bench.address)
    );
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (&claims["sub"], &Value::from(CLIENT))
    );
    assert_eq!(moment(&claims, "nbf"), noon() - TimeDelta::minutes(5));
    assert_eq!(moment(&claims, "exp"), noon() + TimeDelta::minutes(10));
    uuid::Uuid::parse_str(claims["jti"].as_str().unwrap()).unwrap();
}

#[tokio::test]
async fn every_assertion_is_another_one_and_a_rotated_file_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let good = format!("{}{KEY}", certificate().pem());
    let file = write(folder.path(), "the certificate is not there yet");
    let bench = bench(file).await;
    let error = bench.token().await.unwrap_err();
    assert!(
        error.to_string().contains("holds no private key"),
        "{error}"
    );
    write(folder.path(), &good);
    bench
        .endpoint
        .will_answer(200, &token("first", 600))
        .will_answer(200, &token("second", 600));
    assert_eq!(bench.token().await.unwrap(), "first");
    bench.after(600);
    assert_eq!(bench.token().await.unwrap(), "second");
    let requests = bench.endpoint.requests();
    assert_ne!(checked(&requests[0])["jti"], checked(&requests[1])["jti"]);
}

#[tokio::test]
async fn a_clock_that_is_off_is_corrected_by_the_endpoints_own() {
    let folder = tempfile::tempdir().unwrap();
    let bench = bench(write(
        folder.path(),
        &format!("{}{KEY}", certificate().pem()),
    ))
    .await;
    let theirs = noon() + TimeDelta::hours(2);
    let date = theirs.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let late = refusal(700_024).to_string();
    bench
        .endpoint
        .will_answer_text(401, vec![("date", date)], &late)
        .will_answer(200, &token("first", 600));
    assert_eq!(bench.token().await.unwrap(), "first");
    let requests = bench.endpoint.requests();
    assert_eq!(moment(&checked(&requests[0]), "iat"), noon());
    assert_eq!(moment(&checked(&requests[1]), "iat"), theirs);
    // Later assertions are right at once, and our own expiry still counts by our clock.
    bench.after(600);
    bench.endpoint.will_answer(200, &token("second", 600));
    assert_eq!(bench.token().await.unwrap(), "second");
    let third = checked(&bench.endpoint.requests()[2]);
    assert_eq!(moment(&third, "iat"), theirs + TimeDelta::seconds(600));
}

#[tokio::test]
async fn a_clock_that_is_right_is_not_blamed() {
    let folder = tempfile::tempdir().unwrap();
    let bench = bench(write(
        folder.path(),
        &format!("{}{KEY}", certificate().pem()),
    ))
    .await;
    let date = noon().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let late = refusal(700_024).to_string();
    bench
        .endpoint
        .will_answer_text(401, vec![("date", date)], &late);
    let error = bench.token().await.unwrap_err();
    assert!(
        error.to_string().contains("set this machine's clock"),
        "{error}"
    );
    assert_eq!(bench.endpoint.requests().len(), 1);
}

#[tokio::test]
async fn files_that_cannot_serve_are_explained_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let good = certificate().pem();
    let foreign = other_certificate().pem();
    let elliptic = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let body: String = KEY.lines().skip(1).take(3).collect();
    let label = |name: &str| format!("-----BEGIN {name}-----\n{body}\n-----END {name}-----\n");
    for (text, said) in [
        (String::new(), "holds no private key"),
        (good.clone(), "holds no private key"),
        (KEY.to_owned(), "no certificate that its key belongs to"),
        (
            format!("{foreign}{KEY}"),
            "no certificate that its key belongs to",
        ),
        (format!("{good}{elliptic}"), "is no RSA key"),
        (
            format!("{good}{}", label("ENCRYPTED PRIVATE KEY")),
            "encrypted",
        ),
        (format!("{good}{}", label("PRIVATE KEY")), "is no RSA key"),
        ("x".repeat(300 * 1024), "larger than"),
    ] {
        let bench = bench(write(folder.path(), &text)).await;
        let error = bench.token().await.unwrap_err();
        assert!(matches!(error, EntraError::Credential { .. }), "{error}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(said), "{shown}");
        assert!(shown.contains("identity.pem"), "{shown}");
        assert!(!shown.contains(&body[..40]), "{shown}");
        assert!(bench.endpoint.requests().is_empty());
    }
    let missing = bench(folder.path().join("nowhere.pem")).await;
    let error = missing.token().await.unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
}

#[tokio::test]
async fn an_unregistered_certificate_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let bench = bench(write(
        folder.path(),
        &format!("{}{KEY}", certificate().pem()),
    ))
    .await;
    bench.endpoint.will_answer(401, &refusal(700_027));
    let error = bench.token().await.unwrap_err();
    assert!(
        error.to_string().contains("register this very certificate"),
        "{error}"
    );
}
