//! Client assertions signed with the key of a certificate.
//!
//! The assertion is a JWT with PS256 and the certificate's SHA-256 thumbprint in `x5t#S256`, as in
//! "Microsoft identity platform application authentication certificate credentials".

use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::EntraError;

/// An assertion is used at once; this covers repeated tries.
const LIFE: TimeDelta = TimeDelta::minutes(10);
/// It counts from a little before now, for an endpoint whose clock is behind.
const BACKDATED: TimeDelta = TimeDelta::minutes(5);
/// A clock that is off by less is left alone.
const TOLERATED_SKEW: TimeDelta = TimeDelta::seconds(60);

/// A certificate with its key, read from PEM.
pub(crate) struct SigningCertificate {
    key: RsaKeyPair,
    thumbprint: String,
}

impl SigningCertificate {
    /// Reads certificate and key; of a chain, the certificate that the key belongs to.
    pub(crate) fn from_pem(what: &str, pem: &SecretString) -> Result<Self, EntraError> {
        let refuse = |problem: &str| EntraError::credential(what, problem);
        let pem = pem.expose_secret().as_bytes();
        if pem.windows(ENCRYPTED.len()).any(|text| text == ENCRYPTED) {
            return Err(refuse(
                "has an encrypted key; store it unencrypted in a file that only Foretide can read",
            ));
        }
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
            refuse("holds no private key; append the key to the certificate, as PEM")
        })?;
        let key = match &key {
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err(refuse("has a key that is not RSA; Entra ID takes RSA only")),
        }
        .map_err(|_| refuse("has a key that is no RSA key of 2048 to 4096 bits"))?;
        // A certificate holds its public key exactly as ring writes it (RSAPublicKey, RFC 8017).
        let public_key = key.public().as_ref().to_vec();
        let holds_the_key = |der: &CertificateDer<'_>| {
            der.as_ref()
                .windows(public_key.len())
                .any(|bytes| bytes == public_key)
        };
        let certificate = CertificateDer::pem_slice_iter(pem)
            .flatten()
            .find(holds_the_key)
            .ok_or_else(|| refuse("holds no certificate that its key belongs to"))?;
        let digest = ring::digest::digest(&ring::digest::SHA256, &certificate);
        Ok(Self {
            key,
            thumbprint: URL_SAFE_NO_PAD.encode(digest),
        })
    }

    /// An assertion by the application, for the token endpoint at `audience`.
    pub(crate) fn assertion(
        &self,
        client_id: &str,
        audience: &str,
        now: DateTime<Utc>,
    ) -> Result<SecretString, EntraError> {
        let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint});
        let claims = json!({
            "aud": audience,
            "iss": client_id,
            "sub": client_id,
            "jti": uuid::Uuid::new_v4().to_string(),
            "iat": now.timestamp(),
            "nbf": (now - BACKDATED).timestamp(),
            "exp": (now + LIFE).timestamp(),
        });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(
                &RSA_PSS_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .map_err(|_| EntraError::credential("the certificate's key", "does not sign"))?;
        Ok(SecretString::from(format!(
            "{signed}.{}",
            URL_SAFE_NO_PAD.encode(signature)
        )))
    }
}

const ENCRYPTED: &[u8] = b"ENCRYPTED";

/// How far our clock is from the endpoint's, once the endpoint has complained about the time.
#[derive(Debug, Default)]
pub(crate) struct Skew(AtomicI64);

impl Skew {
    /// Now, by the endpoint's clock.
    pub(crate) fn correct(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now + TimeDelta::seconds(self.0.load(Ordering::Relaxed))
    }

    /// Learns from a reply; false when our clock is not what is wrong.
    pub(crate) fn learn(&self, ours: DateTime<Utc>, theirs: DateTime<Utc>) -> bool {
        let skew = theirs - ours;
        let known = TimeDelta::seconds(self.0.load(Ordering::Relaxed));
        if (skew - known).abs() <= TOLERATED_SKEW {
            return false;
        }
        tracing::warn!(
            seconds = skew.num_seconds(),
            "this machine's clock differs from Entra ID's; assertions are dated by theirs: set the clock"
        );
        self.0.store(skew.num_seconds(), Ordering::Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clock_that_is_off_is_corrected() {
        let now: DateTime<Utc> = "2026-11-23T12:00:00Z".parse().unwrap();
        let skew = Skew::default();
        assert!(!skew.learn(now, now + TimeDelta::seconds(30)));
        assert_eq!(skew.correct(now), now);
        let theirs = now + TimeDelta::hours(3);
        assert!(skew.learn(now, theirs));
        assert_eq!(skew.correct(now), theirs);
        assert!(
            !skew.learn(now, theirs),
            "learnt already: asking again is no use"
        );
        assert!(skew.learn(now, now), "the clock was set");
    }
}
