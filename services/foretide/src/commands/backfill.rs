//! `backfill`: reading a span of the past, quoted beforehand.

use anyhow::{Context, bail};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use clap::{Args, Subcommand};
use foretide_api::ingestion::v1::{
    Backfill, BackfillPart, BackfillState, BackfillTable, CancelBackfillRequest,
    GetBackfillRequest, ListBackfillsRequest, PauseBackfillRequest, PlanBackfillRequest,
    ResumeBackfillRequest, RetryBackfillRequest, StartBackfillRequest,
};
use foretide_api::types::v1::TimeSpan;
use foretide_api::{Timestamp, timestamp};
use foretide_service_runtime::Peers;
use tonic::{Response, Status};

use crate::cli::{CallerArgs, Format, ListArgs, OutputArgs};
use crate::config::Config;
use crate::connection::{self, plainly};
use crate::render::{minute, print, printable, size, table};

#[derive(Debug, Subcommand)]
pub(crate) enum BackfillCommand {
    /// Say what reading a span would take and cost. Reads nothing; the quote holds for a day.
    Plan {
        #[command(flatten)]
        what: PlanArgs,
        #[command(flatten)]
        output: OutputArgs,
        #[command(flatten)]
        caller: CallerArgs,
    },
    /// Start what was quoted, newest days first. Refused beyond the budget.
    Start {
        /// The id that `plan` has printed.
        id: String,
        #[command(flatten)]
        cost: CostArgs,
        #[command(flatten)]
        caller: CallerArgs,
    },
    /// Say how far it is: parts, rows, GB, rate, time left, and what has failed.
    Status {
        /// Its id; the newest otherwise.
        id: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
        #[command(flatten)]
        caller: CallerArgs,
    },
    /// List backfills and quotes, newest first.
    List(ListArgs),
    /// Begin no further part; the one that is being read is finished.
    Pause(OneArgs),
    /// Go on after a pause.
    Resume {
        /// Its id.
        id: String,
        #[command(flatten)]
        cost: CostArgs,
        #[command(flatten)]
        caller: CallerArgs,
    },
    /// Read the failed parts again, and only them.
    Retry(OneArgs),
    /// End it for good. What was read stays.
    Cancel(OneArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// First day (UTC), e.g. 2025-11-01.
    #[arg(long, value_name = "DAY")]
    pub from: NaiveDate,
    /// Last day (UTC).
    #[arg(long, value_name = "DAY")]
    pub to: NaiveDate,
    /// Only these tables, separated by commas; all configured ones otherwise.
    #[arg(long, value_delimiter = ',', value_name = "TABLE")]
    pub tables: Vec<String>,
    /// Only from there: `query_api`, `data_export`, `export_job` or `plain_files`.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub source: String,
}

#[derive(Debug, Args)]
pub(crate) struct CostArgs {
    /// GB that it may scan, whatever the budget says; at least what was quoted.
    #[arg(long, value_name = "GB")]
    pub accept_cost: Option<f64>,
}

#[derive(Debug, Args)]
pub(crate) struct OneArgs {
    /// Its id.
    pub id: String,
    #[command(flatten)]
    pub caller: CallerArgs,
}

pub(super) async fn run(command: BackfillCommand, config: &Config) -> anyhow::Result<()> {
    let open = |caller: &CallerArgs| connection::open(config, caller, "operator");
    match command {
        BackfillCommand::Plan {
            what,
            output,
            caller,
        } => plan(&open(&caller)?, what, &output).await,
        BackfillCommand::Start { id, cost, caller } => {
            let request = StartBackfillRequest {
                backfill_id: id,
                accepted_gigabytes: cost.accept_cost,
            };
            let answer = open(&caller)?.ingestion().start_backfill(request).await;
            changed(&told(answer, |answer| answer.backfill)?);
            Ok(())
        }
        BackfillCommand::Status { id, output, caller } => {
            let peers = open(&caller)?;
            let backfill_id = match id {
                Some(id) => id,
                None => newest(&peers).await?,
            };
            let request = GetBackfillRequest { backfill_id };
            let answer = peers.ingestion().get_backfill(request).await;
            show(&told(answer, |answer| answer.backfill)?, output.format)
        }
        BackfillCommand::List(list) => {
            let request = ListBackfillsRequest { limit: list.limit };
            let answer = open(&list.caller)?
                .ingestion()
                .list_backfills(request)
                .await;
            let answer = answer.map_err(|status| plainly(&status))?;
            let backfills = answer.into_inner().backfills;
            let header = ["id", "quoted (UTC)", "from", "to", "state", "parts"];
            let rows = backfills.iter().map(list_row);
            print(list.output.format, &backfills, &header, rows)
        }
        BackfillCommand::Pause(one) => {
            let request = PauseBackfillRequest {
                backfill_id: one.id,
            };
            let answer = open(&one.caller)?.ingestion().pause_backfill(request).await;
            changed(&told(answer, |answer| answer.backfill)?);
            Ok(())
        }
        BackfillCommand::Resume { id, cost, caller } => {
            let request = ResumeBackfillRequest {
                backfill_id: id,
                accepted_gigabytes: cost.accept_cost,
            };
            let answer = open(&caller)?.ingestion().resume_backfill(request).await;
            changed(&told(answer, |answer| answer.backfill)?);
            Ok(())
        }
        BackfillCommand::Retry(one) => {
            let request = RetryBackfillRequest {
                backfill_id: one.id,
            };
            let answer = open(&one.caller)?.ingestion().retry_backfill(request).await;
            changed(&told(answer, |answer| answer.backfill)?);
            Ok(())
        }
        BackfillCommand::Cancel(one) => {
            let request = CancelBackfillRequest {
                backfill_id: one.id,
            };
            let answer = open(&one.caller)?
                .ingestion()
                .cancel_backfill(request)
                .await;
            changed(&told(answer, |answer| answer.backfill)?);
            Ok(())
        }
    }
}

fn told<T>(
    answer: Result<Response<T>, Status>,
    backfill: impl FnOnce(T) -> Option<Backfill>,
) -> anyhow::Result<Backfill> {
    let answer = answer.map_err(|status| plainly(&status))?;
    backfill(answer.into_inner()).context("the service has named no backfill")
}

async fn plan(peers: &Peers, what: PlanArgs, output: &OutputArgs) -> anyhow::Result<()> {
    if what.to < what.from {
        bail!(
            "--to {} lies before --from {}: name the first day with --from",
            what.to,
            what.from
        );
    }
    let end = what.to.checked_add_days(Days::new(1));
    let request = PlanBackfillRequest {
        span: Some(TimeSpan {
            start: timestamp(midnight(what.from)),
            end: timestamp(midnight(end.context("--to is too late a day")?)),
        }),
        tables: what.tables,
        source: what.source,
    };
    let answer = peers.ingestion().plan_backfill(request).await;
    let quote = told(answer, |answer| answer.backfill)?;
    print(
        output.format,
        &quote,
        &[
            "table", "days", "parts", "queries", "rows", "read", "plan", "price",
        ],
        quote.tables.iter().map(quote_row),
    )?;
    if output.format == Format::Table {
        println!("{}", quoted(&quote));
    }
    Ok(())
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

async fn newest(peers: &Peers) -> anyhow::Result<String> {
    let request = ListBackfillsRequest { limit: 1 };
    let answer = peers.ingestion().list_backfills(request).await;
    let backfills = answer
        .map_err(|status| plainly(&status))?
        .into_inner()
        .backfills;
    let newest = backfills.into_iter().next();
    let newest = newest.context("there is no backfill: begin with `foretide backfill plan`")?;
    Ok(newest.backfill_id)
}

/// What all of it takes, and how to start it.
fn quoted(backfill: &Backfill) -> String {
    let quote = backfill.quote.clone().unwrap_or_default();
    let mut lines = vec![format!(
        "in all: {} parts, {} queries, {} rows, {}, {:.2} {}",
        quote.parts,
        quote.queries,
        known(quote.rows, |rows| rows.to_string()),
        known(quote.bytes, size),
        quote.price,
        quote.currency
    )];
    let basis = if quote.is_measured {
        "at the rate measured here"
    } else {
        "an assumption: nothing was read here yet"
    };
    lines.push(format!("time: {} ({basis})", duration(quote.seconds)));
    lines.extend(quote.remarks);
    if quote.beyond_budget.is_empty() {
        lines.push("budget: within it".to_owned());
    } else {
        lines.push(format!("budget: beyond it: {}", quote.beyond_budget));
    }
    let id = &backfill.backfill_id;
    let accept = match quote.beyond_budget.as_str() {
        "" => "",
        _ => " --accept-cost GB",
    };
    lines.push(format!("quote {id}, holds for a day"));
    lines.push(format!("start it: foretide backfill start {id}{accept}"));
    printable(&lines.join("\n"))
}

fn show(backfill: &Backfill, format: Format) -> anyhow::Result<()> {
    if format == Format::Json {
        println!("{}", serde_json::to_string_pretty(backfill)?);
        return Ok(());
    }
    println!("{}", printable(&progress(backfill)));
    let header = ["table", "parts", "done", "failed", "rows"];
    println!("{}", table(&header, backfill.tables.iter().map(table_row)));
    if !backfill.failed_parts.is_empty() {
        let header = ["failed", "from", "source", "tries", "why"];
        let rows = backfill.failed_parts.iter().map(failed_row);
        println!("{}", table(&header, rows));
        if backfill.state() == BackfillState::Failed {
            let id = &backfill.backfill_id;
            println!("repair what is damaged, then: foretide backfill retry {id}");
        }
    }
    Ok(())
}

fn progress(backfill: &Backfill) -> String {
    let done = backfill.progress.unwrap_or_default();
    let mut lines = vec![format!(
        "backfill {}: {}",
        backfill.backfill_id,
        state(backfill)
    )];
    lines.push(format!(
        "parts: {} done, {} failed, {} left",
        done.parts_done, done.parts_failed, done.parts_left
    ));
    lines.push(format!(
        "read: {} rows ({} said nothing new, {} quarantined), {}",
        done.rows,
        done.rows_duplicate,
        done.rows_quarantined,
        size(done.bytes)
    ));
    if done.seconds > 0.0 {
        #[expect(clippy::cast_precision_loss, reason = "shown in three digits")]
        let rate = done.rows as f64 / done.seconds;
        let left = done.seconds_left.map_or_else(String::new, |left| {
            format!(", about {} left", duration(left))
        });
        lines.push(format!(
            "rate: {rate:.0} rows/s over {}{left}",
            duration(done.seconds)
        ));
    }
    if !backfill.note.is_empty() {
        lines.push(format!("rests by itself: {}", backfill.note));
    }
    lines.join("\n")
}

/// A line about what has become of it.
fn changed(backfill: &Backfill) {
    println!("{}", printable(&progress(backfill)));
}

fn state(backfill: &Backfill) -> &'static str {
    match backfill.state() {
        BackfillState::Unspecified => "unknown",
        BackfillState::Quoted => "quoted",
        BackfillState::Running => "running",
        BackfillState::Paused => "paused",
        BackfillState::Done => "done",
        BackfillState::Failed => "failed",
        BackfillState::Cancelled => "cancelled",
    }
}

fn quote_row(table: &BackfillTable) -> Vec<String> {
    vec![
        table.table.clone(),
        table.days.to_string(),
        table.parts.to_string(),
        table.queries.to_string(),
        known(table.expected_rows, |rows| rows.to_string()),
        known(table.expected_bytes, size),
        table.plan.clone(),
        format!("{:.2}", table.expected_price),
    ]
}

fn table_row(table: &BackfillTable) -> Vec<String> {
    vec![
        table.table.clone(),
        table.parts.to_string(),
        table.parts_done.to_string(),
        table.parts_failed.to_string(),
        table.rows.to_string(),
    ]
}

fn failed_row(part: &BackfillPart) -> Vec<String> {
    let start = part.span.unwrap_or_default().start;
    vec![
        part.table.clone(),
        day(start),
        part.source.clone(),
        part.attempts.to_string(),
        part.error.clone(),
    ]
}

fn list_row(backfill: &Backfill) -> Vec<String> {
    let span = backfill.span.unwrap_or_default();
    let done = backfill.progress.unwrap_or_default();
    let last = span.end.and_then(Timestamp::to_moment).map(|end| {
        let last = end.date_naive().pred_opt();
        last.map_or_else(String::new, |last| last.to_string())
    });
    vec![
        backfill.backfill_id.clone(),
        minute(backfill.quoted_at),
        day(span.start),
        last.unwrap_or_default(),
        state(backfill).to_owned(),
        format!(
            "{} of {}",
            done.parts_done,
            done.parts_done + done.parts_failed + done.parts_left
        ),
    ]
}

fn day(at: Option<Timestamp>) -> String {
    let moment = at.and_then(Timestamp::to_moment);
    moment.map_or_else(String::new, |moment| moment.date_naive().to_string())
}

fn known(figure: Option<u64>, shown: impl FnOnce(u64) -> String) -> String {
    figure.map_or_else(|| "?".to_owned(), shown)
}

/// A time in words, to two places.
fn duration(seconds: f64) -> String {
    match seconds {
        ..90.0 => format!("{seconds:.0} s"),
        90.0..5400.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}
