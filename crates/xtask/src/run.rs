//! Running other programs: shown as they run, kept in a log, and never for ever.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, mpsc},
    thread,
    time::Duration,
};

use anyhow::{Context, bail};

use crate::{layout::Layout, record::Record};

/// Longest time for a program that is run outside of a step.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);

/// The cargo that runs this, in the repository.
pub(crate) fn cargo(layout: &Layout) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&layout.root);
    forget_package(&mut command);
    command
}

/// Keeps from `command` what cargo tells this program about its own package: build scripts that look
/// at it would run again, and everything upon them be compiled again, at each change between a cargo
/// that is called from here and one that is not.
pub(crate) fn forget_package(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let of_package = |name: &str| {
            name.starts_with("CARGO_PKG_")
                || name.starts_with("CARGO_MANIFEST_")
                || [
                    "CARGO_BIN_NAME",
                    "CARGO_CRATE_NAME",
                    "CARGO_PRIMARY_PACKAGE",
                ]
                .contains(&name)
        };
        if name.to_str().is_some_and(of_package) {
            command.env_remove(name);
        }
    }
}

/// Runs `command` with its output shown and recorded.
///
/// # Errors
/// When it cannot be run, ends with a failure, or takes longer than the step may.
pub(crate) fn recorded(command: &mut Command, record: &mut Record) -> anyhow::Result<()> {
    let shown = shown(command);
    record.note(&format!("$ {shown}"));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {shown}"))?;
    let limit = record.left();
    let status = watched(&mut child, limit, record)?;
    match status {
        None => bail!("`{shown}` was killed: it had not ended when the step's time was over"),
        Some(status) if !status.success() => bail!("`{shown}` ended with {status}"),
        Some(_) => Ok(()),
    }
}

/// Runs `command` with its output shown.
///
/// # Errors
/// When it cannot be run or ends with a failure.
pub(crate) fn plain(command: &mut Command) -> anyhow::Result<()> {
    recorded(command, &mut Record::unkept(PATIENCE))
}

/// Waits for `child` while its output is passed on; nothing when it was killed at the limit.
fn watched(
    child: &mut Child,
    limit: Duration,
    record: &mut Record,
) -> anyhow::Result<Option<ExitStatus>> {
    let stdout = child.stdout.take().context("the child has no output")?;
    let stderr = child
        .stderr
        .take()
        .context("the child has no error output")?;
    let id = child.id();
    let record = Mutex::new(record);
    let (ended, has_ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(|| pass_on(stdout, &mut std::io::stdout(), &record));
        scope.spawn(|| pass_on(stderr, &mut std::io::stderr(), &record));
        let watcher = scope.spawn(move || {
            let in_time = has_ended.recv_timeout(limit) != Err(mpsc::RecvTimeoutError::Timeout);
            if !in_time {
                kill_tree(id);
            }
            in_time
        });
        let status = child.wait();
        drop(ended);
        let in_time = watcher.join().unwrap_or(true);
        Ok(in_time.then_some(status?))
    })
}

/// Kills a process and all that it has started.
fn kill_tree(id: u32) {
    for child in children(id) {
        kill_tree(child);
    }
    let killed = Command::new("kill")
        .args(["-KILL", &id.to_string()])
        .output();
    if let Err(error) = killed {
        eprintln!("cannot kill process {id}: {error}");
    }
}

fn children(id: u32) -> Vec<u32> {
    let listed = captured(Command::new("ps").args(["-o", "pid=", "--ppid", &id.to_string()]));
    let listed = listed.unwrap_or_default();
    listed
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect()
}

/// Runs `command` quietly and gives its standard output; its error output is in the error.
///
/// # Errors
/// When it cannot be run or ends with a failure.
pub(crate) fn captured(command: &mut Command) -> anyhow::Result<String> {
    let shown = shown(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {shown}"))?;
    if !output.status.success() {
        bail!(
            "`{shown}` ended with {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn pass_on(from: impl Read, to: &mut impl Write, record: &Mutex<&mut Record>) {
    for line in BufReader::new(from).split(b'\n') {
        let Ok(line) = line else { return };
        let text = String::from_utf8_lossy(&line);
        let mut record = record.lock().expect("a reader of output does not panic");
        record.read_line(&text);
        if record.is_shown() && writeln!(to, "{text}").is_err() {
            return;
        }
    }
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program())
        .to_string_lossy()
        .into_owned();
    let arguments = command.get_args().map(|part| part.to_string_lossy());
    std::iter::once(program.into())
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Installs Debian packages, as root or through passwordless sudo.
///
/// # Errors
/// When this machine has no apt-get, we may not use it, or it fails; the message says what to do.
pub(crate) fn apt_install(what_for: &str, packages: &[&str]) -> anyhow::Result<()> {
    let wanted = packages.join(" ");
    let by_hand = format!("{what_for} needs {wanted}: install it, then run this again");
    if crate::layout::on_path(&["apt-get"]).is_none() {
        bail!("{by_hand}");
    }
    let prefix: &[&str] = if fs::metadata("/proc/self")?.uid() == 0 {
        &[]
    } else if captured(Command::new("sudo").args(["-n", "true"])).is_ok() {
        &["sudo", "-n"]
    } else {
        bail!("{by_hand} (sudo apt-get install {wanted})");
    };
    let apt_get = |arguments: &[&str]| {
        let line: Vec<&str> = prefix
            .iter()
            .chain(&["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"])
            .chain(arguments)
            .copied()
            .collect();
        plain(Command::new(line[0]).args(&line[1..]))
    };
    apt_get(&["update"])?;
    let install = ["install", "-y", "--no-install-recommends"];
    apt_get(&[&install, packages].concat()).with_context(|| by_hand)
}
