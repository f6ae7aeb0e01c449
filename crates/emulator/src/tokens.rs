//! Signing and checking tokens.

use chrono::{DateTime, Duration, Utc};
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::answers::AzureError;

/// Public, as it is in the repository: it proves nothing, and the emulator listens on loopback
/// only. A key made at each start would take seconds in development builds.
const KEY: &[u8] = include_bytes!("emulator_only_key.pem");
const KEY_ID: &str = "foretide-emulator-only";

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    appid: String,
    azp: String,
    oid: String,
    tid: String,
    idtyp: String,
    ver: String,
    iat: i64,
    nbf: i64,
    exp: i64,
}

pub(crate) struct Tokens {
    issuer: String,
    tenant: String,
    signing_key: EncodingKey,
    checking_key: DecodingKey,
    key_set: JwkSet,
}

impl Tokens {
    pub(crate) fn new(issuer: String, tenant: &str) -> Result<Self, jsonwebtoken::errors::Error> {
        let signing_key = EncodingKey::from_rsa_pem(KEY)?;
        let mut key = Jwk::from_encoding_key(&signing_key, Algorithm::RS256)?;
        key.common.key_id = Some(KEY_ID.to_owned());
        key.common.public_key_use = Some(PublicKeyUse::Signature);
        let checking_key = DecodingKey::from_jwk(&key)?;
        let key_set = JwkSet { keys: vec![key] };
        Ok(Self {
            issuer,
            tenant: tenant.to_owned(),
            signing_key,
            checking_key,
            key_set,
        })
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(crate) fn key_set(&self) -> &JwkSet {
        &self.key_set
    }

    pub(crate) fn sign(
        &self,
        client_id: &str,
        audience: &str,
        now: DateTime<Utc>,
        lifetime: Duration,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: audience.to_owned(),
            appid: client_id.to_owned(),
            azp: client_id.to_owned(),
            oid: uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, client_id.as_bytes()).to_string(),
            tid: self.tenant.clone(),
            idtyp: "app".to_owned(),
            ver: "2.0".to_owned(),
            iat: now.timestamp(),
            nbf: now.timestamp(),
            exp: (now + lifetime).timestamp(),
        };
        let header = Header {
            kid: Some(KEY_ID.to_owned()),
            ..Header::new(Algorithm::RS256)
        };
        jsonwebtoken::encode(&header, &claims, &self.signing_key)
    }

    /// Lets a request pass whose bearer token we signed, for this audience, and that still lives.
    pub(crate) fn authorize(
        &self,
        headers: &HeaderMap,
        audience: &str,
        now: DateTime<Utc>,
    ) -> Result<(), AzureError> {
        let unauthorized = |message: &str| {
            AzureError::new(StatusCode::UNAUTHORIZED, "AuthenticationFailed", message)
        };
        let token = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(|| unauthorized("a bearer token is required"))?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[&self.issuer]);
        // expiry is checked against our own clock, the audience for a message of its own
        validation.validate_exp = false;
        validation.validate_aud = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.checking_key, &validation)
            .map_err(|_| unauthorized("the token was not signed by this emulator's tenant"))?
            .claims;
        if claims.exp <= now.timestamp() || claims.nbf > now.timestamp() + 300 {
            return Err(unauthorized("the token has expired or is not valid yet"));
        }
        if claims.aud.trim_end_matches('/') != audience {
            return Err(AzureError::new(
                StatusCode::FORBIDDEN,
                "InvalidAuthenticationTokenAudience",
                format!(
                    "the token is for {}, this interface takes tokens for {audience}",
                    claims.aud
                ),
            ));
        }
        Ok(())
    }
}
