//! The tokens of a configured identity.

use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;
use foretide_domain::SharedClock;
use foretide_http::RetryPolicy;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::cache::{FreshToken, TokenCache};
use crate::certificate::{SigningCertificate, Skew};
use crate::config::{Credential, IdentityConfig, ManagedIdentity};
use crate::endpoint::{Failure, TokenEndpoint};
use crate::files::{read_federated_token, read_secret};
use crate::host::Host;
use crate::managed::Imds;
use crate::{AccessToken, EntraError, TokenSource};

/// `client_assertion_type` of certificates and federated tokens (RFC 7523).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Environment variables by name.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Tokens of one identity, cached by audience and refreshed ahead of time.
pub struct IdentityTokens {
    flow: Flow,
    cache: TokenCache,
}

enum Flow {
    Application {
        endpoint: TokenEndpoint,
        client_id: String,
        proof: Proof,
    },
    Machine(Imds),
    /// App Service or Azure Arc.
    Host(Host),
}

enum Proof {
    Secret(SecretString),
    Certificate { file: PathBuf, skew: Skew },
    FederatedToken { file: PathBuf },
}

impl fmt::Debug for IdentityTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("IdentityTokens");
        shown.field("by", &self.flow.name());
        if let Flow::Application {
            endpoint,
            client_id,
            ..
        } = &self.flow
        {
            shown.field("endpoint", &endpoint.address.as_str());
            shown.field("client_id", client_id);
        }
        shown.finish_non_exhaustive()
    }
}

impl IdentityTokens {
    /// Tokens of this identity; what the configuration leaves to the environment is read from the
    /// process's. Nothing is asked for yet.
    ///
    /// # Errors
    /// [`EntraError::Credential`] when tenant, authority or a needed variable is missing or unusable.
    pub fn new(
        config: IdentityConfig,
        http: reqwest::Client,
        clock: SharedClock,
    ) -> Result<Self, EntraError> {
        Self::with_environment(config, &|name| std::env::var(name).ok(), http, clock)
    }

    /// The same with another environment.
    ///
    /// # Errors
    /// As [`IdentityTokens::new`].
    pub fn with_environment(
        config: IdentityConfig,
        environment: Environment<'_>,
        http: reqwest::Client,
        clock: SharedClock,
    ) -> Result<Self, EntraError> {
        let variables = Variables(environment);
        let foundation = Foundation {
            authority: variables.authority(&config)?,
            variables,
            http,
            clock: SharedClock::clone(&clock),
        };
        let flow = foundation.flow(config.credential)?;
        tracing::info!(by = flow.name(), "the identity towards Azure is set up");
        Ok(Self {
            flow,
            cache: TokenCache::new(clock),
        })
    }

    /// Repeats failed requests as this policy says.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        match &mut self.flow {
            Flow::Application { endpoint, .. } => endpoint.retry = retry,
            Flow::Machine(imds) => imds.retry = retry,
            Flow::Host(host) => host.retry = retry,
        }
        self
    }

    /// Waits this long for a metadata service that says it is being upgraded, instead of 70 seconds.
    #[must_use]
    pub fn with_upgrade_wait(mut self, wait: std::time::Duration) -> Self {
        if let Flow::Machine(imds) = &mut self.flow {
            imds.upgrade = wait;
        }
        self
    }

    /// Takes keys of Azure Arc's agent from this folder only, instead of the agent's usual one.
    #[must_use]
    pub fn with_arc_keys(mut self, folder: &std::path::Path) -> Self {
        if let Flow::Host(host) = &mut self.flow {
            host.look_for_keys_in(folder.to_owned());
        }
        self
    }
}

#[async_trait]
impl TokenSource for IdentityTokens {
    async fn token(&self, audience: &str) -> Result<AccessToken, EntraError> {
        let audience = audience.trim_end_matches('/');
        self.cache
            .get_or_fetch(audience, self.flow.fetch(audience))
            .await
    }
}

/// What every flow is built on.
struct Foundation<'a> {
    authority: Url,
    variables: Variables<'a>,
    http: reqwest::Client,
    clock: SharedClock,
}

