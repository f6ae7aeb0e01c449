//! Log Analytics query API: the shapes are ours, the KQL is run by a real engine.

mod answer;
mod batch;
mod engine;
mod generated;
mod plans;
mod prefer;
mod tables;
mod timespan;

use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::{Path, Query, State as Shared};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use chrono::{DateTime, Utc};
use foretide_domain::TimeSpan;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::answers::AzureError;
use crate::faults::Effects;
use crate::query::answer::Limits;
use crate::query::engine::KustoAnswer;
use crate::query::prefer::Preferences;
use crate::state::State;

pub use generated::GeneratedConfig;
pub(crate) use tables::EngineTables;

pub(crate) const AUDIENCE: &str = "https://api.loganalytics.io";

/// What is asked: the body of a POST, the query of a GET.
#[derive(Debug, Clone, Deserialize)]
struct Question {
    query: String,
    #[serde(default)]
    timespan: Option<String>,
}

impl Question {
    /// The span that `timespan` names.
    fn span(&self, now: DateTime<Utc>) -> Result<Option<TimeSpan>, AzureError> {
        let text = self.timespan.as_deref().filter(|text| !text.is_empty());
        let parse = |text: &str| {
            timespan::parse(text, now).ok_or_else(|| {
                let message = format!("timespan {text:?} is no ISO 8601 duration or interval");
                AzureError::bad_request("BadArgumentError", message)
            })
        };
        text.map(parse).transpose()
    }
}

pub(crate) fn routes() -> Router<Arc<State>> {
    Router::new()
        .route(
            "/v1/workspaces/{workspace}/query",
            get(by_parameters).post(by_body),
        )
        .route("/v1/workspaces/{workspace}/search", post(search))
        .route("/v1/subscriptions/{*resource}", post(by_resource))
        .route("/v1//subscriptions/{*resource}", post(by_resource))
        .route("/v1/$batch", post(batch::batch))
}

async fn by_body(
    Shared(state): Shared<Arc<State>>,
    Path(workspace): Path<String>,
    effects: Option<Extension<Effects>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, AzureError> {
    authorize(&state, &headers)?;
    check_workspace(&workspace)?;
    let asked = Asked::new(&headers, effects);
    Ok(Json(ask(&state, &question(&body)?, &asked).await?))
}

async fn by_parameters(
    Shared(state): Shared<Arc<State>>,
    Path(workspace): Path<String>,
    question: Query<Question>,
    effects: Option<Extension<Effects>>,
    headers: HeaderMap,
) -> Result<Json<Value>, AzureError> {
    authorize(&state, &headers)?;
    check_workspace(&workspace)?;
    let asked = Asked::new(&headers, effects);
    Ok(Json(ask(&state, &question, &asked).await?))
}

/// Of one table on the basic or auxiliary plan.
async fn search(
    Shared(state): Shared<Arc<State>>,
    Path(workspace): Path<String>,
    effects: Option<Extension<Effects>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, AzureError> {
    authorize(&state, &headers)?;
    check_workspace(&workspace)?;
    let mut question = question(&body)?;
    plans::check_search(&state, &question.query)?;
    question
        .timespan
        .get_or_insert_with(|| plans::SEARCHED_SPAN.to_owned());
    let asked = Asked::new(&headers, effects);
    Ok(Json(answer_to(&state, &question, &asked).await?))
}

/// By ARM resource id; whatever resource it is, its rows are the workspace's.
async fn by_resource(
    Shared(state): Shared<Arc<State>>,
    Path(resource): Path<String>,
    effects: Option<Extension<Effects>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, AzureError> {
    authorize(&state, &headers)?;
    if !resource.ends_with("/query") {
        return Err(no_such_path());
    }
    let asked = Asked::new(&headers, effects);
    Ok(Json(ask(&state, &question(&body)?, &asked).await?))
}

fn authorize(state: &State, headers: &HeaderMap) -> Result<(), AzureError> {
    let now = state.clock.now();
    state.tokens.authorize(headers, AUDIENCE, now)
}

fn check_workspace(workspace: &str) -> Result<(), AzureError> {
    match workspace.parse::<uuid::Uuid>() {
        Ok(_) => Ok(()),
        Err(_) => Err(no_such_path()),
    }
}

fn no_such_path() -> AzureError {
    let message = "The requested path does not exist";
    AzureError::new(StatusCode::NOT_FOUND, "PathNotFoundError", message)
}

fn question(body: &[u8]) -> Result<Question, AzureError> {
    serde_json::from_slice(body)
        .map_err(|error| AzureError::bad_request("BadArgumentError", error.to_string()))
}

/// How it is asked.
#[derive(Debug, Clone, Copy)]
struct Asked {
    preferences: Preferences,
    effects: Effects,
}

impl Asked {
    fn new(headers: &HeaderMap, effects: Option<Extension<Effects>>) -> Self {
        let Extension(effects) = effects.unwrap_or_default();
        Self {
            preferences: Preferences::of(headers),
            effects,
        }
    }
}

/// Runs a query against the tables on the analytics plan.
async fn ask(state: &State, question: &Question, asked: &Asked) -> Result<Value, AzureError> {
    plans::check_query(state, &question.query)?;
    answer_to(state, question, asked).await
}

/// Runs a query against the tables as they show by now.
async fn answer_to(state: &State, question: &Question, asked: &Asked) -> Result<Value, AzureError> {
    let begun = Instant::now();
    let now = state.clock.now();
    let span = question.span(now)?;
    let generated = state
        .generated
        .as_ref()
        .and_then(|workspace| generated::answer(workspace, &question.query, span, now));
    let (answered, scanned) = match generated {
        Some((answered, scanned)) => (answered, Some(scanned)),
        None => (ask_engine(state, question, span, asked).await?, None),
    };
    let limits = Limits {
        rows: asked
            .effects
            .partial_rows
            .unwrap_or(state.config.query_row_limit),
        bytes: state.config.query_size_limit,
    };
    let took = asked.preferences.statistics.then(|| begun.elapsed());
    Ok(answer::render(answered, limits, took, scanned))
}

/// Lets the engine run a query.
async fn ask_engine(
    state: &State,
    question: &Question,
    span: Option<TimeSpan>,
    asked: &Asked,
) -> Result<KustoAnswer, AzureError> {
    let Some(engine) = &state.config.kql_engine else {
        return Err(AzureError::new(
            StatusCode::NOT_IMPLEMENTED,
            "NotImplemented",
            "no KQL engine is configured: set kql_engine.url to a running `duckdb-kql serve`",
        ));
    };
    let work = async {
        let names = tables::bring_up_to_date(state, engine, &question.query).await?;
        let csl = match span {
            None => question.query.clone(),
            Some(span) => tables::within(&question.query, &span, &names),
        };
        engine::query(&state.http, engine, &csl).await
    };
    tokio::time::timeout(asked.preferences.wait, work)
        .await
        .map_err(|_| {
            let message = "The query did not end in the time that was given to it";
            AzureError::new(StatusCode::GATEWAY_TIMEOUT, "GatewayTimeout", message)
        })?
}
