//! The address of a Workflows webhook. Whoever has it can post, so it is a secret.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

/// A checked webhook address. It is never shown.
#[derive(Clone)]
pub struct WebhookUrl(SecretString);

/// An address that cannot be posted to. The address itself is not repeated: it is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookUrlError {
    /// Not an address at all.
    #[error("the Teams webhook must be an https address")]
    NotAnAddress,
    /// Would send the secret and the notice in the clear.
    #[error("the Teams webhook must use https; http is only for loopback")]
    NotHttps,
    /// Office 365 connectors have been shut down.
    #[error(
        "the Teams webhook is an Office 365 connector (webhook.office.com), which has been retired: \
         in Teams, make a workflow \"when a Teams webhook request is received\" and use its address"
    )]
    RetiredConnector,
}

impl WebhookUrl {
    /// Checks an address.
    ///
    /// # Errors
    /// When it is no address, not https (http is taken for loopback only), or that of a retired
    /// Office 365 connector.
    pub fn parse(address: &SecretString) -> Result<Self, WebhookUrlError> {
        let url = Url::parse(address.expose_secret().trim())
            .map_err(|_| WebhookUrlError::NotAnAddress)?;
        let host = url.host().ok_or(WebhookUrlError::NotAnAddress)?;
        if is_retired(&host) {
            return Err(WebhookUrlError::RetiredConnector);
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&host) => {}
            "http" => return Err(WebhookUrlError::NotHttps),
            _ => return Err(WebhookUrlError::NotAnAddress),
        }
        Ok(Self(SecretString::from(String::from(url))))
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookUrl(secret)")
    }
}

fn is_retired(host: &Host<&str>) -> bool {
    let Host::Domain(name) = host else {
        return false;
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    [
        "webhook.office.com",
        "outlook.office.com",
        "outlook.office365.com",
    ]
    .iter()
    .any(|retired| name == *retired || name.ends_with(&format!(".{retired}")))
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(address: &str) -> Option<WebhookUrlError> {
        WebhookUrl::parse(&SecretString::from(address)).err()
    }

    #[test]
    fn workflow_addresses_are_taken() {
        for address in [
            "https://prod-01.westeurope.logic.azure.com:443/workflows/x/triggers/manual/paths/invoke?sig=s",
            "https://env.01.environment.api.powerplatform.com/powerautomate/automations/direct/workflows/x?sig=s",
            "http://127.0.0.1:8080/workflows/x?sig=s",
            "http://localhost/workflows/x?sig=s",
            "http://[::1]:1/x",
        ] {
            assert_eq!(problem(address), None, "{address}");
        }
    }

    #[test]
    fn others_are_refused_without_repeating_them() {
        for (address, expected) in [
            ("", WebhookUrlError::NotAnAddress),
            ("not an address", WebhookUrlError::NotAnAddress),
            ("mailto:soc@contoso.example", WebhookUrlError::NotAnAddress),
            ("file:///etc/passwd", WebhookUrlError::NotAnAddress),
            ("ftp://contoso.example/x", WebhookUrlError::NotAnAddress),
            ("http://contoso.example/secret", WebhookUrlError::NotHttps),
            (
                "http://127.0.0.1.contoso.example/secret",
                WebhookUrlError::NotHttps,
            ),
            (
                "https://contoso.webhook.office.com/webhookb2/secret",
                WebhookUrlError::RetiredConnector,
            ),
            (
                "https://CONTOSO.WEBHOOK.OFFICE.COM./secret",
                WebhookUrlError::RetiredConnector,
            ),
            (
                "https://outlook.office.com/webhook/secret",
                WebhookUrlError::RetiredConnector,
            ),
        ] {
            assert_eq!(problem(address), Some(expected), "{address}");
            assert!(!expected.to_string().contains("secret") || !address.contains("secret"));
        }
        let url =
            WebhookUrl::parse(&SecretString::from("https://a.example/?sig=hidden")).expect("valid");
        assert!(!format!("{url:?}").contains("hidden"));
    }
}
