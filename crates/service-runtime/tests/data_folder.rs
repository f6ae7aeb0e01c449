//! A data folder is for one process, and for its user only.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use foretide_service_runtime::{DataFolder, DataFolderError};

const FOLDER: &str = "FORETIDE_TEST_DATA_FOLDER";

/// Not a story of its own: what the other process of [`another_process`] does.
#[test]
fn holds_a_data_folder_when_asked_to() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let claimed = DataFolder::claim(Path::new(&folder));
    eprintln!("holding: {}", claimed.is_ok());
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

fn another_process(folder: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "holds_a_data_folder_when_asked_to",
            "--exact",
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stderr.take().unwrap());
    let holds = said.lines().any(|line| line.unwrap() == "holding: true");
    assert!(holds, "the other process has the folder");
    child
}

#[test]
fn d8_a_second_process_is_refused_the_data_folder_until_the_first_is_gone() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    let mut first = another_process(&folder);
    let refused = DataFolder::claim(&folder).unwrap_err();
    assert!(
        matches!(refused, DataFolderError::InUse { .. }),
        "{refused:?}"
    );
    assert_eq!(
        refused.to_string(),
        format!(
            "the data folder {} is in use by another foretide (process {}): stop that one first, or \
             set another data_dir",
            folder.display(),
            first.id()
        )
    );
    first.kill().unwrap();
    first.wait().unwrap();
    DataFolder::claim(&folder).unwrap();
}

#[cfg(unix)]
#[test]
fn d8_a_data_folder_and_what_is_made_in_it_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = tempfile::tempdir().unwrap();
    let open_to_all = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open_to_all).unwrap();

    let _held = DataFolder::claim(folder.path()).unwrap();
    let inside = folder.path().join("db");
    std::fs::create_dir(&inside).unwrap();
    std::fs::write(inside.join("broker.db"), "rows").unwrap();
    assert_eq!(mode(folder.path()), 0o700);
    assert_eq!(mode(&inside), 0o700);
    assert_eq!(mode(&inside.join("broker.db")), 0o600);
    assert_eq!(mode(&folder.path().join("lock")), 0o600);
}

#[test]
fn a_data_folder_that_cannot_be_made_is_named() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    std::fs::write(&file, "not a folder").unwrap();
    let refused = DataFolder::claim(&file).unwrap_err().to_string();
    assert!(refused.contains(&file.display().to_string()), "{refused}");
}
