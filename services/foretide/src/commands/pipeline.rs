//! `run` and `backfill`: a run now, watched to its end.

use anyhow::{Context, bail};
use foretide_api::capacity_kind;
use foretide_api::orchestration::v1::{Run, RunState, RunStep, StartRunRequest, WatchRunRequest};
use foretide_api::scoring::v1::{
    GetForecastRequest, ListJudgedWindowsRequest, ListRiskWindowsRequest,
};
use foretide_domain::CapacityKind;
use foretide_service_runtime::Peers;

use crate::cli::RunArgs;
use crate::commands::run_end::Delivery;
use crate::commands::{run_end, track_record};
use crate::config::{Config, ListenConfig};
use crate::connection::{self, plainly};
use crate::process::{self, Running};
use crate::progress::StepBars;
use crate::render::{minute, table};

/// The six steps, now.
pub(super) async fn run(args: &RunArgs, config: Config) -> anyhow::Result<()> {
    let (peers, local) = Box::pin(connect_or_start(args, config)).await?;
    let outcome = async {
        let run = watch(&peers, request("forecast", args)).await?;
        if run.state() != RunState::Failed {
            print_forecasts(&peers, args.use_case.as_deref()).await?;
        }
        let delivery = Delivery::of_run(&peers, &run.run_id).await?;
        run_end::tell(&run, &delivery)
    }
    .await;
    finish(outcome, local).await
}

/// Ingest and features over the source's whole history.
pub(super) async fn backfill(args: &RunArgs, config: Config) -> anyhow::Result<()> {
    let (peers, local) = Box::pin(connect_or_start(args, config)).await?;
    let outcome = async {
        let run = watch(&peers, request("refresh", args)).await?;
        // these steps write nothing back
        run_end::tell(&run, &Delivery::default())
    }
    .await;
    finish(outcome, local).await
}

fn request(kind: &str, args: &RunArgs) -> StartRunRequest {
    StartRunRequest {
        kind: kind.to_owned(),
        use_case: args.use_case.clone().unwrap_or_default(),
        as_of: args.as_of.map(Into::into),
        dedup_key: String::new(),
        started_by: "cli".to_owned(),
        force_training: args.train,
    }
}

/// A running Foretide, or one of our own for the length of the command.
async fn connect_or_start(
    args: &RunArgs,
    mut config: Config,
) -> anyhow::Result<(Peers, Option<Running>)> {
    if let Some(peers) = connection::try_open(&config, &args.caller, "operator")? {
        return Ok((peers, None));
    }
    config.listen = ListenConfig::any_ports();
    config.orchestrator.calendar.enabled = false;
    let running = process::start_all(&config, config.clock()).await?;
    Ok((running.peers.clone(), Some(running)))
}

async fn finish(outcome: anyhow::Result<()>, local: Option<Running>) -> anyhow::Result<()> {
    if let Some(running) = local {
        let stopped = running.stop().await;
        outcome?;
        return stopped;
    }
    outcome
}

/// Starts a run and shows its steps until it has ended, well or not.
pub(super) async fn watch(peers: &Peers, request: StartRunRequest) -> anyhow::Result<Run> {
    let mut bars = StepBars::new();
    follow(peers, request, |run| bars.show(run)).await
}

/// Starts a run and waits until it has ended, in full or in part.
pub(super) async fn run_quietly(peers: &Peers, request: StartRunRequest) -> anyhow::Result<Run> {
    follow(peers, request, |_| {}).await.and_then(done)
}

/// The run, unless it has failed.
pub(super) fn done(run: Run) -> anyhow::Result<Run> {
    let failed = |step: &&RunStep| step.state() == RunState::Failed;
    match run.steps.iter().find(failed) {
        Some(step) => bail!("run {} failed at {}: {}", run.run_id, step.step, step.error),
        None => Ok(run),
    }
}

async fn follow(
    peers: &Peers,
    request: StartRunRequest,
    mut on_change: impl FnMut(&Run),
) -> anyhow::Result<Run> {
    let started = peers
        .orchestrator()
        .start_run(request)
        .await
        .map_err(|status| plainly(&status))?;
    let run_id = started
        .into_inner()
        .run
        .context("the orchestrator named no run")?
        .run_id;
    let watched = WatchRunRequest {
        run_id: run_id.clone(),
    };
    let stream = peers.orchestrator().watch_run(watched).await;
    let mut changes = stream.map_err(|status| plainly(&status))?.into_inner();
    let mut last = None;
    while let Some(change) = changes.message().await.map_err(|status| plainly(&status))? {
        if let Some(run) = change.run {
            on_change(&run);
            last = Some(run);
        }
    }
    last.with_context(|| format!("run {run_id} could not be watched"))
}

