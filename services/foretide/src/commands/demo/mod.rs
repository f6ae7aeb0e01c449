//! `demo`: everything on a synthetic workspace, with no account, no other service and no network.

mod contoso;
mod proof;
mod settings;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use chrono::{DateTime, Duration, Utc};
use foretide_api::actions::v1::{ListProposalsRequest, ProposalState};
use foretide_api::orchestration::v1::StartRunRequest;
use foretide_api::scoring::v1::ListForecastsRequest;
use foretide_domain::{RunningClock, TimeSpan};
use foretide_emulator::{Emulator, EmulatorConfig, EmulatorHandle};
use foretide_service_runtime::{DataFolder, Peers};
use foretide_synthetic_workspace::append_arrivals;
use indicatif::{ProgressBar, ProgressStyle};

use self::contoso::Contoso;
use super::pipeline;
use crate::cli::DemoArgs;
use crate::config::Config;
use crate::connection::plainly;
use crate::identity;
use crate::process::{self, Running};
use crate::render::table;

/// Hour of the day at which the demo forecasts, UTC.
const FORECAST_HOUR: i64 = 6;

/// Marks a folder as made by the demo, so that only such a folder is ever replaced.
const MARKER: &str = ".foretide-demo";

/// Runs the whole demo.
pub(super) async fn run(args: DemoArgs, base: Config) -> anyhow::Result<()> {
    let started = Instant::now();
    replace_folder(&args.data_dir)?;
    println!(
        "Contoso: a synthetic workspace. Everything in it is invented (seed {}).",
        args.seed
    );
    let mut contoso = Contoso::generate(&args)?;
    let export = args.data_dir.join("workspace");
    let first = contoso.history_end() + Duration::hours(FORECAST_HOUR);
    let rows = write_history(&contoso, &export, first)?;
    contoso.forget_until(first);

    let clock = RunningClock::starting_at(first);
    let emulator = Emulator::start(EmulatorConfig::default(), clock.shared())
        .await
        .context("cannot start the emulator")?;
    let file = settings::write(&args, &contoso, &emulator)?;
    let mut config = Config::load(Some(&file))?;
    config.telemetry = base.telemetry;
    config.onnx = base.onnx;
    let running = process::start_all(&config, clock.shared()).await?;
    let note = running.state.write(&config.data_dir)?;

    println!(
        "\nForecast as of {} UTC, from {rows} rows",
        first.format("%A %Y-%m-%d %H:%M")
    );
    pipeline::done(pipeline::watch(&running.peers, forecast_request(first)).await?)?;
    pipeline::print_forecasts(&running.peers, None).await?;
    println!(
        "\nfirst forecast on screen after {:.1} s",
        started.elapsed().as_secs_f64()
    );

    let replay = Replay {
        contoso: &contoso,
        export: &export,
        clock: &clock,
        peers: &running.peers,
    };
    replay.days(first, args.replay_days).await?;
    pipeline::print_forecasts(&running.peers, None).await?;
    proof::print(&running.peers, contoso.events()).await?;
    summary(&running, &emulator, started).await?;
    if args.once {
        drop(note);
        running.stop().await?;
        emulator.shutdown().await;
        return Ok(());
    }
    println!("\nThe clock of the demo runs on from there. Look around; Ctrl-C ends it.");
    identity::announce(&running.identity, &running.state.console);
    println!("\n  foretide --config {} actions list", file.display());
    running.until_stopped().await?;
    drop(note);
    emulator.shutdown().await;
    Ok(())
}

/// Makes the folder anew, but never removes one that the demo has not made.
fn replace_folder(folder: &Path) -> anyhow::Result<()> {
    let marker = folder.join(MARKER);
    let is_empty = std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    if marker.exists() {
        // A demo that still runs keeps what is below it.
        let data = folder.join(settings::DATA);
        if data.exists() {
            drop(DataFolder::claim(&data)?);
        }
        std::fs::remove_dir_all(folder)
            .with_context(|| format!("cannot replace {}", folder.display()))?;
    } else if !is_empty {
        bail!(
            "{} holds something that the demo has not made: choose another --data-dir",
            folder.display()
        );
    }
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&marker, "made by foretide demo; may be removed\n"))
        .with_context(|| format!("cannot write to {}", folder.display()))
}