impl Foundation<'_> {
    fn flow(&self, credential: Credential) -> Result<Flow, EntraError> {
        match credential {
            Credential::ClientSecret {
                tenant,
                client_id,
                client_secret,
            } => self.application(&tenant, client_id, Proof::Secret(client_secret)),
            Credential::Certificate {
                tenant,
                client_id,
                certificate_file,
            } => {
                let skew = Skew::default();
                let proof = Proof::Certificate {
                    file: certificate_file,
                    skew,
                };
                self.application(&tenant, client_id, proof)
            }
            Credential::WorkloadIdentity {
                tenant,
                client_id,
                token_file,
            } => {
                self.variables.refuse_token_proxy()?;
                let given_or = |key, given, variable| self.variables.or(key, given, variable);
                let tenant = given_or("tenant", tenant, "AZURE_TENANT_ID")?;
                let client_id = given_or("client_id", client_id, "AZURE_CLIENT_ID")?;
                let file = match token_file {
                    Some(file) => file,
                    None => given_or("token_file", None, "AZURE_FEDERATED_TOKEN_FILE")?.into(),
                };
                self.application(&tenant, client_id, Proof::FederatedToken { file })
            }
            Credential::ManagedIdentity { which, endpoint } => self.managed(which, endpoint),
            Credential::Environment => self.flow(self.variables.credential()),
        }
    }

    /// By the address that is configured, else by the platform's own, else by IMDS.
    fn managed(&self, which: ManagedIdentity, endpoint: Option<Url>) -> Result<Flow, EntraError> {
        let clock = SharedClock::clone(&self.clock);
        if endpoint.is_some() {
            return Ok(Flow::Machine(Imds::new(which, endpoint, clock)?));
        }
        let get = |name| self.variables.get(name);
        match (
            get("IDENTITY_ENDPOINT"),
            get("IDENTITY_HEADER"),
            get("IMDS_ENDPOINT"),
        ) {
            (Some(_), Some(_), _) if get("IDENTITY_SERVER_THUMBPRINT").is_some() => {
                let problem = "is set: managed identities of Service Fabric are not supported";
                Err(EntraError::credential(
                    "IDENTITY_SERVER_THUMBPRINT",
                    problem,
                ))
            }
            (Some(address), Some(header), _) => Ok(Flow::Host(Host::app_service(
                &address, header, which, clock,
            )?)),
            (Some(address), None, Some(_)) => Ok(Flow::Host(Host::arc(&address, &which, clock)?)),
            _ => Ok(Flow::Machine(Imds::new(
                which,
                self.variables.imds()?,
                clock,
            )?)),
        }
    }

    fn application(
        &self,
        tenant: &str,
        client_id: String,
        proof: Proof,
    ) -> Result<Flow, EntraError> {
        let clock = SharedClock::clone(&self.clock);
        let endpoint = TokenEndpoint::new(&self.authority, tenant, self.http.clone(), clock)?;
        if client_id.is_empty() {
            return Err(EntraError::credential("client_id", "must not be empty"));
        }
        Ok(Flow::Application {
            endpoint,
            client_id,
            proof,
        })
    }
}

impl Flow {
    fn name(&self) -> &'static str {
        match self {
            Self::Application {
                proof: Proof::Secret(_),
                ..
            } => "client secret",
            Self::Application {
                proof: Proof::Certificate { .. },
                ..
            } => "certificate",
            Self::Application {
                proof: Proof::FederatedToken { .. },
                ..
            } => "workload identity",
            Self::Machine(_) | Self::Host(_) => "managed identity",
        }
    }

    async fn fetch(&self, audience: &str) -> Result<FreshToken, EntraError> {
        match self {
            Self::Machine(imds) => imds.ask(audience).await,
            Self::Host(host) => host.ask(audience).await,
            Self::Application {
                endpoint,
                client_id,
                proof,
            } => {
                let asked = match proof {
                    Proof::Secret(secret) => {
                        let proof = [("client_secret", secret.expose_secret())];
                        endpoint.ask(client_id, audience, &proof).await
                    }
                    Proof::FederatedToken { file } => {
                        let token = read_federated_token(file).await?;
                        ask_with_assertion(endpoint, client_id, audience, &token).await
                    }
                    Proof::Certificate { file, skew } => {
                        let what = "the certificate file";
                        let pem = read_secret(what, file).await?;
                        let what = format!("{what} {}", file.display());
                        let certificate = SigningCertificate::from_pem(&what, &pem)?;
                        let identity = (client_id.as_str(), &certificate, skew);
                        ask_with_certificate(endpoint, identity, audience).await
                    }
                };
                asked.map_err(|failure| failure.error)
            }
        }
    }
}

