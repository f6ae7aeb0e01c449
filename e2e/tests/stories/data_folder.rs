//! The data folder of the embedded set-up: one process at a time, nobody else's look, and no database
//! that was emptied beside what outlived it.

use std::os::unix::fs::PermissionsExt;

use anyhow::ensure;
use foretide_e2e::{Setup, Shape};

#[tokio::test(flavor = "multi_thread")]
async fn d8_a_folder_in_use_is_refused_and_so_is_an_emptied_database() -> anyhow::Result<()> {
    let exports = tempfile::tempdir()?;
    let mut installation = Setup::new(Shape::OneProcess)?
        .reading(exports.path())
        .start()
        .await?;
    let data = installation.folder().join("data");

    let second = installation.up_again().await?;
    ensure!(second.code == 1, "a second process started: {second:?}");
    for told in ["in use by another foretide", &data.display().to_string()] {
        ensure!(second.stderr.contains(told), "{}", second.stderr);
    }
    for place in [data.clone(), data.join("db/broker.db")] {
        let mode = std::fs::metadata(&place)?.permissions().mode();
        ensure!(mode & 0o077 == 0, "{}: {mode:o}", place.display());
    }

    installation.process_of("broker")?.process().stop()?;
    for file in ["broker.db", "broker.db-wal", "broker.db-shm"] {
        let file = data.join("db").join(file);
        if file.exists() {
            std::fs::remove_file(file)?;
        }
    }
    let emptied = installation.up_again().await?;
    ensure!(
        emptied.code == 1,
        "an emptied database was taken: {emptied:?}"
    );
    for told in [
        "the database of broker",
        "kill switch",
        "installation/broker",
    ] {
        ensure!(emptied.stderr.contains(told), "{}", emptied.stderr);
    }
    Ok(())
}
