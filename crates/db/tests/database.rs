//! A service's database on both engines: what it promises about engines, errors and transactions.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use std::sync::atomic::{AtomicU32, Ordering};

use foretide_db::testing::TestDatabase;
use foretide_db::{Database, DatabaseConfig, DbError, Engine};
use futures::future::join_all;
use sea_orm::{ConnectionTrait, DbErr, Statement};

async fn opened(test: &TestDatabase) -> Database {
    let database = Database::connect(&test.config, "feature-store")
        .await
        .unwrap();
    let transaction = database.begin_schema_change().await.unwrap();
    transaction.commit().await.unwrap();
    database
}

async fn with_counter(test: &TestDatabase) -> Database {
    let database = opened(test).await;
    run(
        &database,
        "CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)",
    )
    .await;
    run(&database, "INSERT INTO counter VALUES (1, 0)").await;
    database
}

async fn run(database: &Database, sql: &str) {
    database.connection().execute_unprepared(sql).await.unwrap();
}

async fn counted(connection: &impl ConnectionTrait) -> Result<i32, DbErr> {
    let backend = connection.get_database_backend();
    let sql = Statement::from_string(backend, "SELECT n FROM counter WHERE id = 1");
    connection
        .query_one_raw(sql)
        .await?
        .expect("the one row")
        .try_get("", "n")
}

async fn set(connection: &impl ConnectionTrait, n: i32) -> Result<(), DbErr> {
    let sql = format!("UPDATE counter SET n = {n} WHERE id = 1");
    connection.execute_unprepared(&sql).await.map(|_| ())
}

#[tokio::test]
async fn each_service_has_tables_of_its_own() {
    for test in TestDatabase::every_engine().await {
        let scorer = Database::connect(&test.config, "scorer").await.unwrap();
        scorer
            .begin_schema_change()
            .await
            .unwrap()
            .commit()
            .await
            .unwrap();
        let store = with_counter(&test).await;

        assert_eq!(counted(store.connection()).await.unwrap(), 0);
        assert!(
            counted(scorer.connection()).await.is_err(),
            "scorer sees a table of feature-store"
        );
        if let Some(folder) = test.folder() {
            assert!(
                folder.join("feature-store.db").is_file() && folder.join("scorer.db").is_file()
            );
        }
    }
}

#[tokio::test]
async fn sqlite_waits_for_writers_logs_ahead_and_keeps_foreign_keys() {
    let test = TestDatabase::sqlite();
    let database = opened(&test).await;
    let pool = database.connection().get_sqlite_connection_pool();
    let log: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(pool)
        .await
        .unwrap();
    let foreign_keys: i64 = sqlx::query_scalar("PRAGMA foreign_keys")
        .fetch_one(pool)
        .await
        .unwrap();
    let patience: i64 = sqlx::query_scalar("PRAGMA busy_timeout")
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!((log.as_str(), foreign_keys, patience), ("wal", 1, 10_000));
}

#[tokio::test]
async fn a_transaction_that_fails_leaves_nothing_behind() {
    for test in TestDatabase::every_engine().await {
        let database = with_counter(&test).await;
        let refused: Result<(), DbError> = database
            .transaction("refused", |transaction| {
                Box::pin(async move {
                    set(transaction, 7).await?;
                    Err(DbError::conflict("changed my mind"))
                })
            })
            .await;
        assert!(matches!(refused, Err(DbError::Conflict { .. })));
        assert_eq!(counted(database.connection()).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn writers_at_the_same_time_lose_no_update() {
    for test in TestDatabase::every_engine().await {
        let database = with_counter(&test).await;
        let attempts = AtomicU32::new(0);
        let increments = (0..4).map(|_| {
            database.transaction("increment", |transaction| {
                attempts.fetch_add(1, Ordering::SeqCst);
                Box::pin(async move {
                    let n = counted(transaction).await?;
                    tokio::task::yield_now().await;
                    set(transaction, n + 1).await?;
                    Ok::<_, DbError>(())
                })
            })
        });
        for outcome in join_all(increments).await {
            outcome.unwrap();
        }
        assert_eq!(counted(database.connection()).await.unwrap(), 4);
        if test.engine == Engine::Postgres {
            assert!(
                attempts.load(Ordering::SeqCst) > 4,
                "serializable transactions must have met"
            );
        }
    }
}

#[tokio::test]
async fn constraint_violations_are_conflicts_and_missing_rows_are_not_found() {
    for test in TestDatabase::every_engine().await {
        let database = with_counter(&test).await;
        let twice = database
            .connection()
            .execute_unprepared("INSERT INTO counter VALUES (1, 5)")
            .await
            .map_err(DbError::from);
        assert!(matches!(twice, Err(DbError::Conflict { .. })), "{twice:?}");

        let lost = DbError::from(DbErr::RecordNotFound("run 7".to_owned()));
        assert!(matches!(lost, DbError::NotFound { .. }));
        let broken = database
            .connection()
            .execute_unprepared("SELEKT")
            .await
            .map_err(DbError::from);
        assert!(matches!(broken, Err(DbError::Other(_))), "{broken:?}");
    }
}

#[tokio::test]
async fn an_unreachable_server_is_unavailable_and_its_password_stays_secret() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let config = DatabaseConfig::new(format!("postgres://u:hunter2@127.0.0.1:{port}/d"));
    let error = Database::connect(&config, "scorer").await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    let shown = format!("{error} {error:?}");
    assert!(
        shown.contains(&port.to_string()) && !shown.contains("hunter2"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let config = DatabaseConfig::new(format!("sqlite:{}/inside", file.path().display()));
    let error = Database::connect(&config, "scorer").await.unwrap_err();
    assert!(error.to_string().contains("inside"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("scorer.db"), vec![b'x'; 8192]).unwrap();
    let config = DatabaseConfig::new(format!("sqlite:{}", folder.path().display()));
    let error = Database::connect(&config, "scorer").await.unwrap_err();
    assert!(error.to_string().contains("scorer.db"), "{error}");
}
