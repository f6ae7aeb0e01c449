//! What the emulator knows.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use foretide_synthetic_workspace::{LargeWorkspace, PlanError};
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use crate::arm::ArmConfig;
use crate::query::GeneratedConfig;

/// How an emulator is set up. The default serves a demo: one tenant, any client, one rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmulatorConfig {
    /// Where to listen; loopback only. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where to listen with TLS as well.
    pub https: Option<HttpsConfig>,
    /// The Entra tenant.
    pub tenant: String,
    /// Applications that may ask for tokens; empty lets any in, with any secret.
    pub clients: Vec<ClientConfig>,
    /// Managed identities of the machine that the metadata service (IMDS) speaks for.
    pub managed_identities: Vec<ManagedIdentityConfig>,
    /// Seconds that a token lives.
    pub token_lifetime_seconds: u32,
    /// Data collection rules that take rows.
    pub rules: Vec<RuleConfig>,
    /// Milliseconds until accepted rows show in their table.
    pub visibility_delay_ms: u64,
    /// The workspace that Azure Resource Manager knows.
    pub arm: ArmConfig,
    /// Engine that runs KQL; without one queries are answered 501.
    pub kql_engine: Option<KqlEngineConfig>,
    /// Rows of a query's answer; beyond them it is partial, as in Azure.
    pub query_row_limit: usize,
    /// Bytes of the values of a query's answer; beyond them it is partial, as in Azure.
    pub query_size_limit: usize,
    /// Tables on the basic or auxiliary plan, beside those that Azure Resource Manager was told of:
    /// they are asked by `/search`.
    pub basic_tables: Vec<String>,
    /// A workspace too large to be stored, from which Foretide's own queries are answered.
    pub generated: Option<GeneratedConfig>,
}

/// TLS beside plain HTTP, by a certificate authority made at the start.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpsConfig {
    /// Where; loopback only.
    #[serde(default = "free_loopback_port")]
    pub listen: SocketAddr,
    /// Names that the certificate is for, beside `localhost` and `127.0.0.1`.
    #[serde(default)]
    pub names: Vec<String>,
    /// PEM file that the authority's certificate is written to, for clients to trust.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

impl Default for HttpsConfig {
    fn default() -> Self {
        Self {
            listen: free_loopback_port(),
            names: Vec::new(),
            ca_file: None,
        }
    }
}

fn free_loopback_port() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// An application that may ask for tokens. It proves itself in any of the ways that are set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientConfig {
    /// Its client id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Option<SecretString>,
    /// Whether the secret has expired.
    pub secret_expired: bool,
    /// Certificates that are registered with it, PEM.
    pub certificates: Vec<String>,
    /// Service accounts that may act as it.
    pub federated_credentials: Vec<FederatedCredential>,
}

/// Whose tokens are taken for an application's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FederatedCredential {
    /// The cluster's OIDC issuer. The emulator signs for it, see `/_emulator/service-account-token`.
    pub issuer: String,
    /// `system:serviceaccount:<namespace>:<name>`.
    pub subject: String,
    /// Audience of the token.
    #[serde(default = "token_exchange")]
    pub audience: String,
}

fn token_exchange() -> String {
    EmulatorConfig::TOKEN_EXCHANGE_AUDIENCE.to_owned()
}

/// A managed identity of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagedIdentityConfig {
    /// Its client id.
    pub client_id: String,
    /// Its object (principal) id.
    #[serde(default)]
    pub object_id: Option<String>,
    /// Its ARM resource id, when it is a user-assigned one.
    #[serde(default)]
    pub resource_id: Option<String>,
    /// Whether it is the machine's own: the one that is meant when none is named.
    #[serde(default)]
    pub system_assigned: bool,
}

/// A data collection rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Its immutable id: `dcr-` and 32 hexadecimal digits.
    pub id: String,
    /// Its streams, e.g. `Custom-PredictiveAlerting_CL`.
    pub streams: Vec<StreamConfig>,
}

/// A stream of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "WrittenStream")]
pub struct StreamConfig {
    /// Its name.
    pub name: String,
    /// Its columns: others are dropped, values of other types become null. Without any, rows are
    /// kept as they come.
    pub columns: Vec<ColumnConfig>,
    /// The table it leads to; by its name (`Custom-X` and `Custom-X_CL` to `X_CL`) when not set.
    pub table: Option<String>,
}

/// A declared column.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnConfig {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ColumnKind,
}

/// Type of a declared column, as in the `streamDeclarations` of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "Azure's own names")]
pub enum ColumnKind {
    String,
    Int,
    Long,
    Real,
    #[serde(alias = "bool")]
    Boolean,
    Dynamic,
    #[serde(alias = "dateTime")]
    Datetime,
    Guid,
}

/// A stream may be written as its name alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenStream {
    Name(String),
    Declared(DeclaredStream),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeclaredStream {
    name: String,
    #[serde(default)]
    columns: Vec<ColumnConfig>,
    #[serde(default)]
    table: Option<String>,
}

