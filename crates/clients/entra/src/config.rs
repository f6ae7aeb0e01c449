//! Who Foretide is towards Azure, as configuration says it.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::Cloud;
use crate::endpoint::{TENANT, is_tenant};

/// An identity: the cloud it lives in, and how it proves itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Written")]
pub struct IdentityConfig {
    /// Its cloud; decides authority and audiences that are not set.
    pub cloud: Cloud,
    /// Address of the authority, when it is not the cloud's own (a private cloud, the emulator).
    pub authority: Option<Url>,
    /// How it proves itself.
    pub credential: Credential,
}

/// How an identity proves itself.
#[derive(Debug, Clone)]
pub enum Credential {
    /// By a secret that it shares with Entra ID.
    ClientSecret {
        /// Tenant (directory) id or domain.
        tenant: String,
        /// Application (client) id.
        client_id: String,
        /// The secret's value.
        client_secret: SecretString,
    },
    /// By signing with the key of a certificate that is registered with the application.
    Certificate {
        /// Tenant (directory) id or domain.
        tenant: String,
        /// Application (client) id.
        client_id: String,
        /// PEM file with the certificate and its unencrypted RSA key; read again at each refresh.
        certificate_file: PathBuf,
    },
    /// By the token that Kubernetes gives to the pod. What is not set comes from the variables that
    /// the AKS webhook injects: `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_FEDERATED_TOKEN_FILE`.
    WorkloadIdentity {
        /// Tenant (directory) id or domain.
        tenant: Option<String>,
        /// Client id of the application or the user-assigned identity.
        client_id: Option<String>,
        /// File with the token; read again at each refresh.
        token_file: Option<PathBuf>,
    },
    /// As the machine it runs on, through its metadata service (IMDS).
    ManagedIdentity {
        /// Which of the machine's identities.
        which: ManagedIdentity,
        /// Address of the metadata service, when it is not the usual one.
        endpoint: Option<Url>,
    },
    /// By what the environment offers: a secret (`AZURE_CLIENT_SECRET`), a certificate
    /// (`AZURE_CLIENT_CERTIFICATE_PATH`), a federated token (`AZURE_FEDERATED_TOKEN_FILE`), else
    /// the managed identity. Chosen once, at the start, in this order.
    Environment,
}

/// One of the identities that a machine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManagedIdentity {
    /// The machine's own.
    SystemAssigned,
    /// A user-assigned one, by client id.
    ClientId(String),
    /// A user-assigned one, by object (principal) id.
    ObjectId(String),
    /// A user-assigned one, by ARM resource id.
    ResourceId(String),
}

impl IdentityConfig {
    /// An application of the public cloud that proves itself with a secret.
    #[must_use]
    pub fn client_secret(
        tenant: impl Into<String>,
        client_id: impl Into<String>,
        client_secret: SecretString,
    ) -> Self {
        Self::from(Credential::ClientSecret {
            tenant: tenant.into(),
            client_id: client_id.into(),
            client_secret,
        })
    }

    /// The same with another authority.
    #[must_use]
    pub fn at(mut self, authority: Url) -> Self {
        self.authority = Some(authority);
        self
    }
}

impl IdentityConfig {
    /// The audience that is configured for a service; where it is the public cloud's, as it is by
    /// default, that of this identity's cloud.
    #[must_use]
    pub fn audience(&self, configured: &str, of: fn(Cloud) -> &'static str) -> String {
        if configured.trim_end_matches('/') == of(Cloud::Public) {
            of(self.cloud).to_owned()
        } else {
            configured.to_owned()
        }
    }

    /// The same for a service's address.
    #[must_use]
    pub fn endpoint(&self, configured: &Url, of: fn(Cloud) -> Url) -> Url {
        if *configured == of(Cloud::Public) {
            of(self.cloud)
        } else {
            configured.clone()
        }
    }
}

impl From<Credential> for IdentityConfig {
    /// In the public cloud.
    fn from(credential: Credential) -> Self {
        Self {
            cloud: Cloud::Public,
            authority: None,
            credential,
        }
    }
}

