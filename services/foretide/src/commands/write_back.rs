//! `write-back`: what the workspace accepted, whether it can be seen there, and taking forecasts back.

use clap::Subcommand;
use foretide_api::writeback::v1::{Batch, ListBatchesRequest, WithdrawForecastRequest};

use crate::cli::{CallerArgs, Format, OutputArgs};
use crate::commands::run_end::waiting_line;
use crate::config::Config;
use crate::connection::{self, plainly};
use crate::render::{minute, print, printable};

#[derive(Debug, Subcommand)]
pub(crate) enum WriteBackCommand {
    /// Rows the workspace accepted, by run and table: whether they can be queried, and how long that
    /// took.
    Status {
        /// Only those of this run.
        #[arg(long, value_name = "RUN")]
        run: Option<String>,
        /// How many of each service at most.
        #[arg(long, default_value_t = 20)]
        limit: u32,
        #[command(flatten)]
        output: OutputArgs,
        #[command(flatten)]
        caller: CallerArgs,
    },
    /// Take a forecast back: tombstones for its coming hours and windows.
    Withdraw {
        /// Its id.
        forecast_id: String,
        /// Use case it belongs to.
        #[arg(long)]
        use_case: String,
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        caller: CallerArgs,
    },
}

pub(super) async fn run(command: WriteBackCommand, config: &Config) -> anyhow::Result<()> {
    match command {
        WriteBackCommand::Status {
            run,
            limit,
            output,
            caller,
        } => {
            let peers = connection::open(config, &caller, "operator")?;
            let request = ListBatchesRequest {
                run_id: run.unwrap_or_default(),
                limit,
            };
            let (mut batches, mut waiting) = (Vec::new(), Vec::new());
            for mut client in [peers.scorer_write_back(), peers.auditor_write_back()] {
                let answer = client.list_batches(request.clone()).await;
                let of_service = answer.map_err(|status| plainly(&status))?.into_inner();
                batches.extend(of_service.batches);
                waiting.extend(of_service.waiting);
            }
            show(&batches, output.format)?;
            if output.format == Format::Table {
                for rows in &waiting {
                    println!("{}", printable(&waiting_line(rows)));
                }
            }
            Ok(())
        }
        WriteBackCommand::Withdraw {
            forecast_id,
            use_case,
            reason,
            caller,
        } => {
            let peers = connection::open(config, &caller, "operator")?;
            let request = WithdrawForecastRequest {
                use_case,
                forecast_id,
                reason,
            };
            let answer = peers.withdrawals().withdraw_forecast(request).await;
            let kept = answer.map_err(|status| plainly(&status))?.into_inner();
            println!(
                "forecast {} was withdrawn {} by {}: {}",
                kept.forecast_id,
                minute(kept.withdrawn_at),
                printable(&kept.withdrawn_by),
                printable(&kept.reason)
            );
            Ok(())
        }
    }
}

fn show(batches: &[Batch], format: Format) -> anyhow::Result<()> {
    let rows = batches.iter().map(|batch| {
        vec![
            minute(batch.accepted_at),
            batch.table.clone(),
            batch.run_id.clone(),
            format!("{} of {}", batch.rows_seen, batch.rows),
            batch.state.clone(),
            batch
                .visible_after_seconds
                .map_or_else(String::new, |seconds| format!("{seconds:.0} s")),
            batch.problem.clone(),
        ]
    });
    print(
        format,
        &batches,
        &[
            "accepted (UTC)",
            "table",
            "run",
            "seen",
            "state",
            "after",
            "problem",
        ],
        rows,
    )
}