impl From<WrittenStream> for StreamConfig {
    fn from(written: WrittenStream) -> Self {
        match written {
            WrittenStream::Name(name) => Self::from(name.as_str()),
            WrittenStream::Declared(stream) => Self {
                name: stream.name,
                columns: stream.columns,
                table: stream.table,
            },
        }
    }
}

impl From<&str> for StreamConfig {
    /// A stream that takes any columns.
    fn from(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            columns: Vec::new(),
            table: None,
        }
    }
}

impl StreamConfig {
    /// The table that it leads to.
    #[must_use]
    pub fn table(&self) -> String {
        if let Some(table) = &self.table {
            return table.clone();
        }
        let name = self
            .name
            .strip_prefix("Custom-")
            .or_else(|| self.name.strip_prefix("Microsoft-"))
            .unwrap_or(&self.name);
        if self.name.starts_with("Custom-") && !name.ends_with("_CL") {
            format!("{name}_CL")
        } else {
            name.to_owned()
        }
    }
}

/// A `duckdb-kql serve`, which runs KQL for us.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KqlEngineConfig {
    /// Its address, e.g. `http://127.0.0.1:31415`.
    pub url: Url,
    /// The database it serves.
    pub database: String,
}

/// A configuration that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The signing key is public, so the emulator must not be reachable.
    #[error("listen must be a loopback address, got {0}")]
    NotLoopback(SocketAddr),
    /// Not the id of a rule.
    #[error("rules[].id must be dcr- and 32 hexadecimal digits, got {0:?}")]
    RuleId(String),
    /// Not a name that can stand in a path.
    #[error("{field} must be 1 to 64 letters, digits, '-', '_' or '.', got {got:?}")]
    Name {
        /// Which field.
        field: &'static str,
        /// What was given.
        got: String,
    },
    /// Not a certificate.
    #[error("clients[].certificates of {client_id:?} must be X.509 certificates as PEM")]
    Certificate {
        /// Whose.
        client_id: String,
    },
    /// Not a workspace that can be generated.
    #[error("generated cannot be: {0}")]
    Generated(#[from] PlanError),
}

impl Default for EmulatorConfig {
    fn default() -> Self {
        Self {
            listen: free_loopback_port(),
            https: None,
            tenant: Self::TENANT.to_owned(),
            clients: Vec::new(),
            managed_identities: Vec::new(),
            token_lifetime_seconds: 3599,
            rules: vec![RuleConfig {
                id: Self::RULE_ID.to_owned(),
                streams: ["Custom-PredictiveAlerting_CL", "Custom-AI_Governance_CL"]
                    .map(StreamConfig::from)
                    .to_vec(),
            }],
            visibility_delay_ms: 0,
            arm: ArmConfig::default(),
            kql_engine: None,
            query_row_limit: 500_000,
            query_size_limit: 100_000_000,
            basic_tables: Vec::new(),
            generated: None,
        }
    }
}

impl EmulatorConfig {
    /// The tenant of the default configuration.
    pub const TENANT: &'static str = "00000000-0000-4000-8000-00000000f0e7";
    /// The rule of the default configuration.
    pub const RULE_ID: &'static str = "dcr-00000000000000000000000000000001";
    /// Audience of service-account tokens that are exchanged.
    pub const TOKEN_EXCHANGE_AUDIENCE: &'static str = "api://AzureADTokenExchange";

    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// Names the first field that cannot be served.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let tls = self.https.as_ref().map(|https| https.listen);
        for address in [Some(self.listen), tls].into_iter().flatten() {
            if !address.ip().is_loopback() {
                return Err(ConfigError::NotLoopback(address));
            }
        }
        check_name("tenant", &self.tenant)?;
        for name in self.https.iter().flat_map(|https| &https.names) {
            check_name("https.names", name)?;
        }
        for table in &self.basic_tables {
            check_name("basic_tables", table)?;
        }
        for client in &self.clients {
            check_name("clients[].client_id", &client.client_id)?;
        }
        self.rules.iter().try_for_each(RuleConfig::validate)
    }

    pub(crate) fn generated_workspace(&self) -> Result<Option<LargeWorkspace>, ConfigError> {
        let generated = self.generated.as_ref();
        Ok(generated.map(GeneratedConfig::workspace).transpose()?)
    }
}

impl RuleConfig {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let digits = self.id.strip_prefix("dcr-").unwrap_or_default();
        if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ConfigError::RuleId(self.id.clone()));
        }
        for stream in &self.streams {
            check_name("rules[].streams", &stream.name)?;
            check_name("rules[].streams[].table", &stream.table())?;
            for column in &stream.columns {
                check_name("rules[].streams[].columns", &column.name)?;
            }
        }
        Ok(())
    }
}

fn check_name(field: &'static str, name: &str) -> Result<(), ConfigError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=64).contains(&name.len()) && name.bytes().all(allowed) {
        Ok(())
    } else {
        Err(ConfigError::Name {
            field,
            got: name.chars().take(64).collect(),
        })
    }
}
