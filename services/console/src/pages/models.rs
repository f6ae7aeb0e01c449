//! Models: what serves, what it was chosen over, and how well it keeps its intervals.

use askama::Template;
use axum::response::Response;
use foretide_api::governance::v1::{Evaluation, GetTrackRecordRequest, ListEvaluationsRequest};
use foretide_api::training::v1::{
    GetChampionRequest, GetLedgerStatusRequest, GetLedgerStatusResponse, ListModelVersionsRequest,
    ModelVersion, SeriesModel,
};
use foretide_domain::UseCase;
use http::StatusCode;

use crate::calls::{Answer, request};
use crate::error::PageError;
use crate::format::{self, Moment};
use crate::page::{self, Frame, Section};
use crate::session::Session;

const VERSIONS_SHOWN: u32 = 20;
const EVALUATIONS_SHOWN: u32 = 60;

#[derive(Template)]
#[template(path = "models.html")]
struct ModelsPage {
    frame: Frame,
    ledger: GetLedgerStatusResponse,
    use_cases: Vec<UseCaseModels>,
}

struct UseCaseModels {
    id: String,
    name: String,
    /// How right it was, in sentences.
    track_record: Vec<String>,
    champion: Option<ChampionView>,
    versions: Vec<VersionRow>,
    evaluations: Vec<EvaluationRow>,
}

struct ChampionView {
    label: String,
    trained_at: Option<Moment>,
    known_at: Option<Moment>,
    history_hours: u32,
    run_id: String,
    artefact_sha256: String,
    onnx_error: String,
    series: Vec<SeriesRow>,
}

struct SeriesRow {
    series: String,
    note: String,
    learning: bool,
    candidates: Vec<CandidateRow>,
}

struct CandidateRow {
    kind: String,
    is_champion: bool,
    /// Share in what is served; empty where it has none.
    weight: String,
    pinball: String,
    mae: String,
    coverage_80: String,
    coverage_95: String,
}

struct VersionRow {
    version: u32,
    trained_at: Option<Moment>,
    alias: String,
    run_id: String,
    mlflow_run_id: String,
}

struct EvaluationRow {
    series: String,
    evaluated_at: Option<Moment>,
    hours: u32,
    model_version: u32,
    mae: String,
    pinball: String,
    naive_pinball: String,
    coverage_80: String,
    coverage_95: String,
}

pub(crate) async fn show(session: Session) -> Result<Response, PageError> {
    let answer = session
        .peers
        .trainer()
        .get_ledger_status(request(GetLedgerStatusRequest {}))
        .await;
    let ledger = answer.of("trainer")?;
    let mut use_cases = Vec::new();
    for use_case in session.console.use_cases.iter() {
        use_cases.push(models_of(&session, use_case).await?);
    }
    let frame = Frame::new("Models", Section::Models, &session);
    Ok(page::render(
        StatusCode::OK,
        &ModelsPage {
            frame,
            ledger,
            use_cases,
        },
    ))
}

async fn models_of(session: &Session, use_case: &UseCase) -> Result<UseCaseModels, PageError> {
    let id = use_case.id.to_string();
    let (mut champion, mut versions, mut auditor, mut judge) = (
        session.peers.trainer(),
        session.peers.trainer(),
        session.peers.auditor(),
        session.peers.auditor(),
    );
    let (champion, versions, evaluations, record) = tokio::join!(
        champion.get_champion(request(GetChampionRequest {
            use_case: id.clone()
        })),
        versions.list_model_versions(request(ListModelVersionsRequest {
            use_case: id.clone(),
            limit: VERSIONS_SHOWN,
        })),
        auditor.list_evaluations(request(ListEvaluationsRequest {
            use_case: id.clone(),
            series_id: String::new(),
            limit: EVALUATIONS_SHOWN,
        })),
        judge.get_track_record(request(GetTrackRecordRequest {
            use_case: id.clone(),
            ..Default::default()
        })),
    );
    let record = record.of("auditor")?.track_record;
    let champion = champion
        .found_by("trainer")?
        .and_then(|found| found.model_version);
    Ok(UseCaseModels {
        name: format::words(&id),
        id,
        track_record: record.map(|record| record.summary).unwrap_or_default(),
        champion: champion.map(champion_view),
        versions: versions
            .of("trainer")?
            .model_versions
            .into_iter()
            .map(version_row)
            .collect(),
        evaluations: evaluations
            .of("auditor")?
            .evaluations
            .iter()
            .map(evaluation_row)
            .collect(),
    })
}

fn champion_view(version: ModelVersion) -> ChampionView {
    ChampionView {
        label: format!("{} v{}", version.name, version.version),
        trained_at: format::moment(version.trained_at),
        known_at: format::moment(version.known_at),
        history_hours: version.history_hours,
        run_id: version.run_id,
        artefact_sha256: version.artefact_sha256,
        onnx_error: format!("{:.1e}", version.onnx_max_relative_error),
        series: version.series.into_iter().map(series_row).collect(),
    }
}

fn series_row(series: SeriesModel) -> SeriesRow {
    let weight = |kind: &str| {
        let found = series.weights.iter().find(|one| one.kind == kind);
        found.map_or(String::new(), |one| format::percent(one.weight))
    };
    let candidates = series.scores.iter().map(|score| CandidateRow {
        kind: format::words(&score.kind),
        is_champion: score.kind == series.kind,
        weight: weight(&score.kind),
        pinball: format::score(score.pinball),
        mae: format::score(score.mae),
        coverage_80: format::percent(score.coverage_80),
        coverage_95: format::percent(score.coverage_95),
    });
    SeriesRow {
        candidates: candidates.collect(),
        series: format::series(&series.series_id),
        note: series.note,
        learning: series.learning,
    }
}

fn version_row(version: ModelVersion) -> VersionRow {
    VersionRow {
        version: version.version,
        trained_at: format::moment(version.trained_at),
        alias: version.alias,
        run_id: version.run_id,
        mlflow_run_id: version.mlflow_run_id,
    }
}

fn evaluation_row(evaluation: &Evaluation) -> EvaluationRow {
    EvaluationRow {
        series: format::series(&evaluation.series_id),
        evaluated_at: format::moment(evaluation.evaluated_at),
        hours: evaluation.hours,
        model_version: evaluation.model_version,
        mae: format::score(evaluation.mae),
        pinball: format::score(evaluation.pinball),
        naive_pinball: format::score(evaluation.naive_pinball),
        coverage_80: format::percent(evaluation.coverage_80),
        coverage_95: format::percent(evaluation.coverage_95),
    }
}
