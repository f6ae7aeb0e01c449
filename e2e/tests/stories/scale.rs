//! A history of millions of rows is read in time and memory that follow its length.

use std::time::Duration;

use anyhow::ensure;
use foretide_domain::SentinelTable;
use foretide_e2e::{Backfill, Taken};
use foretide_synthetic_workspace::LargePlan;

const MEGABYTE: u64 = 1_000_000;
/// A debug build that has read two months stays well below it.
const MOST_MEMORY: u64 = 300 * MEGABYTE;

async fn months(count: u32) -> anyhow::Result<Taken> {
    let backfill = Backfill {
        workspace: LargePlan {
            seed: 7,
            start: "2024-01-01".parse()?,
            days: 60,
            rows: 8_000_000,
        },
        history_days: 30 * count,
        tables: vec![
            SentinelTable::SecurityIncident,
            SentinelTable::SecurityAlert,
            SentinelTable::SigninLogs,
            SentinelTable::SecurityEvent,
            SentinelTable::Usage,
        ],
        row_limit: 5_000,
    };
    backfill.run().await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_months_take_twice_as_much_as_one_and_no_more_memory() -> anyhow::Result<()> {
    let (one, two) = (months(1).await?, months(2).await?);
    println!("{one:?}\n{two:?}");
    ensure!(two.rows_behind > 2_500_000, "too few rows to tell anything");
    ensure!(one.costs.too_large > 0, "no answer was too large");
    ensure!(
        two.buckets > one.buckets * 17 / 10,
        "the second month is missing"
    );
    ensure!(
        two.costs.queries <= one.costs.queries * 5 / 2,
        "{} queries for one month, {} for two",
        one.costs.queries,
        two.costs.queries
    );
    ensure!(
        two.processor < one.processor * 3 + Duration::from_secs(1),
        "one month took {:?} of processor, two {:?}",
        one.processor,
        two.processor
    );
    ensure!(
        two.peak_bytes < MOST_MEMORY,
        "{} MB were held",
        two.peak_bytes / MEGABYTE
    );
    let grown = two.peak_bytes.saturating_sub(one.peak_bytes);
    ensure!(
        grown < 60 * MEGABYTE,
        "the second month took {} MB more",
        grown / MEGABYTE
    );
    Ok(())
}
