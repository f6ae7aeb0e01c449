//! Where the ONNX Runtime shared library comes from.
//!
//! One version is pinned. It is taken from `ORT_DYLIB_PATH` or a given path, or else fetched as the
//! Python wheel from the package index that `pip` is configured for, checked against a pinned hash,
//! and unpacked into a cache folder.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

/// Version of ONNX Runtime that is used.
pub const VERSION: &str = "1.32.0";

/// Variable that names the library and wins over everything else.
pub const VARIABLE: &str = "ORT_DYLIB_PATH";

/// The wheel of one platform.
struct Wheel {
    platform: &'static str,
    sha256: &'static str,
}

const X86_64: Wheel = Wheel {
    platform: "manylinux_2_28_x86_64",
    sha256: "5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d",
};
const AARCH64: Wheel = Wheel {
    platform: "manylinux_2_28_aarch64",
    sha256: "2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c",
};

/// A library that is not there and could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// A path was named but holds no file.
    #[error("{named_by} names {path}, but there is no such file", path = .path.display())]
    Missing {
        /// What named it: the variable or the configuration.
        named_by: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// Nothing named a path.
    #[error(
        "the ONNX Runtime library is not set up: set {VARIABLE} to libonnxruntime.so {VERSION}, or name it in the configuration"
    )]
    NotSetUp,
    /// No wheel is pinned for this machine.
    #[error(
        "no ONNX Runtime is pinned for {os} on {arch}: build or install version {VERSION} and set {VARIABLE} to it"
    )]
    Platform {
        /// Operating system.
        os: &'static str,
        /// Architecture.
        arch: &'static str,
    },
    /// `python3` or its pip could not be started.
    #[error(
        "cannot start python3 to fetch ONNX Runtime: install Python 3 with pip, or set {VARIABLE} to libonnxruntime.so {VERSION}"
    )]
    NoPython(#[source] io::Error),
    /// pip could not fetch the wheel.
    #[error(
        "pip could not fetch onnxruntime {VERSION}: {0}; check the package index, or set {VARIABLE} to libonnxruntime.so {VERSION}"
    )]
    Download(String),
    /// What was fetched is not what is pinned.
    #[error("the fetched onnxruntime wheel has SHA-256 {got}, expected {expected}: it is not used")]
    WrongHash {
        /// The pinned hash.
        expected: &'static str,
        /// The hash found.
        got: String,
    },
    /// The wheel holds no library, or is damaged.
    #[error("the onnxruntime wheel holds no readable library: {0}")]
    BadWheel(#[from] zip::result::ZipError),
    /// The cache folder cannot be used.
    #[error("cannot use the cache folder {folder}", folder = .folder.display())]
    Cache {
        /// Which folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Finds the library where it was set up: [`VARIABLE`] first, then the path given.
///
/// # Errors
/// When neither names a file.
pub fn locate(explicit: Option<&Path>) -> Result<PathBuf, LibraryError> {
    let variable = std::env::var_os(VARIABLE)
        .filter(|path| !path.is_empty())
        .map(PathBuf::from);
    find(variable, explicit)
}

fn find(variable: Option<PathBuf>, explicit: Option<&Path>) -> Result<PathBuf, LibraryError> {
    let from_variable = variable.map(|path| (VARIABLE, path));
    let from_configuration = explicit.map(|path| ("the configuration", path.to_path_buf()));
    let (named_by, path) = from_variable
        .or(from_configuration)
        .ok_or(LibraryError::NotSetUp)?;
    if path.is_file() {
        Ok(path)
    } else {
        Err(LibraryError::Missing { named_by, path })
    }
}

/// Finds the library, or fetches it into `cache_dir` (once: later calls find it there). Several
/// callers and processes may ask at the same time; one fetches, the others wait for it.
///
/// # Errors
/// When [`VARIABLE`] names a missing file, or the library can neither be found nor fetched.
pub fn ensure(cache_dir: &Path) -> Result<PathBuf, LibraryError> {
    match locate(None) {
        Err(LibraryError::NotSetUp) => {}
        found_or_wrong => return found_or_wrong,
    }
    let folder = cache_dir.join(format!("onnxruntime-{VERSION}"));
    let library = folder.join("libonnxruntime.so");
    if library.is_file() {
        return Ok(library);
    }
    let wheel = wheel_of_this_machine()?;
    let unusable = |source| LibraryError::Cache {
        folder: folder.clone(),
        source,
    };
    fs::create_dir_all(&folder).map_err(unusable)?;
    let lock = File::create(folder.join("lock")).map_err(unusable)?;
    lock.lock().map_err(unusable)?;
    if !library.is_file() {
        tracing::info!(version = VERSION, "fetching ONNX Runtime");
        fetch(wheel, &folder, &library)?;
    }
    Ok(library)
}

fn wheel_of_this_machine() -> Result<&'static Wheel, LibraryError> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    match (os, arch) {
        ("linux", "x86_64") => Ok(&X86_64),
        ("linux", "aarch64") => Ok(&AARCH64),
        _ => Err(LibraryError::Platform { os, arch }),
    }
}

