//! The product's own binary, as a user runs it.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};

use crate::{
    process::{Launch, ManagedProcess},
    wait::{get_ok, wait_until},
};

/// The binary under test: `FORETIDE_BIN`, or the one in the folder this test was built into.
///
/// # Errors
/// When it has not been built.
pub fn foretide_binary() -> anyhow::Result<PathBuf> {
    let path = match std::env::var_os("FORETIDE_BIN") {
        Some(path) => PathBuf::from(path),
        None => std::env::current_exe()?
            .ancestors()
            .nth(2)
            .context("the test does not run from a target folder")?
            .join("foretide"),
    };
    ensure!(
        path.is_file(),
        "{} is not built: run `cargo build --workspace --bins`",
        path.display()
    );
    Ok(path)
}

/// What a finished `foretide` command said.
#[derive(Debug)]
pub struct ForetideOutput {
    /// Exit code; -1 when it was killed.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl ForetideOutput {
    /// This output, if the command succeeded.
    ///
    /// # Errors
    /// When the exit code is not 0; the message holds both streams.
    pub fn success(self) -> anyhow::Result<Self> {
        ensure!(
            self.code == 0,
            "foretide ended with {}\nstdout: {}\nstderr: {}",
            self.code,
            self.stdout,
            self.stderr
        );
        Ok(self)
    }
}

/// Runs `foretide <arguments>` to its end in `folder`, without a terminal.
///
/// # Errors
/// When it cannot be run.
pub async fn foretide<I, A>(folder: &Path, arguments: I) -> anyhow::Result<ForetideOutput>
where
    I: IntoIterator<Item = A>,
    A: Into<OsString>,
{
    let mut command = Command::new(foretide_binary()?);
    command
        .args(arguments.into_iter().map(Into::into))
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    Ok(ForetideOutput {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// A running `foretide up` or `foretide serve <service>`.
#[derive(Debug)]
pub struct ForetideProcess {
    process: ManagedProcess,
    launch: Launch,
    health: String,
}

impl ForetideProcess {
    /// Starts `foretide <arguments>` in `folder`, logging to `<folder>/<name>.log`, and waits
    /// until `health` (an address) answers with success.
    ///
    /// # Errors
    /// When it cannot be started, ends, or does not answer within two minutes; the message holds
    /// the end of its log.
    pub async fn start<I, A>(
        folder: &Path,
        name: &str,
        arguments: I,
        environment: &[(String, OsString)],
        health: &str,
    ) -> anyhow::Result<Self>
    where
        I: IntoIterator<Item = A>,
        A: Into<OsString>,
    {
        let launch = Launch {
            program: foretide_binary()?,
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: environment.to_vec(),
            folder: Some(folder.to_path_buf()),
            log: folder.join(format!("{name}.log")),
            ..Launch::default()
        };
        let mut started = Self {
            process: ManagedProcess::spawn(&launch)?,
            launch,
            health: health.to_owned(),
        };
        started.wait_until_healthy().await?;
        Ok(started)
    }

    async fn wait_until_healthy(&mut self) -> anyhow::Result<()> {
        let process = &mut self.process;
        let health = &self.health;
        let healthy = wait_until(
            Duration::from_secs(120),
            &format!("{health} answers"),
            || {
                let running = process.check_running();
                async move {
                    running?;
                    Ok(get_ok(health).await?.then_some(()))
                }
            },
        )
        .await;
        healthy.with_context(|| format!("the log ends with:\n{}", process.log_tail()))
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill_hard(&mut self) -> anyhow::Result<()> {
        self.process.kill_hard()
    }

    /// Starts the same command again and waits until it is healthy.
    ///
    /// # Errors
    /// As [`ForetideProcess::start`].
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.process = ManagedProcess::spawn(&self.launch)?;
        self.wait_until_healthy().await
    }

    /// The process, for its log and to stop it.
    pub fn process(&mut self) -> &mut ManagedProcess {
        &mut self.process
    }
}
