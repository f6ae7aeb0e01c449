//! Azure Blob Storage on loopback.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac};
use http::StatusCode;
use sha2::Sha256;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::{
    process::{Launch, ManagedProcess},
    tools::{StartError, existing, find_in, path_folders, repository_root, tools_dir},
    wait::{free_port, wait_until},
};

const WHAT: &str = "Azurite";
const API_VERSION: &str = "2023-11-03";

/// Azurite's blob service with its data in memory. Gone when dropped.
#[derive(Debug)]
pub struct Azurite {
    _process: ManagedProcess,
    port: u16,
    _folder: TempDir,
}

impl Azurite {
    /// The emulator's well-known account.
    pub const ACCOUNT: &str = "devstoreaccount1";
    /// The emulator's well-known, published key.
    pub const KEY: &str =
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    /// Starts an empty blob service.
    ///
    /// # Errors
    /// When Azurite or node is not installed, or it does not come up.
    pub async fn start() -> Result<Self, StartError> {
        let script = existing(
            WHAT,
            repository_root().join("e2e/browser/node_modules/azurite/dist/src/blob/main.js"),
        )?;
        let node = node()?;
        Self::launch(node, script)
            .await
            .map_err(StartError::failed(WHAT))
    }

    async fn launch(node: PathBuf, script: PathBuf) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("foretide-azurite-")
            .tempdir()?;
        let port = free_port()?;
        let mut process = ManagedProcess::spawn(&Launch {
            program: node,
            arguments: vec![
                script.into_os_string(),
                "--silent".into(),
                "--inMemoryPersistence".into(),
                "--disableTelemetry".into(),
                "--blobHost=127.0.0.1".into(),
                format!("--blobPort={port}").into(),
            ],
            folder: Some(folder.path().to_path_buf()),
            log: folder.path().join("azurite.log"),
            ..Launch::default()
        })?;
        wait_until(Duration::from_secs(60), "Azurite takes connections", || {
            let running = process.check_running();
            async move {
                running?;
                Ok(TcpStream::connect(("127.0.0.1", port))
                    .await
                    .ok()
                    .map(|_| ()))
            }
        })
        .await?;
        Ok(Self {
            _process: process,
            port,
            _folder: folder,
        })
    }

    /// Address of the blob service, as `AZURITE_BLOB_STORAGE_URL` wants it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes an empty container; its being there already is fine.
    ///
    /// # Errors
    /// When Azurite refuses.
    pub async fn create_container(&self, name: &str) -> anyhow::Result<()> {
        let status = self
            .put(name, Some(("restype", "container")), None, Vec::new())
            .await?;
        ensure!(
            status.is_success() || status == StatusCode::CONFLICT,
            "Azurite refused the container {name}: {status}"
        );
        Ok(())
    }

    /// Appends `lines` to an append blob, as data export does; the blob is made first if there is
    /// none. `path` is `container/name`.
    ///
    /// # Errors
    /// When Azurite refuses, for example because the blob is of another type.
    pub async fn append(&self, path: &str, lines: &[u8]) -> anyhow::Result<()> {
        let block = Some(("comp", "appendblock"));
        let mut status = self.put(path, block, None, lines.to_vec()).await?;
        if status == StatusCode::NOT_FOUND {
            let made = self.put(path, None, Some("AppendBlob"), Vec::new()).await?;
            ensure!(made.is_success(), "Azurite did not make {path}: {made}");
            status = self.put(path, block, None, lines.to_vec()).await?;
        }
        ensure!(
            status.is_success(),
            "Azurite appended nothing to {path}: {status}"
        );
        Ok(())
    }

    /// One signed PUT (Shared Key) of a container or blob.
    async fn put(
        &self,
        path: &str,
        query: Option<(&str, &str)>,
        blob_type: Option<&str>,
        body: Vec<u8>,
    ) -> anyhow::Result<StatusCode> {
        let account = Self::ACCOUNT;
        let mut headers = vec![
            ("x-ms-date", http_date()),
            ("x-ms-version", API_VERSION.to_owned()),
        ];
        headers.extend(blob_type.map(|kind| ("x-ms-blob-type", kind.to_owned())));
        headers.sort();
        let signature = sign(path, query, &headers, body.len())?;
        let mut request = foretide_http::client(&foretide_http::ClientOptions::default())?
            .put(format!("{}/{account}/{path}", self.url()))
            .query(query.as_slice())
            .header("content-length", body.len())
            .header("authorization", format!("SharedKey {account}:{signature}"))
            .body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        Ok(request.send().await?.status())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "Azurite knows no other clock than the machine's"
)]
fn http_date() -> String {
    chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now())
        .format("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}

/// The Shared Key signature of a PUT: verb, eleven standard headers of which only the length is
/// ever set, the x-ms headers, the resource. The emulator's resource has the account twice, once
/// from the path-style address.
fn sign(
    path: &str,
    query: Option<(&str, &str)>,
    headers: &[(&str, String)],
    length: usize,
) -> anyhow::Result<String> {
    let account = Azurite::ACCOUNT;
    let length = if length == 0 {
        String::new()
    } else {
        length.to_string()
    };
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let query = query.map_or(String::new(), |(name, value)| format!("\n{name}:{value}"));
    let to_sign =
        format!("PUT\n\n\n{length}\n\n\n\n\n\n\n\n\n{headers}/{account}/{account}/{path}{query}");
    let key = BASE64_STANDARD.decode(Azurite::KEY)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).context("the key has a bad length")?;
    mac.update(to_sign.as_bytes());
    Ok(BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

/// node from `.tools`, or from `PATH`.
fn node() -> Result<PathBuf, StartError> {
    let mut folders = vec![tools_dir().join("node/bin")];
    folders.extend(path_folders());
    find_in(folders, "node").ok_or_else(|| StartError::Absent {
        what: "node",
        looked_for: "node in .tools/node/bin and PATH".to_owned(),
    })
}