async fn ask_with_assertion(
    endpoint: &TokenEndpoint,
    client_id: &str,
    audience: &str,
    assertion: &SecretString,
) -> Result<FreshToken, Failure> {
    let proof = [
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion.expose_secret()),
    ];
    endpoint.ask(client_id, audience, &proof).await
}

/// Asks; when the endpoint says that the time is wrong, once more by the endpoint's clock.
async fn ask_with_certificate(
    endpoint: &TokenEndpoint,
    (client_id, certificate, skew): (&str, &SigningCertificate, &Skew),
    audience: &str,
) -> Result<FreshToken, Failure> {
    let assertion = || {
        let now = skew.correct(endpoint.clock.now());
        certificate.assertion(client_id, endpoint.address.as_str(), now)
    };
    let asked = ask_with_assertion(endpoint, client_id, audience, &assertion()?).await;
    match asked {
        Err(Failure {
            error,
            server_time: Some(theirs),
        }) if error.blames_the_time() && skew.learn(endpoint.clock.now(), theirs) => {
            ask_with_assertion(endpoint, client_id, audience, &assertion()?).await
        }
        asked => asked,
    }
}

/// The variables that Azure's own libraries read.
struct Variables<'a>(Environment<'a>);

impl Variables<'_> {
    fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    fn or(&self, key: &str, given: Option<String>, variable: &str) -> Result<String, EntraError> {
        given.or_else(|| self.get(variable)).ok_or_else(|| {
            let problem = "is not set; the AKS webhook sets the variable in pods with the label \
                azure.workload.identity/use";
            EntraError::credential(format!("{key} (or {variable})"), problem)
        })
    }

    fn authority(&self, config: &IdentityConfig) -> Result<Url, EntraError> {
        if let Some(authority) = &config.authority {
            return Ok(authority.clone());
        }
        let by_environment = matches!(
            config.credential,
            Credential::WorkloadIdentity { .. } | Credential::Environment
        );
        let Some(host) = self.get("AZURE_AUTHORITY_HOST").filter(|_| by_environment) else {
            return Ok(config.cloud.authority());
        };
        let address = if host.contains("://") {
            host
        } else {
            format!("https://{host}")
        };
        Url::parse(&address)
            .map_err(|_| EntraError::credential("AZURE_AUTHORITY_HOST", "must be an https address"))
    }

    fn imds(&self) -> Result<Option<Url>, EntraError> {
        let name = "AZURE_POD_IDENTITY_AUTHORITY_HOST";
        let address = self.get(name).map(|address| Url::parse(&address));
        address
            .transpose()
            .map_err(|_| EntraError::credential(name, "must be an http(s) address"))
    }

    /// The identity-binding proxy of newer AKS clusters replaces the authority.
    fn refuse_token_proxy(&self) -> Result<(), EntraError> {
        let name = "AZURE_KUBERNETES_TOKEN_PROXY";
        match self.get(name) {
            None => Ok(()),
            Some(_) => {
                let problem = "is set, but identity bindings are not supported; use a federated \
                    credential instead and unset it";
                Err(EntraError::credential(name, problem))
            }
        }
    }

    /// What the environment offers, in the order of Azure's own libraries.
    fn credential(&self) -> Credential {
        let (tenant, client_id) = (self.get("AZURE_TENANT_ID"), self.get("AZURE_CLIENT_ID"));
        if let (Some(tenant), Some(client_id)) = (&tenant, &client_id) {
            let (tenant, client_id) = (tenant.clone(), client_id.clone());
            if let Some(secret) = self.get("AZURE_CLIENT_SECRET") {
                let client_secret = SecretString::from(secret);
                return Credential::ClientSecret {
                    tenant,
                    client_id,
                    client_secret,
                };
            }
            if let Some(file) = self.get("AZURE_CLIENT_CERTIFICATE_PATH") {
                let certificate_file = file.into();
                return Credential::Certificate {
                    tenant,
                    client_id,
                    certificate_file,
                };
            }
        }
        if let Some(file) = self.get("AZURE_FEDERATED_TOKEN_FILE") {
            let token_file = Some(file.into());
            return Credential::WorkloadIdentity {
                tenant,
                client_id,
                token_file,
            };
        }
        let which = client_id.map_or(ManagedIdentity::SystemAssigned, ManagedIdentity::ClientId);
        Credential::ManagedIdentity {
            which,
            endpoint: None,
        }
    }
}