/// Writes the rows that have arrived by `until`, as data export would have.
fn write_history(contoso: &Contoso, export: &Path, until: DateTime<Utc>) -> anyhow::Result<usize> {
    let bar = bar(
        contoso.days_until(until),
        "{spinner} workspace [{bar:28}] {pos}/{len} days",
    );
    let mut start = contoso.start();
    while start < until {
        let end = (start + Duration::days(1)).min(until);
        append_arrivals(contoso.workspace(), export, TimeSpan { start, end })?;
        bar.inc(1);
        start = end;
    }
    bar.finish();
    Ok(contoso.rows_until(until))
}

fn forecast_request(as_of: DateTime<Utc>) -> StartRunRequest {
    StartRunRequest {
        kind: "forecast".to_owned(),
        as_of: Some(as_of.into()),
        dedup_key: format!("demo-{}", as_of.timestamp()),
        started_by: "demo".to_owned(),
        ..Default::default()
    }
}

/// Two more weeks on the simulated clock.
struct Replay<'a> {
    contoso: &'a Contoso,
    export: &'a Path,
    clock: &'a RunningClock,
    peers: &'a Peers,
}

impl Replay<'_> {
    async fn days(&self, first: DateTime<Utc>, days: u16) -> anyhow::Result<()> {
        println!(
            "\nReplaying {days} days: rows arrive, forecasts settle, the next one is issued at 06:00"
        );
        let bar = bar(
            u64::from(days),
            "{spinner} replay    [{bar:28}] {pos}/{len} days {msg}",
        );
        let mut start = first;
        for _ in 0..days {
            let end = start + Duration::days(1);
            append_arrivals(
                self.contoso.workspace(),
                self.export,
                TimeSpan { start, end },
            )?;
            self.clock.advance_to(end);
            pipeline::run_quietly(self.peers, forecast_request(end)).await?;
            bar.set_message(end.format("%a %Y-%m-%d").to_string());
            bar.inc(1);
            start = end;
        }
        bar.finish();
        Ok(())
    }
}

/// What the demo did, in one table.
async fn summary(
    running: &Running,
    emulator: &EmulatorHandle,
    started: Instant,
) -> anyhow::Result<()> {
    let peers = &running.peers;
    let mut forecasts = 0;
    for use_case in ["attack_volume", "risk_period"] {
        let request = ListForecastsRequest {
            use_case: use_case.to_owned(),
            limit: 500,
            ..Default::default()
        };
        let answer = peers
            .scorer()
            .list_forecasts(request)
            .await
            .map_err(|status| plainly(&status))?;
        forecasts += answer.into_inner().forecasts.len();
    }
    let request = ListProposalsRequest {
        limit: 500,
        ..Default::default()
    };
    let answer = peers
        .broker()
        .list_proposals(request)
        .await
        .map_err(|status| plainly(&status))?;
    let proposals = answer.into_inner().proposals;
    let waiting = proposals
        .iter()
        .filter(|proposal| proposal.state() == ProposalState::Waiting)
        .count();
    let rows = vec![
        vec!["forecasts issued".to_owned(), forecasts.to_string()],
        vec![
            "rows in PredictiveAlerting_CL".to_owned(),
            emulator.rows("PredictiveAlerting_CL").len().to_string(),
        ],
        vec![
            "rows in AI_Governance_CL".to_owned(),
            emulator.rows("AI_Governance_CL").len().to_string(),
        ],
        vec!["proposals made".to_owned(), proposals.len().to_string()],
        vec![
            "proposals waiting for a person".to_owned(),
            waiting.to_string(),
        ],
        vec!["peak memory".to_owned(), peak_memory()],
        vec![
            "time".to_owned(),
            format!("{:.1} s", started.elapsed().as_secs_f64()),
        ],
        vec!["console".to_owned(), running.state.console.clone()],
    ];
    println!("\n{}", table(&["the demo did", ""], rows));
    if waiting == 0 {
        println!("Nothing waits to be decided: the newest forecast raised no high-risk period.");
    }
    Ok(())
}

fn bar(length: u64, template: &str) -> ProgressBar {
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}

/// The most memory this process has held, where the system tells.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| {
            rest.trim()
                .trim_end_matches("kB")
                .trim()
                .parse::<u64>()
                .ok()
        });
    kilobytes.map_or_else(
        || "unknown".to_owned(),
        |kilobytes| format!("{} MB", kilobytes / 1024),
    )
}
