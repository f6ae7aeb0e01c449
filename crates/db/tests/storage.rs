//! What was acknowledged is kept, whatever happens to the space below the database.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use foretide_db::testing::{TestDatabase, with_space, without_space};
use foretide_db::{Database, DatabaseConfig, DbError};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

const WRITES: i32 = 20;
/// More than a page holds, so that a write needs space.
const ROW_BYTES: usize = 20_000;

async fn with_notes(test: &TestDatabase) -> Database {
    with_notes_in(&test.config).await
}

async fn with_notes_in(config: &DatabaseConfig) -> Database {
    let database = Database::connect(config, "broker").await.unwrap();
    let change = database.begin_schema_change().await.unwrap();
    change
        .execute_unprepared("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
        .await
        .unwrap();
    change.commit().await.unwrap();
    database
}

async fn insert(connection: &impl ConnectionTrait, id: i32) -> Result<(), DbError> {
    let text = "x".repeat(ROW_BYTES);
    let sql = format!("INSERT INTO note VALUES ({id}, '{text}')");
    connection.execute_unprepared(&sql).await?;
    Ok(())
}

async fn write(database: &Database, id: i32) -> Result<(), DbError> {
    database
        .transaction("write a note", move |tx| {
            Box::pin(async move { insert(tx, id).await })
        })
        .await
}

async fn change_my_mind(database: &Database) -> Result<(), DbError> {
    database
        .transaction("change my mind", |tx| {
            Box::pin(async move {
                insert(tx, 1000).await?;
                Err(DbError::conflict("changed my mind"))
            })
        })
        .await
}

/// What another process would find.
async fn kept(test: &TestDatabase) -> Vec<i32> {
    kept_in(&test.config).await
}

async fn kept_in(config: &DatabaseConfig) -> Vec<i32> {
    let database = Database::connect(config, "broker").await.unwrap();
    let connection = database.connection();
    let sql = "SELECT id FROM note ORDER BY id";
    let rows = connection
        .query_all_raw(Statement::from_string(
            connection.get_database_backend(),
            sql,
        ))
        .await
        .unwrap();
    database.close().await.unwrap();
    rows.iter()
        .map(|row| row.try_get("", "id").unwrap())
        .collect()
}

#[tokio::test]
async fn d8_writes_after_a_moment_without_space_outlive_a_restart() {
    let test = TestDatabase::sqlite();
    let database = with_notes(&test).await;
    for id in -4..0 {
        without_space(&database).await;
        let refused = write(&database, id).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "storage unavailable: no space is left for the database, free space on the volume it \
             lies on"
        );
        assert!(refused.is_transient(), "{refused:?}");
    }
    with_space(&database).await;
    // A transaction begun inside another one is only a savepoint, and undoing that ends nothing.
    for _ in 0..4 {
        change_my_mind(&database).await.unwrap_err();
    }
    for id in 0..WRITES {
        write(&database, id).await.unwrap();
    }
    database.close().await.unwrap();
    assert_eq!(kept(&test).await, (0..WRITES).collect::<Vec<_>>());
}

