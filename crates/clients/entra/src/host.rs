//! Managed identities where there is no IMDS: App Service (and Functions, Container Apps) and machines
//! that Azure Arc manages.
//!
//! The platform says by variables where it is to be asked. App Service wants a header back that only
//! the application's own environment holds. Arc names a file that only its group may read, and wants
//! the content; what it names is checked before it is opened, so that whoever answers at that address
//! cannot have other files sent to itself.

use std::path::{Component, Path, PathBuf};

use foretide_domain::SharedClock;
use foretide_http::RetryPolicy;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use secrecy::{ExposeSecret, SecretString};
use url::{Host as HostName, Url};

use crate::EntraError;
use crate::cache::FreshToken;
use crate::config::ManagedIdentity;
use crate::files::read_secret;
use crate::managed::{client, decided, retry};
use crate::reply::unavailable;

const APP_SERVICE_VERSION: &str = "2019-08-01";
const ARC_VERSION: &str = "2020-06-01";
/// Where the agent keeps its keys on Linux.
const ARC_KEYS: &str = "/var/opt/azcmagent/tokens";
/// Largest key that an agent writes, bytes.
const LARGEST_KEY: u64 = 4096;

/// The platform that the process runs on.
pub(crate) struct Host {
    address: Url,
    platform: Platform,
    http: reqwest::Client,
    pub(crate) retry: RetryPolicy,
    clock: SharedClock,
}

enum Platform {
    AppService {
        which: ManagedIdentity,
        header: SecretString,
    },
    Arc {
        keys: PathBuf,
    },
}

impl Host {
    /// App Service, by `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`.
    pub(crate) fn app_service(
        endpoint: &str,
        header: String,
        which: ManagedIdentity,
        clock: SharedClock,
    ) -> Result<Self, EntraError> {
        let header = SecretString::from(header);
        Self::new(endpoint, Platform::AppService { which, header }, clock)
    }

