//! How long an acknowledged write takes on SQLite:
//! `cargo run -p foretide-db --example durable_writes -- <folder>`.
#![expect(clippy::unwrap_used, reason = "a measurement may panic like a test")]

use std::time::Instant;

use foretide_db::{Database, DatabaseConfig, DbError};
use sea_orm::ConnectionTrait;

const WRITES: u32 = 500;

#[tokio::main]
async fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let config = DatabaseConfig::new(format!("sqlite:{folder}"));
    let database = Database::connect(&config, "durable-writes").await.unwrap();
    let connection = database.connection();
    connection
        .execute_unprepared("CREATE TABLE IF NOT EXISTS note (text TEXT NOT NULL)")
        .await
        .unwrap();
    let mut times = Vec::new();
    for _ in 0..WRITES {
        let begun = Instant::now();
        database
            .transaction("write a note", |tx| {
                Box::pin(async move {
                    let sql = "INSERT INTO note VALUES (hex(randomblob(500)))";
                    tx.execute_unprepared(sql).await?;
                    Ok::<_, DbError>(())
                })
            })
            .await
            .unwrap();
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    println!("{WRITES} writes: median {:?}", times[times.len() / 2]);
    println!("99 of 100 within {:?}", times[times.len() * 99 / 100]);
}
