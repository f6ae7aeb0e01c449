//! A child process that cannot outlive the test.

use std::{
    ffi::OsString,
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
};

use anyhow::{Context, bail};

/// Runs the command given as arguments with a watcher beside it, both in one process group. The
/// watcher reads the pipe we hold: when it closes, because we ask for it or because we died, the
/// watcher signals the group, gives the command ten seconds and then kills what is left.
const WATCHED: &str = r#"
signal=$1; shift
exec 3<&0
(
  trap '' TERM INT QUIT
  cat <&3 >/dev/null
  kill -s "$signal" 0
  i=0
  while kill -0 $$ 2>/dev/null && [ $i -lt 100 ]; do sleep 0.1; i=$((i + 1)); done
  kill -s KILL 0
) &
exec "$@" </dev/null 3<&-
"#;

/// What to run and how.
#[derive(Debug, Default, Clone)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Vec<(String, OsString)>,
    pub(crate) folder: Option<PathBuf>,
    /// Standard output and error, appended.
    pub(crate) log: PathBuf,
    /// How it is asked to stop; `TERM` unless it takes another signal better.
    pub(crate) stop_signal: Option<&'static str>,
}

/// A running child process with its log file. Dropping it stops it, gracefully if it can.
#[derive(Debug)]
pub struct ManagedProcess {
    child: Child,
    watcher: Option<ChildStdin>,
    log: PathBuf,
}

impl ManagedProcess {
    pub(crate) fn spawn(launch: &Launch) -> anyhow::Result<Self> {
        let log_file = File::options()
            .create(true)
            .append(true)
            .open(&launch.log)
            .with_context(|| format!("cannot write the log {}", launch.log.display()))?;
        let mut command = Command::new("sh");
        command
            .args(["-c", WATCHED, "foretide-watcher"])
            .arg(launch.stop_signal.unwrap_or("TERM"))
            .arg(&launch.program)
            .args(&launch.arguments)
            .envs(launch.environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::piped())
            .stdout(log_file.try_clone()?)
            .stderr(log_file)
            .process_group(0);
        if let Some(folder) = &launch.folder {
            command.current_dir(folder);
        }
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot run {}", launch.program.display()))?;
        let watcher = child.stdin.take();
        Ok(Self {
            child,
            watcher,
            log: launch.log.clone(),
        })
    }

    /// Process id of the command itself.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The log so far: standard output and error.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(&self.log).map_or_else(
            |error| format!("(no log: {error})"),
            |bytes| String::from_utf8_lossy(&bytes).into_owned(),
        )
    }

    /// Where the log is written.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// Fails, with the end of the log, if the process has ended.
    ///
    /// # Errors
    /// When it has ended.
    pub fn check_running(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!(
                "it ended ({status}); its log ends with:\n{}",
                self.log_tail()
            );
        }
        Ok(())
    }

    /// The last lines of the log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// `kill -9`, now, and waits until it is gone.
    ///
    /// # Errors
    /// When the process cannot be signalled or waited for.
    pub fn kill_hard(&mut self) -> anyhow::Result<()> {
        self.child.kill().context("cannot kill the process")?;
        self.child.wait().context("cannot wait for the process")?;
        Ok(())
    }

    /// Asks it to stop, and waits. Killed if it has not stopped after ten seconds.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        drop(self.watcher.take());
        self.child.wait().context("cannot wait for the process")
    }
}

impl Drop for ManagedProcess {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("process {} was not stopped: {error:#}", self.child.id());
        }
    }
}
