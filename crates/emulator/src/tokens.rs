//! Signing and checking tokens.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Duration, Utc};
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::answers::{AzureError, host};

/// Public, as it is in the repository: it proves nothing, and the emulator listens on loopback
/// only. A key made at each start would take seconds in development builds.
const KEY: &[u8] = include_bytes!("emulator_only_key.pem");
const MOST_CHECKED: usize = 1_000;
const KEY_ID: &str = "foretide-emulator-only";

#[derive(Debug, Clone, Serialize, Deserialize)]
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

/// A token of Kubernetes for a service account.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ServiceAccountClaims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: String,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
}

pub(crate) struct Tokens {
    tenant: String,
    signing_key: EncodingKey,
    checking_key: DecodingKey,
    key_set: JwkSet,
    /// What tokens say whose signature was found to be ours: a development build takes milliseconds for
    /// that, and clients show the same token with every request.
    checked: Mutex<HashMap<String, Claims>>,
}

impl Tokens {
    pub(crate) fn new(tenant: &str) -> Result<Self, jsonwebtoken::errors::Error> {
        let signing_key = EncodingKey::from_rsa_pem(KEY)?;
        let mut key = Jwk::from_encoding_key(&signing_key, Algorithm::RS256)?;
        key.common.key_id = Some(KEY_ID.to_owned());
        key.common.public_key_use = Some(PublicKeyUse::Signature);
        let checking_key = DecodingKey::from_jwk(&key)?;
        let key_set = JwkSet { keys: vec![key] };
        Ok(Self {
            tenant: tenant.to_owned(),
            signing_key,
            checking_key,
            key_set,
            checked: Mutex::default(),
        })
    }

    /// The issuer's name in tokens, for clients that reach the emulator at this origin.
    pub(crate) fn issuer(&self, origin: &str) -> String {
        format!("{origin}/{}/v2.0", self.tenant)
    }

    pub(crate) fn key_set(&self) -> &JwkSet {
        &self.key_set
    }

    pub(crate) fn sign(
        &self,
        origin: &str,
        client_id: &str,
        audience: &str,
        now: DateTime<Utc>,
        lifetime: Duration,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = Claims {
            iss: self.issuer(origin),
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
        self.signed(&claims)
    }

    /// A service account's token, as a cluster whose issuer we play would sign it.
    pub(crate) fn sign_for_cluster(
        &self,
        claims: &ServiceAccountClaims,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        self.signed(claims)
    }

    fn signed<C: Serialize>(&self, claims: &C) -> Result<String, jsonwebtoken::errors::Error> {
        let header = Header {
            kid: Some(KEY_ID.to_owned()),
            ..Header::new(Algorithm::RS256)
        };
        jsonwebtoken::encode(&header, claims, &self.signing_key)
    }

    /// The claims of a token with our signature; times and audience are the caller's to check.
    pub(crate) fn read<C: serde::de::DeserializeOwned>(
        &self,
        token: &str,
    ) -> Result<C, jsonwebtoken::errors::Error> {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        Ok(jsonwebtoken::decode::<C>(token, &self.checking_key, &validation)?.claims)
    }

    fn claims(&self, token: &str) -> Result<Claims, jsonwebtoken::errors::Error> {
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(claims) = checked.get(token) {
            return Ok(claims.clone());
        }
        let claims: Claims = self.read(token)?;
        if checked.len() >= MOST_CHECKED {
            checked.clear();
        }
        checked.insert(token.to_owned(), claims.clone());
        Ok(claims)
    }

    /// Lets a request pass whose bearer token we signed, for this audience, and that still lives.
    /// As in each cloud a service's address is an audience of its own, ours is too.
    pub(crate) fn authorize(
        &self,
        headers: &HeaderMap,
        audience: &str,
        now: DateTime<Utc>,
    ) -> Result<(), AzureError> {
        let unauthorized = |message: &str| {
            AzureError::new(StatusCode::UNAUTHORIZED, "AuthenticationFailed", message)
                .with_authority(format!("http://{}/{}", host(headers), self.tenant))
        };
        let token = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(|| unauthorized("a bearer token is required"))?;
        let claims = self
            .claims(token)
            .map_err(|_| unauthorized("the token was not signed by this emulator's tenant"))?;
        if claims.tid != self.tenant {
            return Err(unauthorized("the token is of another tenant"));
        }
        if claims.exp <= now.timestamp() || claims.nbf > now.timestamp() + 300 {
            return Err(unauthorized("the token has expired or is not valid yet"));
        }
        let named = claims.aud.trim_end_matches('/');
        let own = named
            .split_once("://")
            .is_some_and(|(_, at)| at == host(headers));
        if named != audience && !own {
            let message =
                format!("the token is for {named}, this interface takes tokens for {audience}");
            let code = "InvalidAuthenticationTokenAudience";
            return Err(AzureError::new(StatusCode::FORBIDDEN, code, message));
        }
        Ok(())
    }
}