/// The section as it is written. `kind` may be left out beside a secret or a certificate.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: Option<Kind>,
    #[serde(default)]
    cloud: Cloud,
    authority: Option<Url>,
    tenant: Option<String>,
    client_id: Option<String>,
    client_secret: Option<SecretString>,
    certificate_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
    object_id: Option<String>,
    resource_id: Option<String>,
    endpoint: Option<Url>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    ClientSecret,
    Certificate,
    WorkloadIdentity,
    ManagedIdentity,
    Environment,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::ClientSecret => "client_secret",
            Self::Certificate => "certificate",
            Self::WorkloadIdentity => "workload_identity",
            Self::ManagedIdentity => "managed_identity",
            Self::Environment => "environment",
        }
    }

    /// The keys that this kind reads, beside `kind`, `cloud` and `authority`.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::ClientSecret => &["tenant", "client_id", "client_secret"],
            Self::Certificate => &["tenant", "client_id", "certificate_file"],
            Self::WorkloadIdentity => &["tenant", "client_id", "token_file"],
            Self::ManagedIdentity => &["client_id", "object_id", "resource_id", "endpoint"],
            Self::Environment => &[],
        }
    }
}

impl Written {
    fn kind(&self) -> Result<Kind, String> {
        match (self.kind, &self.client_secret, &self.certificate_file) {
            (Some(kind), _, _) => Ok(kind),
            (None, Some(_), _) => Ok(Kind::ClientSecret),
            (None, None, Some(_)) => Ok(Kind::Certificate),
            (None, None, None) => Err("set client_secret, or certificate_file, or kind: \
                 workload_identity, managed_identity or environment"
                .to_owned()),
        }
    }

