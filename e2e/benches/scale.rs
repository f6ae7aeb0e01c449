//! Twelve months of twenty tables, 50 million rows behind them: what reading them takes, and how it
//! grows with the months. `cargo xtask bench --only scale`.
//!
//! Prints a table and fails when a total differs, when the service holds more memory than it may, or
//! when twelve months take more than fourteen times as long as one.

use anyhow::ensure;
use foretide_e2e::{Backfill, Taken};
use foretide_synthetic_workspace::LargePlan;

const YEAR: u32 = 365;
const HISTORIES: [(u32, u32); 4] = [(1, 30), (3, 91), (6, 182), (12, YEAR)];
/// A tenth of what Log Analytics gives, so that answers are too large and are asked for in halves.
const ROW_LIMIT: usize = 50_000;
const MOST_MEMORY: u64 = 512 * 1024 * 1024;
/// Twelve months may take so many times what one takes, and a little that does not depend on them.
const MOST_GROWTH: f64 = 14.0;
const CONSTANT_SECONDS: f64 = 2.0;

fn main() -> anyhow::Result<()> {
    // `cargo test --benches` only wants to know that it starts
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return Ok(());
    }
    foretide_http::install_tls_provider();
    let runtime = tokio::runtime::Runtime::new()?;
    let mut taken = Vec::new();
    println!("{}", heading());
    for (months, history_days) in HISTORIES {
        let backfill = Backfill {
            workspace: LargePlan {
                seed: 7,
                start: "2024-01-01".parse()?,
                days: YEAR,
                rows: 50_000_000,
            },
            history_days,
            tables: Vec::new(),
            row_limit: ROW_LIMIT,
        };
        let took = runtime.block_on(backfill.run())?;
        println!("{}", line(months, &took));
        taken.push(took);
    }
    judge(&taken)
}

fn heading() -> String {
    let columns = [
        "months",
        "measures (tables) x hours",
        "aggregate rows",
        "rows behind",
        "s",
        "s of processor",
        "aggregate rows/s",
        "MB at most",
        "queries (too large)",
        "GB scanned",
    ];
    let rules: Vec<&str> = columns.iter().map(|_| "---").collect();
    format!("| {} |\n| {} |", columns.join(" | "), rules.join(" | "))
}

#[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
fn line(months: u32, taken: &Taken) -> String {
    let seconds = taken.elapsed.as_secs_f64();
    let cells = [
        months.to_string(),
        format!("{} ({}) x {}", taken.measures, taken.tables, taken.hours),
        taken.buckets.to_string(),
        taken.rows_behind.to_string(),
        format!("{seconds:.1}"),
        format!("{:.1}", taken.processor.as_secs_f64()),
        format!("{:.0}", taken.buckets as f64 / seconds),
        format!(
            "{:.0} ({:.0} idle)",
            taken.peak_bytes as f64 / 1e6,
            taken.idle_bytes as f64 / 1e6
        ),
        format!("{} ({})", taken.costs.queries, taken.costs.too_large),
        format!("{:.1}", taken.costs.bytes_scanned as f64 / 1e9),
    ];
    format!("| {} |", cells.join(" | "))
}

fn judge(taken: &[Taken]) -> anyhow::Result<()> {
    let most = taken.iter().map(|taken| taken.peak_bytes).max();
    ensure!(
        most.is_some_and(|bytes| bytes <= MOST_MEMORY),
        "the service held {most:?} bytes, {MOST_MEMORY} are allowed"
    );
    if let [first, .., last] = taken {
        // of the processor, which others on the machine do not change
        let allowed = first.processor.as_secs_f64() * MOST_GROWTH + CONSTANT_SECONDS;
        let took = last.processor.as_secs_f64();
        ensure!(
            took <= allowed,
            "the longest history took {took:.1} s of processor, {allowed:.1} are allowed"
        );
    }
    Ok(())
}
