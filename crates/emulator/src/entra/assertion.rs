//! Client assertions: signed by a registered certificate, or tokens of a trusted issuer.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use serde::Deserialize;
use webpki::EndEntityCert;
use webpki::ring::{RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256_LEGACY_KEY};

use crate::config::ClientConfig;
use crate::entra::refusal::{EntraRefusal, unauthorized};
use crate::state::State;
use crate::tokens::ServiceAccountClaims;

/// Longest time between clocks that is forgiven, seconds.
const SKEW: f64 = 300.0;

#[derive(Deserialize)]
struct AssertionHeader {
    alg: String,
    /// SHA-1 thumbprint of the certificate.
    x5t: Option<String>,
    /// SHA-256 thumbprint of the certificate.
    #[serde(rename = "x5t#S256")]
    x5t_s256: Option<String>,
}

/// What a client says of itself. Microsoft's Python library writes times with fractions.
#[derive(Deserialize)]
struct AssertionClaims {
    aud: String,
    iss: String,
    sub: String,
    #[serde(default)]
    nbf: Option<f64>,
    exp: f64,
}

/// Checks an assertion as Entra ID does.
pub(super) fn check(
    state: &State,
    origin: &str,
    client: &ClientConfig,
    assertion: &str,
) -> Result<(), EntraRefusal> {
    let malformed = || unauthorized(50_027, "JWT token is invalid or malformed.");
    let mut parts = assertion.split('.');
    let (Some(header), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(malformed());
    };
    let header: AssertionHeader = read(header).ok_or_else(malformed)?;
    if header.x5t.is_none() && header.x5t_s256.is_none() {
        return check_federated(state, client, assertion);
    }
    let claims: AssertionClaims = read(claims).ok_or_else(malformed)?;
    let signature = decode(signature).ok_or_else(malformed)?;
    let signed = assertion.rsplit_once('.').map(|(signed, _)| signed);
    check_signature(client, &header, signed.unwrap_or_default(), &signature)?;
    check_claims(state, origin, client, &claims)
}

fn read<T: serde::de::DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&decode(part)?).ok()
}

/// Base64url, with or without the padding that JWTs do not have and some libraries write.
fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()
}

/// SHA-1 and SHA-256 thumbprints of PEM certificates, as headers carry them; `None` when one is no
/// certificate.
pub(crate) fn thumbprints(pem: &str) -> Option<[String; 2]> {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    EndEntityCert::try_from(&certificate).ok()?;
    Some(
        [&SHA1_FOR_LEGACY_USE_ONLY, &SHA256]
            .map(|algorithm| URL_SAFE_NO_PAD.encode(digest(algorithm, &certificate))),
    )
}

fn check_signature(
    client: &ClientConfig,
    header: &AssertionHeader,
    signed: &str,
    signature: &[u8],
) -> Result<(), EntraRefusal> {
    let refuse = |why: &str| {
        let message =
            format!("The certificate with identifier used to sign the client assertion {why}.");
        unauthorized(700_027, &message)
    };
    let algorithm: &dyn SignatureVerificationAlgorithm = match header.alg.as_str() {
        "PS256" => RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        "RS256" => RSA_PKCS1_2048_8192_SHA256,
        _ => {
            return Err(unauthorized(
                5_002_738,
                "Invalid JWT token. Unsupported algorithm.",
            ));
        }
    };
    let is_named = |pem: &&String| {
        thumbprints(pem).is_some_and(|[sha1, sha256]| {
            let same = |named: &Option<String>, own: &str| {
                named
                    .as_ref()
                    .is_none_or(|named| named.trim_end_matches('=') == own)
            };
            same(&header.x5t, &sha1) && same(&header.x5t_s256, &sha256)
        })
    };
    let registered = client.certificates.iter().find(is_named);
    let pem = registered.ok_or_else(|| refuse("is not registered on application"))?;
    let certificate =
        CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| refuse("cannot be read"))?;
    EndEntityCert::try_from(&certificate)
        .and_then(|certificate| {
            certificate.verify_signature(algorithm, signed.as_bytes(), signature)
        })
        .map_err(|_| refuse("does not verify its signature"))
}

