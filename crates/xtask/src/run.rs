//! Running other programs: shown as they run, counted, and without standard input.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Command, Stdio},
    sync::Mutex,
    thread,
};

use anyhow::{Context, bail};

use crate::{count::Count, layout::Layout};

/// The cargo that runs this, in the repository.
pub(crate) fn cargo(layout: &Layout) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&layout.root);
    command
}

/// Runs `command` with its output shown, and counts the tests it reports.
///
/// # Errors
/// When it cannot be run or ends with a failure.
pub(crate) fn counted(command: &mut Command, count: &mut Count) -> anyhow::Result<()> {
    let shown = shown(command);
    println!("$ {shown}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {shown}"))?;
    let stdout = child.stdout.take().context("the child has no output")?;
    let stderr = child
        .stderr
        .take()
        .context("the child has no error output")?;
    let counter = Mutex::new(&mut *count);
    thread::scope(|scope| {
        scope.spawn(|| pass_on(stdout, &mut std::io::stdout(), &counter));
        scope.spawn(|| pass_on(stderr, &mut std::io::stderr(), &counter));
    });
    let status = child.wait()?;
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// Runs `command` with its output shown.
///
/// # Errors
/// When it cannot be run or ends with a failure.
pub(crate) fn plain(command: &mut Command) -> anyhow::Result<()> {
    counted(command, &mut Count::default())
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

fn pass_on(from: impl Read, to: &mut impl Write, count: &Mutex<&mut Count>) {
    for line in BufReader::new(from).split(b'\n') {
        let Ok(line) = line else { return };
        let text = String::from_utf8_lossy(&line);
        count
            .lock()
            .expect("a reader of output does not panic")
            .read_line(&text);
        if writeln!(to, "{text}").is_err() {
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
