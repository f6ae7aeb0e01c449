//! How right forecasts and warnings were.

use foretide_api::governance::v1::{
    GetTrackRecordRequest, GetTrackRecordResponse, ListPhasesRequest, TrackRecord,
};
use foretide_service_runtime::Peers;

use crate::cli::Format;
use crate::config::Config;
use crate::connection::{self, plainly};
use crate::render::printable;

pub(super) async fn show(
    use_case: Option<String>,
    format: Format,
    caller: &crate::cli::CallerArgs,
    config: &Config,
) -> anyhow::Result<()> {
    let peers = connection::open(config, caller, "operator")?;
    let use_cases = match use_case {
        Some(one) => vec![one],
        None => use_cases(&peers).await?,
    };
    let mut records = Vec::new();
    for use_case in &use_cases {
        records.extend(of(&peers, use_case).await?);
    }
    match format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&records)?),
        Format::Table => print(&records),
    }
    Ok(())
}

/// Names of the use cases that the server works for.
pub(super) async fn use_cases(peers: &Peers) -> anyhow::Result<Vec<String>> {
    let answer = peers.auditor().list_phases(ListPhasesRequest {}).await;
    let states = answer
        .map_err(|status| plainly(&status))?
        .into_inner()
        .states;
    Ok(states.into_iter().map(|state| state.use_case).collect())
}

/// The track record of a use case.
pub(super) async fn of(peers: &Peers, use_case: &str) -> anyhow::Result<Option<TrackRecord>> {
    Ok(ask(peers, use_case, false).await?.track_record)
}

/// The same with every settled window.
pub(super) async fn with_windows(
    peers: &Peers,
    use_case: &str,
) -> anyhow::Result<GetTrackRecordResponse> {
    ask(peers, use_case, true).await
}

async fn ask(
    peers: &Peers,
    use_case: &str,
    with_windows: bool,
) -> anyhow::Result<GetTrackRecordResponse> {
    let request = GetTrackRecordRequest {
        use_case: use_case.to_owned(),
        with_windows,
    };
    let answer = peers.auditor().get_track_record(request).await;
    Ok(answer.map_err(|status| plainly(&status))?.into_inner())
}

/// Each in its sentences.
pub(super) fn print(records: &[TrackRecord]) {
    for record in records {
        println!("\n{}", printable(&record.use_case));
        for sentence in &record.summary {
            println!("  {}", printable(sentence));
        }
    }
}