    /// Azure Arc, by `IDENTITY_ENDPOINT` and `IMDS_ENDPOINT`. Machines have their own identity only.
    pub(crate) fn arc(
        endpoint: &str,
        which: &ManagedIdentity,
        clock: SharedClock,
    ) -> Result<Self, EntraError> {
        if *which != ManagedIdentity::SystemAssigned {
            return Err(EntraError::credential(
                "managed_identity",
                "names an identity, but machines of Azure Arc have only their own: leave client_id, \
                 object_id and resource_id out",
            ));
        }
        let keys = PathBuf::from(ARC_KEYS);
        let host = Self::new(endpoint, Platform::Arc { keys }, clock)?;
        let is_own = match host.address.host() {
            Some(HostName::Domain(name)) => name == "localhost",
            Some(HostName::Ipv4(address)) => address.is_loopback(),
            Some(HostName::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if is_own {
            Ok(host)
        } else {
            let problem = "must be an address of this machine: the agent's key goes there";
            Err(EntraError::credential("IDENTITY_ENDPOINT", problem))
        }
    }

    fn new(endpoint: &str, platform: Platform, clock: SharedClock) -> Result<Self, EntraError> {
        let address = Url::parse(endpoint).ok();
        let address = address.filter(|address| matches!(address.scheme(), "http" | "https"));
        let problem = "must be an http(s) address";
        Ok(Self {
            address: address.ok_or_else(|| EntraError::credential("IDENTITY_ENDPOINT", problem))?,
            platform,
            http: client()?,
            retry: retry(),
            clock,
        })
    }

    /// Looks for the keys of Arc's agent elsewhere.
    pub(crate) fn look_for_keys_in(&mut self, folder: PathBuf) {
        if let Platform::Arc { keys } = &mut self.platform {
            *keys = folder;
        }
    }

    pub(crate) async fn ask(&self, audience: &str) -> Result<FreshToken, EntraError> {
        let (name, response) = match &self.platform {
            Platform::AppService { which, header } => {
                let mut query = vec![("api-version", APP_SERVICE_VERSION), ("resource", audience)];
                query.extend(named(which));
                let header = ("x-identity-header", secret_header(header.expose_secret())?);
                ("App Service", self.send(&query, vec![header]).await?)
            }
            Platform::Arc { keys } => ("Azure Arc", self.ask_arc(audience, keys).await?),
        };
        decided(name, response, self.clock.now()).await
    }

    async fn ask_arc(&self, audience: &str, keys: &Path) -> Result<reqwest::Response, EntraError> {
        let query = [("api-version", ARC_VERSION), ("resource", audience)];
        let metadata = ("metadata", HeaderValue::from_static("true"));
        let response = self.send(&query, vec![metadata.clone()]).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let file = challenged_file(response.headers(), keys)?;
        let key = read_key(&file).await?;
        let answer = format!("Basic {}", key.expose_secret().trim());
        let answer = (AUTHORIZATION.as_str(), secret_header(&answer)?);
        self.send(&query, vec![metadata, answer]).await
    }

    async fn send(
        &self,
        query: &[(&str, &str)],
        headers: Vec<(&'static str, HeaderValue)>,
    ) -> Result<reqwest::Response, EntraError> {
        let request = || {
            let request = self.http.get(self.address.clone()).query(query);
            let headers = headers.iter();
            headers.fold(request, |request, (name, value)| {
                request.header(*name, value.clone())
            })
        };
        foretide_http::send(&self.retry, request)
            .await
            .map_err(|error| unavailable(&error))
    }
}

fn named(which: &ManagedIdentity) -> Option<(&'static str, &str)> {
    match which {
        ManagedIdentity::SystemAssigned => None,
        ManagedIdentity::ClientId(id) => Some(("client_id", id)),
        ManagedIdentity::ObjectId(id) => Some(("principal_id", id)),
        ManagedIdentity::ResourceId(id) => Some(("mi_res_id", id)),
    }
}

fn secret_header(text: &str) -> Result<HeaderValue, EntraError> {
    let mut header = HeaderValue::from_str(text).map_err(|_| {
        EntraError::credential(
            "what the platform wants back",
            "holds characters that no header may have",
        )
    })?;
    header.set_sensitive(true);
    Ok(header)
}

/// The file that a challenge (`WWW-Authenticate: Basic realm=<path>`) names, if it can be a key of the
/// agent: `<keys>/<name>.key`, nothing else.
fn challenged_file(headers: &HeaderMap, keys: &Path) -> Result<PathBuf, EntraError> {
    let refuse = |problem: &str| EntraError::credential("the challenge of Azure Arc", problem);
    let challenge = headers.get(WWW_AUTHENTICATE);
    let challenge = challenge.and_then(|header| header.to_str().ok());
    let realm = challenge.and_then(|text| text.strip_prefix("Basic realm="));
    let realm = realm.ok_or_else(|| refuse("names no file"))?;
    let file = PathBuf::from(realm.trim().trim_matches('"'));
    let is_plain = file
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    let is_key = file.extension().is_some_and(|ending| ending == "key");
    if is_plain && is_key && file.parent() == Some(keys) {
        Ok(file)
    } else {
        Err(refuse(
            "names a file that is no key of the agent: it is not read",
        ))
    }
}

async fn read_key(file: &Path) -> Result<SecretString, EntraError> {
    let what = "the key of Azure Arc's agent";
    let refuse =
        |problem: String| EntraError::credential(format!("{what} {}", file.display()), problem);
    // a link could lead out of the folder
    let found = tokio::fs::symlink_metadata(file).await.map_err(|error| {
        refuse(format!(
            "cannot be looked at: {error}; put this user into the group himds"
        ))
    })?;
    if !found.is_file() {
        return Err(refuse("is no file".to_owned()));
    }
    if found.len() > LARGEST_KEY {
        return Err(refuse(format!("is larger than {LARGEST_KEY} bytes")));
    }
    read_secret(what, file).await
}