#[tokio::test]
async fn d8_a_connection_left_inside_a_transaction_is_closed() {
    for test in TestDatabase::every_engine().await {
        let database = with_notes(&test).await;
        for id in 0..WRITES {
            // Whoever did this has got its connection from the pool and given it back.
            database
                .connection()
                .execute_unprepared("BEGIN")
                .await
                .unwrap();
            insert(database.connection(), id).await.unwrap();
        }
        assert_eq!(kept(&test).await, (0..WRITES).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn d8_a_refusal_that_is_overlooked_is_not_a_commit() {
    for test in TestDatabase::every_engine().await {
        let database = with_notes(&test).await;
        let outcome = database
            .transaction("overlook a refusal", |tx| {
                Box::pin(async move {
                    insert(tx, 1).await?;
                    drop(insert(tx, 1).await.unwrap_err());
                    Ok::<_, DbError>(())
                })
            })
            .await;
        let expected = if outcome.is_ok() { vec![1] } else { vec![] };
        assert_eq!(kept(&test).await, expected, "{outcome:?}");
    }
}

#[tokio::test]
async fn d8_a_database_that_may_only_be_read_says_so() {
    for test in TestDatabase::every_engine().await {
        let database = with_notes(&test).await;
        let outcome = database
            .transaction("write where only reading is allowed", |tx| {
                Box::pin(async move {
                    let only_reading = match tx.get_database_backend() {
                        DbBackend::Sqlite => "PRAGMA query_only = ON",
                        _ => "SET TRANSACTION READ ONLY",
                    };
                    tx.execute_unprepared(only_reading).await?;
                    insert(tx, 1).await
                })
            })
            .await;
        assert!(
            matches!(
                outcome,
                Err(DbError::Storage {
                    why: "the database is read-only",
                    ..
                })
            ),
            "{outcome:?}"
        );
    }
}

/// A volume of its own, and the only one that is taken away at the end.
struct Volume(tempfile::TempDir);

impl Volume {
    /// Nothing where this user may not mount one.
    fn of_four_megabytes() -> Option<Self> {
        let volume = Self(tempfile::tempdir().unwrap());
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(volume.0.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(volume)
    }

    fn fill(&self) -> PathBuf {
        let filler = self.0.path().join("filler");
        let mut file = File::create(&filler).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        filler
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.0.path()).output());
    }
}

#[tokio::test]
async fn d8_a_full_volume_loses_nothing_acknowledged_and_is_left_without_a_restart() {
    let Some(volume) = Volume::of_four_megabytes() else {
        eprintln!("shown with a page limit only: this user may not mount a volume");
        return;
    };
    let url = format!("sqlite:{}", volume.0.path().display());
    let config = DatabaseConfig::new(url);
    let database = with_notes_in(&config).await;
    let mut acknowledged = Vec::new();
    for round in 0..5 {
        let filler = volume.fill();
        for id in round * 10..round * 10 + 6 {
            match write(&database, id).await {
                Ok(()) => acknowledged.push(id),
                Err(error) => assert!(matches!(error, DbError::Storage { .. }), "{error:?}"),
            }
        }
        std::fs::remove_file(filler).unwrap();
        for id in round * 10 + 6..round * 10 + 10 {
            write(&database, id).await.unwrap();
            acknowledged.push(id);
        }
    }
    assert!((WRITES..50).contains(&i32::try_from(acknowledged.len()).unwrap()));
    database.close().await.unwrap();
    assert_eq!(kept_in(&config).await, acknowledged);
}

async fn setting(database: &Database, sql: &str) -> String {
    let connection = database.connection();
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let row = connection.query_one_raw(statement).await.unwrap().unwrap();
    row.try_get_by_index(0)
        .or_else(|_| row.try_get_by_index(0).map(|n: i32| n.to_string()))
        .unwrap()
}

#[tokio::test]
async fn d8_sqlite_waits_for_the_disk_also_where_somebody_turned_that_off() {
    let test = TestDatabase::sqlite();
    let database = with_notes(&test).await;
    for _ in 0..8 {
        // What apalis does in its own set-up, on a connection of the pool.
        let off = "PRAGMA synchronous = OFF";
        database.connection().execute_unprepared(off).await.unwrap();
    }
    for _ in 0..8 {
        assert_eq!(setting(&database, "PRAGMA synchronous").await, "2");
    }
    assert_eq!(setting(&database, "PRAGMA journal_mode").await, "wal");
}

#[tokio::test]
async fn d8_postgres_waits_for_the_disk_also_where_the_database_does_not() {
    let Some(test) = TestDatabase::postgres().await else {
        return;
    };
    let admin = with_notes(&test).await;
    let name = setting(&admin, "SELECT current_database()::text").await;
    let lax = format!("ALTER DATABASE {name} SET synchronous_commit = off");
    admin.connection().execute_unprepared(&lax).await.unwrap();
    let database = Database::connect(&test.config, "broker").await.unwrap();
    assert_eq!(setting(&database, "SHOW synchronous_commit").await, "on");
}

#[cfg(unix)]
#[tokio::test]
async fn d8_a_databases_folder_and_files_are_for_their_user_only() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("db");
    let config = DatabaseConfig::new(format!("sqlite:{}", folder.display()));
    let database = with_notes_in(&config).await;
    write(&database, 1).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for file in ["broker.db", "broker.db-wal", "broker.db-shm"] {
        assert_eq!(mode(&folder.join(file)), 0o600, "{file}");
    }
}