    fn given(&self) -> [(&'static str, bool); 8] {
        [
            ("tenant", self.tenant.is_some()),
            ("client_id", self.client_id.is_some()),
            ("client_secret", self.client_secret.is_some()),
            ("certificate_file", self.certificate_file.is_some()),
            ("token_file", self.token_file.is_some()),
            ("object_id", self.object_id.is_some()),
            ("resource_id", self.resource_id.is_some()),
            ("endpoint", self.endpoint.is_some()),
        ]
    }

    fn refuse_unread_keys(&self, kind: Kind) -> Result<(), String> {
        let unread = |(key, given): &(&str, bool)| *given && !kind.keys().contains(key);
        match self.given().iter().find(|entry| unread(entry)) {
            None => Ok(()),
            Some((key, _)) if kind.keys().is_empty() => {
                Err(format!("kind {} takes no {key}", kind.name()))
            }
            Some((key, _)) => Err(format!(
                "kind {} takes no {key}; it takes {}",
                kind.name(),
                kind.keys().join(", ")
            )),
        }
    }

    fn refuse_blanks(&self) -> Result<(), String> {
        let secret = self.client_secret.as_ref().map(ExposeSecret::expose_secret);
        let texts = [
            ("tenant", self.tenant.as_deref()),
            ("client_id", self.client_id.as_deref()),
            ("client_secret", secret),
            ("object_id", self.object_id.as_deref()),
            ("resource_id", self.resource_id.as_deref()),
        ];
        let is_blank = |text: &str| text.trim().is_empty();
        if let Some((key, _)) = texts.iter().find(|(_, text)| text.is_some_and(is_blank)) {
            return Err(format!("{key} is blank: set it, or leave it out"));
        }
        match &self.tenant {
            Some(tenant) if !is_tenant(tenant) => Err(format!(
                "tenant {TENANT}, got {:?}",
                tenant.chars().take(64).collect::<String>()
            )),
            _ => Ok(()),
        }
    }

    fn which_managed_identity(&self) -> Result<ManagedIdentity, String> {
        match (&self.client_id, &self.object_id, &self.resource_id) {
            (None, None, None) => Ok(ManagedIdentity::SystemAssigned),
            (Some(id), None, None) => Ok(ManagedIdentity::ClientId(id.clone())),
            (None, Some(id), None) => Ok(ManagedIdentity::ObjectId(id.clone())),
            (None, None, Some(id)) => Ok(ManagedIdentity::ResourceId(id.clone())),
            _ => Err("set at most one of client_id, object_id and resource_id".to_owned()),
        }
    }
}

impl TryFrom<Written> for IdentityConfig {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let kind = written.kind()?;
        written.refuse_unread_keys(kind)?;
        written.refuse_blanks()?;
        let needed = |key: &str| format!("kind {} needs {key}", kind.name());
        let credential = match kind {
            Kind::ClientSecret => Credential::ClientSecret {
                tenant: written.tenant.ok_or_else(|| needed("tenant"))?,
                client_id: written.client_id.ok_or_else(|| needed("client_id"))?,
                client_secret: written
                    .client_secret
                    .ok_or_else(|| needed("client_secret"))?,
            },
            Kind::Certificate => Credential::Certificate {
                tenant: written.tenant.ok_or_else(|| needed("tenant"))?,
                client_id: written.client_id.ok_or_else(|| needed("client_id"))?,
                certificate_file: written
                    .certificate_file
                    .ok_or_else(|| needed("certificate_file"))?,
            },
            Kind::WorkloadIdentity => Credential::WorkloadIdentity {
                tenant: written.tenant,
                client_id: written.client_id,
                token_file: written.token_file,
            },
            Kind::ManagedIdentity => Credential::ManagedIdentity {
                which: written.which_managed_identity()?,
                endpoint: written.endpoint,
            },
            Kind::Environment => Credential::Environment,
        };
        Ok(Self {
            cloud: written.cloud,
            authority: written.authority,
            credential,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<IdentityConfig, String> {
        serde_norway::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_shape_still_reads_and_every_kind_has_one() {
        let config =
            read("{authority: 'http://127.0.0.1:1', tenant: t, client_id: c, client_secret: s}");
        assert!(matches!(
            config,
            Ok(IdentityConfig {
                cloud: Cloud::Public,
                authority: Some(_),
                credential: Credential::ClientSecret { .. }
            })
        ));
        let config =
            read("{tenant: t, client_id: c, certificate_file: /a.pem, cloud: us_gov}").unwrap();
        assert_eq!(config.cloud, Cloud::UsGov);
        assert!(matches!(config.credential, Credential::Certificate { .. }));
        for (text, wanted) in [
            ("{kind: managed_identity}", ManagedIdentity::SystemAssigned),
            (
                "{kind: managed_identity, client_id: c}",
                ManagedIdentity::ClientId("c".to_owned()),
            ),
            (
                "{kind: managed_identity, object_id: o}",
                ManagedIdentity::ObjectId("o".to_owned()),
            ),
            (
                "{kind: managed_identity, resource_id: /r}",
                ManagedIdentity::ResourceId("/r".to_owned()),
            ),
        ] {
            let Credential::ManagedIdentity { which, .. } = read(text).unwrap().credential else {
                panic!("{text}");
            };
            assert_eq!(which, wanted);
        }
        for text in [
            "{kind: workload_identity}",
            "{kind: environment, cloud: china}",
        ] {
            read(text).unwrap();
        }
    }

    #[test]
    fn a_clouds_own_names_replace_the_public_ones_and_no_others() {
        let identity = read("{kind: environment, cloud: china}").unwrap();
        let audience = |configured| identity.audience(configured, Cloud::monitor_audience);
        assert_eq!(
            audience("https://monitor.azure.com"),
            "https://monitor.azure.cn"
        );
        assert_eq!(
            audience("https://monitor.azure.com/"),
            "https://monitor.azure.cn"
        );
        assert_eq!(audience("https://mine.example"), "https://mine.example");
        let endpoint = |configured: &str| {
            let configured = Url::parse(configured).unwrap();
            let endpoint = identity.endpoint(&configured, Cloud::log_analytics_endpoint);
            endpoint.to_string()
        };
        assert_eq!(
            endpoint("https://api.loganalytics.azure.com"),
            "https://api.loganalytics.azure.cn/"
        );
        assert_eq!(endpoint("http://127.0.0.1:1"), "http://127.0.0.1:1/");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (text, said) in [
            (
                "{tenant: t, client_id: c}",
                "set client_secret, or certificate_file, or kind",
            ),
            (
                "{kind: client_secret, tenant: t, client_secret: hush}",
                "needs client_id",
            ),
            (
                "{kind: certificate, client_id: c, certificate_file: /a}",
                "needs tenant",
            ),
            (
                "{kind: workload_identity, client_secret: hush}",
                "takes no client_secret; it takes tenant",
            ),
            (
                "{kind: environment, tenant: t}",
                "kind environment takes no tenant",
            ),
            (
                "{kind: managed_identity, client_id: c, object_id: o}",
                "at most one of",
            ),
            (
                "{client_secret: hush, certificate_file: /a, tenant: t, client_id: c}",
                "takes no certificate_file",
            ),
            ("{kind: password}", "unknown variant `password`"),
            (
                "{kind: managed_identity, colour: red}",
                "unknown field `colour`",
            ),
            (
                "{kind: environment, cloud: germany}",
                "unknown variant `germany`",
            ),
            ("{kind: environment, authority: 7}", "authority"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
