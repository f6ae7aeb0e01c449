//! Azure Blob Storage on loopback.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac};
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
        let date = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now())
            .format("%a, %d %b %Y %H:%M:%S GMT")
            .to_string();
        let account = Self::ACCOUNT;
        // Shared Key: verb, eleven empty standard headers, the x-ms headers, the resource. The
        // emulator's resource has the account twice, once from the path-style address.
        let to_sign = format!(
            "PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{date}\nx-ms-version:{API_VERSION}\n\
             /{account}/{account}/{name}\nrestype:container"
        );
        let key = BASE64_STANDARD.decode(Self::KEY)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).context("the key has a bad length")?;
        mac.update(to_sign.as_bytes());
        let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());

        let answer = foretide_http::client(&foretide_http::ClientOptions::default())?
            .put(format!("{}/{account}/{name}?restype=container", self.url()))
            .header("x-ms-date", date)
            .header("x-ms-version", API_VERSION)
            .header("content-length", "0")
            .header("authorization", format!("SharedKey {account}:{signature}"))
            .send()
            .await?;
        let status = answer.status();
        ensure!(
            status.is_success() || status.as_u16() == 409,
            "Azurite refused the container {name}: {status} {}",
            answer.text().await?
        );
        Ok(())
    }
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