fn check_claims(
    state: &State,
    origin: &str,
    client: &ClientConfig,
    claims: &AssertionClaims,
) -> Result<(), EntraRefusal> {
    if claims.iss != client.client_id || claims.sub != client.client_id {
        let message =
            "Client assertion application identifier doesn't match 'client_id' parameter.";
        return Err(unauthorized(700_021, message));
    }
    let tenant = &state.config.tenant;
    let own = ["/oauth2/v2.0/token", "/oauth2/token", "/v2.0", ""]
        .map(|path| format!("{origin}/{tenant}{path}"));
    if !own
        .iter()
        .any(|own| *own == claims.aud.trim_end_matches('/'))
    {
        let message = "Client assertion audience claim does not match Realm issuer.";
        return Err(unauthorized(700_023, message));
    }
    check_times(state, claims.nbf, claims.exp)
}

fn check_times(state: &State, nbf: Option<f64>, exp: f64) -> Result<(), EntraRefusal> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds since 1970 are far below 2^53"
    )]
    let now = state.clock.now().timestamp() as f64;
    let begun = nbf.is_none_or(|nbf| nbf <= now + SKEW);
    if begun && exp > now - SKEW {
        return Ok(());
    }
    let message = "Client assertion is not within its valid time range.";
    Err(unauthorized(700_024, message))
}

fn check_federated(
    state: &State,
    client: &ClientConfig,
    assertion: &str,
) -> Result<(), EntraRefusal> {
    if client.federated_credentials.is_empty() {
        let message = "The client has no configured federated identity credentials.";
        return Err(unauthorized(70025, message));
    }
    let claims: ServiceAccountClaims = state
        .tokens
        .read(assertion)
        .map_err(|_| unauthorized(50_013, "Assertion failed signature validation."))?;
    let mut fitting = client.federated_credentials.clone();
    let mut narrow = |code,
                      what: &str,
                      presented: &str,
                      fits: &dyn Fn(&crate::FederatedCredential) -> bool| {
        fitting.retain(|credential| fits(credential));
        if fitting.is_empty() {
            let message = format!(
                "No matching federated identity record found for presented assertion {what} '{presented}'."
            );
            return Err(unauthorized(code, &message));
        }
        Ok(())
    };
    narrow(700_211, "issuer", &claims.iss, &|own| {
        own.issuer == claims.iss
    })?;
    narrow(700_213, "subject", &claims.sub, &|own| {
        own.subject == claims.sub
    })?;
    narrow(700_212, "audience", &claims.aud, &|own| {
        own.audience == claims.aud
    })?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds since 1970 are far below 2^53"
    )]
    check_times(state, None, claims.exp as f64)
}

/// A request for a service account's token.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceAccountRequest {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    #[serde(default)]
    pub(crate) audience: Option<String>,
    #[serde(default = "one_hour")]
    pub(crate) expires_in_seconds: i32,
}

fn one_hour() -> i32 {
    3_600
}

/// What Kubernetes would project into the pod.
pub(crate) fn service_account_token(
    state: &State,
    request: &ServiceAccountRequest,
) -> Result<String, jsonwebtoken::errors::Error> {
    let now = state.clock.now().timestamp();
    let audience = request.audience.as_deref();
    let claims = ServiceAccountClaims {
        iss: request.issuer.clone(),
        sub: request.subject.clone(),
        aud: audience
            .unwrap_or(crate::EmulatorConfig::TOKEN_EXCHANGE_AUDIENCE)
            .to_owned(),
        iat: now,
        exp: now + i64::from(request.expires_in_seconds),
    };
    state.tokens.sign_for_cluster(&claims)
}