/// What the newest forecasts say, in a few lines.
pub(super) async fn print_forecasts(peers: &Peers, only: Option<&str>) -> anyhow::Result<()> {
    let mut use_cases = track_record::use_cases(peers).await?;
    use_cases.retain(|use_case| only.is_none_or(|only| only == use_case));
    let mut records = Vec::new();
    for use_case in &use_cases {
        print_volume(peers, use_case).await?;
        print_risk(peers, use_case).await?;
        records.extend(track_record::of(peers, use_case).await?);
    }
    records.retain(|record| record.settled_days > 0);
    if !records.is_empty() {
        println!("\nproved afterwards");
        track_record::print(&records);
    }
    Ok(())
}

async fn print_volume(peers: &Peers, use_case: &str) -> anyhow::Result<()> {
    let request = GetForecastRequest {
        use_case: use_case.to_owned(),
        ..Default::default()
    };
    let answer = match peers.scorer().get_forecast(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) if status.code() == tonic::Code::NotFound => return Ok(()),
        Err(status) => return Err(plainly(&status)),
    };
    let (Some(forecast), Some(series)) = (answer.forecast, answer.series) else {
        return Ok(());
    };
    // what another use case has forecast is told there
    if forecast.model_name != use_case {
        return Ok(());
    }
    println!(
        "\n{use_case}: {} v{}, {} ({}), issued {} UTC\n{}",
        forecast.model_name,
        forecast.model_version,
        series.model_kind,
        forecast.validity,
        minute(forecast.issued_at),
        series.note
    );
    let rows = series.points.chunks(12).map(|points| {
        let sum = |pick: fn(&foretide_api::types::v1::Quantiles) -> f64| -> String {
            let total: f64 = points
                .iter()
                .filter_map(|point| point.quantiles.as_ref())
                .map(pick)
                .sum();
            format!("{:.1}", total / points.len() as f64)
        };
        let mean = points.iter().map(|point| point.mean).sum::<f64>();
        vec![
            minute(points.first().and_then(|point| point.time)),
            format!("{mean:.0}"),
            sum(|q| q.q100),
            sum(|q| q.q500),
            sum(|q| q.q900),
        ]
    });
    println!(
        "{}",
        table(
            &[
                "12 h from (UTC)",
                "expected",
                "low 10% /h",
                "median /h",
                "high 90% /h"
            ],
            rows
        )
    );
    Ok(())
}

async fn print_risk(peers: &Peers, use_case: &str) -> anyhow::Result<()> {
    let judged = ListJudgedWindowsRequest {
        use_case: use_case.to_owned(),
        forecast_id: String::new(),
    };
    let judged = peers.scorer().list_judged_windows(judged).await;
    let judged = judged
        .map_err(|status| plainly(&status))?
        .into_inner()
        .windows;
    if judged.is_empty() {
        return Ok(());
    }
    let request = ListRiskWindowsRequest {
        use_case: use_case.to_owned(),
        limit: 20,
        ..Default::default()
    };
    let windows = peers
        .scorer()
        .list_risk_windows(request)
        .await
        .map_err(|status| plainly(&status))?;
    let rows: Vec<_> = windows
        .into_inner()
        .risk_windows
        .into_iter()
        .filter(|window| window.acts)
        .map(|window| {
            let span = window.span.unwrap_or_default();
            vec![
                minute(span.start),
                minute(span.end),
                format!("{:.0}%", window.probability * 100.0),
                format!("{:.0}", window.expected),
                format!("{:.0}", window.capacity),
                capacity_kind("capacity_kind", window.capacity_kind)
                    .map_or("", CapacityKind::title)
                    .to_owned(),
            ]
        })
        .collect();
    if rows.is_empty() {
        println!("\n{use_case}: no high-risk period in the newest forecast");
    } else {
        println!(
            "\n{use_case}: high-risk periods\n{}",
            table(
                &[
                    "from (UTC)",
                    "to",
                    "P(load > capacity)",
                    "expected",
                    "capacity",
                    ""
                ],
                rows
            )
        );
    }
    Ok(())
}