fn fetch(wheel: &Wheel, folder: &Path, library: &Path) -> Result<(), LibraryError> {
    let unusable = |source| LibraryError::Cache {
        folder: folder.to_path_buf(),
        source,
    };
    let scratch = tempfile::tempdir_in(folder).map_err(unusable)?;
    let downloaded = download(wheel, scratch.path())?;
    check_hash(wheel, &downloaded).map_err(unusable)??;
    unpack(&downloaded, scratch.path(), library)
}

fn download(wheel: &Wheel, into: &Path) -> Result<PathBuf, LibraryError> {
    let output = Command::new("python3")
        .args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ])
        .args(["--only-binary=:all:", "--python-version", "3.11"])
        .args([
            "--implementation",
            "cp",
            "--abi",
            "cp311",
            "--platform",
            wheel.platform,
            "-d",
        ])
        .arg(into)
        .arg(format!("onnxruntime=={VERSION}"))
        .output()
        .map_err(LibraryError::NoPython)?;
    let is_wheel = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "whl");
    let found = fs::read_dir(into)
        .map_err(|source| LibraryError::Cache {
            folder: into.to_path_buf(),
            source,
        })?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(is_wheel);
    match found {
        Some(path) if output.status.success() => Ok(path),
        _ => {
            let words = String::from_utf8_lossy(&output.stderr);
            let last = words.lines().rfind(|line| !line.trim().is_empty());
            Err(LibraryError::Download(
                last.unwrap_or("it gave no reason").trim().to_owned(),
            ))
        }
    }
}

fn check_hash(wheel: &Wheel, path: &Path) -> io::Result<Result<(), LibraryError>> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    let got = hex::encode(hasher.finalize());
    if got == wheel.sha256 {
        return Ok(Ok(()));
    }
    Ok(Err(LibraryError::WrongHash {
        expected: wheel.sha256,
        got,
    }))
}

/// Unpacks beside the target and renames, so that a library is there whole or not at all.
fn unpack(wheel: &Path, scratch: &Path, library: &Path) -> Result<(), LibraryError> {
    let unusable = |source| LibraryError::Cache {
        folder: scratch.to_path_buf(),
        source,
    };
    let mut archive = zip::ZipArchive::new(File::open(wheel).map_err(unusable)?)?;
    let mut member = archive.by_name(&format!("onnxruntime/capi/libonnxruntime.so.{VERSION}"))?;
    let unpacked = scratch.join("libonnxruntime.so");
    let mut file = File::create(&unpacked).map_err(unusable)?;
    io::copy(&mut member, &mut file).map_err(unusable)?;
    file.sync_all().map_err(unusable)?;
    fs::rename(&unpacked, library).map_err(unusable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_wins_over_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (
            folder.path().join("first.so"),
            folder.path().join("second.so"),
        );
        fs::write(&first, b"").unwrap();
        fs::write(&second, b"").unwrap();
        assert_eq!(find(Some(first.clone()), Some(&second)).unwrap(), first);
        assert_eq!(find(None, Some(&second)).unwrap(), second);
    }

    #[test]
    fn a_missing_file_is_named_and_so_is_who_named_it() {
        let error = find(Some(PathBuf::from("/nowhere/ort.so")), None)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "ORT_DYLIB_PATH names /nowhere/ort.so, but there is no such file"
        );
        let error = find(None, None).unwrap_err().to_string();
        assert!(error.contains("set ORT_DYLIB_PATH"), "{error}");
    }

    #[test]
    fn a_wheel_with_another_hash_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("onnxruntime.whl");
        fs::write(&path, b"something else").unwrap();
        let error = check_hash(&X86_64, &path).unwrap().unwrap_err();
        assert!(matches!(error, LibraryError::WrongHash { .. }), "{error}");
    }

    #[test]
    fn a_file_that_is_no_wheel_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("onnxruntime.whl");
        fs::write(&path, b"no zip archive").unwrap();
        let library = folder.path().join("libonnxruntime.so");
        let error = unpack(&path, folder.path(), &library).unwrap_err();
        assert!(matches!(error, LibraryError::BadWheel(_)), "{error}");
        assert!(!library.exists());
    }
}
