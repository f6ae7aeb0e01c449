//! What an approval is bound to.

use std::fmt;
use std::str::FromStr;

use foretide_audit_chain::CanonicalJson;
use foretide_domain::{ActionKind, ForecastId};
use sha2::{Digest, Sha256};

use crate::rules::PolicyVersion;

const DOMAIN: &str = "foretide.payload.v1";

/// A text that is not a payload hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("payload_hash must be 64 lower-case hexadecimal digits")]
pub struct PayloadHashError;

/// SHA-256 of the exact payload, the forecast it rests on and the policy it was proposed under.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PayloadHash([u8; 32]);

impl PayloadHash {
    /// The hash of what would be done. A notice written by hand rests on no forecast.
    #[must_use]
    pub fn of(
        kind: ActionKind,
        payload: &CanonicalJson,
        forecast: Option<ForecastId>,
        policy: &PolicyVersion,
    ) -> Self {
        let forecast = forecast.map(|id| id.to_string()).unwrap_or_default();
        let mut hasher = Sha256::new();
        for part in [
            DOMAIN,
            kind.name(),
            payload.as_str(),
            &forecast,
            policy.as_str(),
        ] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }
}

impl fmt::Display for PayloadHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PayloadHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PayloadHash {
    type Err = PayloadHashError;

    fn from_str(text: &str) -> Result<Self, PayloadHashError> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(PayloadHashError);
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| PayloadHashError)?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rules;

    #[test]
    fn every_part_counts_and_the_order_of_keys_does_not() {
        let policy = Rules::default().version();
        let forecast = Some(ForecastId::new());
        let kind = ActionKind::TeamsNotice;
        let payload: CanonicalJson = r#"{"title":"a","facts":[1]}"#.parse().expect("valid");
        let reordered: CanonicalJson = r#"{"facts":[1],"title":"a"}"#.parse().expect("valid");
        let other: CanonicalJson = r#"{"facts":[2],"title":"a"}"#.parse().expect("valid");
        let hash = PayloadHash::of(kind, &payload, forecast, &policy);

        assert_eq!(hash, PayloadHash::of(kind, &reordered, forecast, &policy));
        assert_ne!(hash, PayloadHash::of(kind, &other, forecast, &policy));
        assert_ne!(hash, PayloadHash::of(kind, &payload, None, &policy));
        assert_ne!(
            hash,
            PayloadHash::of(kind, &payload, Some(ForecastId::new()), &policy)
        );
        let stricter = Rules {
            quorum: 2,
            ..Rules::default()
        }
        .version();
        assert_ne!(hash, PayloadHash::of(kind, &payload, forecast, &stricter));
    }

    #[test]
    fn only_its_own_form_is_read() {
        let policy = Rules::default().version();
        let payload = CanonicalJson::of(&serde_json::json!({}));
        let hash = PayloadHash::of(ActionKind::TeamsNotice, &payload, None, &policy);
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for text in [
            "",
            "abc",
            &hash.to_string().to_uppercase(),
            &format!("{hash}00"),
        ] {
            assert_eq!(text.parse::<PayloadHash>(), Err(PayloadHashError), "{text}");
        }
    }
}
