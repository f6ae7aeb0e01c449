//! Where the lake is: a folder or a container.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::LakeError;

/// Location of a lake or of any other tree of objects.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LakeConfig {
    /// A folder (`lake`, `/var/lib/foretide`, `file:///…`), or a container:
    /// `az://container/prefix` or `abfss://container@account.dfs.core.windows.net/prefix`.
    pub url: String,
    /// Storage account; not needed when the URL names it.
    pub account: Option<String>,
    /// Account key. Without it workload identity, a client secret or a managed identity is taken
    /// from the environment (`AZURE_CLIENT_ID`, `AZURE_TENANT_ID`, `AZURE_FEDERATED_TOKEN_FILE`…).
    pub access_key: Option<SecretString>,
    /// Blob endpoint of another cloud, `https://account.blob.core.usgovcloudapi.net`, or of an
    /// emulator on another port, `http://127.0.0.1:10123/devstoreaccount1`.
    pub endpoint: Option<String>,
    /// Talks to Azurite on `http://127.0.0.1:10000`, or where `AZURITE_BLOB_STORAGE_URL` says.
    pub use_emulator: bool,
}

impl Default for LakeConfig {
    fn default() -> Self {
        Self {
            url: "lake".to_owned(),
            account: None,
            access_key: None,
            endpoint: None,
            use_emulator: false,
        }
    }
}

impl LakeConfig {
    /// A lake in a local folder.
    #[must_use]
    pub fn folder(path: &FilePath) -> Self {
        Self {
            url: path.display().to_string(),
            ..Self::default()
        }
    }

    /// The folder, when the lake is local.
    #[must_use]
    pub fn local_folder(&self) -> Option<PathBuf> {
        match Url::parse(&self.url) {
            Ok(url) if url.scheme() == "file" => url.to_file_path().ok(),
            Ok(url) if url.scheme().len() > 1 => None,
            _ => Some(PathBuf::from(&self.url)),
        }
    }

    /// Checks what types alone cannot. Nothing is made or asked: a folder need not exist yet.
    ///
    /// # Errors
    /// [`LakeError::Config`] when the location cannot be used.
    pub fn validate(&self) -> Result<(), LakeError> {
        if self.url.trim().is_empty() {
            return Err(self.refused("must be a folder or a container"));
        }
        match self.local_folder() {
            Some(_) => Ok(()),
            None => open_object_store(self).map(|_| ()),
        }
    }

    fn refused(&self, problem: impl Into<String>) -> LakeError {
        LakeError::Config {
            url: self.url.clone(),
            problem: problem.into(),
        }
    }
}

/// Opens the tree of objects at the location, read and write. A local folder must exist.
///
/// # Errors
/// [`LakeError::Config`] when the location cannot be used.
pub fn open_object_store(config: &LakeConfig) -> Result<Arc<dyn ObjectStore>, LakeError> {
    if let Some(folder) = config.local_folder() {
        if !folder.is_dir() {
            return Err(config.refused("the folder does not exist"));
        }
        let store = LocalFileSystem::new_with_prefix(&folder)
            .map_err(|error| config.refused(error.to_string()))?;
        return Ok(Arc::new(store));
    }
    let url = Url::parse(&config.url).map_err(|error| config.refused(error.to_string()))?;
    match url.scheme() {
        "az" | "azure" | "abfs" | "abfss" => open_azure(config, &url),
        _ => Err(config.refused("use a folder, file://, az:// or abfss://")),
    }
}

fn open_azure(config: &LakeConfig, url: &Url) -> Result<Arc<dyn ObjectStore>, LakeError> {
    if url.password().is_some() || url.query().is_some() {
        return Err(config.refused("credentials do not belong into the url"));
    }
    let mut builder = MicrosoftAzureBuilder::from_env()
        .with_url(config.url.as_str())
        .with_use_emulator(config.use_emulator);
    if let Some(account) = &config.account {
        builder = builder.with_account(account);
    }
    if let Some(key) = &config.access_key {
        builder = builder.with_access_key(key.expose_secret());
    }
    if let Some(endpoint) = &config.endpoint {
        builder = builder
            .with_endpoint(endpoint.clone())
            .with_allow_http(endpoint.starts_with("http://"));
    }
    let store = builder
        .build()
        .map_err(|error| config.refused(error.to_string()))?;
    let prefix = url.path().trim_matches('/');
    if prefix.is_empty() {
        return Ok(Arc::new(store));
    }
    Ok(Arc::new(PrefixStore::new(
        store,
        crate::path::parse(prefix)?,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_schemes_and_credentials_in_the_url_are_refused() {
        for url in [
            "s3://bucket/x",
            "http://host/x",
            "az://container?sig=secret",
        ] {
            let config = LakeConfig {
                url: url.to_owned(),
                ..LakeConfig::default()
            };
            let error = open_object_store(&config).unwrap_err();
            assert!(matches!(error, LakeError::Config { .. }), "{url}: {error}");
        }
    }

    #[test]
    fn an_azure_location_is_opened_without_talking_to_it() {
        let config = LakeConfig {
            url: "az://lake/contoso".to_owned(),
            use_emulator: true,
            ..LakeConfig::default()
        };
        let store = open_object_store(&config).unwrap();
        assert!(store.to_string().contains("contoso"), "{store}");
    }

    #[test]
    fn the_account_key_is_never_shown() {
        let config: LakeConfig =
            serde_json::from_str(r#"{"url": "az://lake", "access_key": "c2VjcmV0"}"#).unwrap();
        assert!(!format!("{config:?}").contains("c2VjcmV0"));
    }
}
