//! Looking into the emulator and making things go wrong.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State as Shared};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use crate::answers::AzureError;
use crate::entra::{ServiceAccountRequest, service_account_token};
use crate::faults::Fault;
use crate::record::RecordedRequest;
use crate::state::State;

pub(crate) async fn requests(
    Shared(state): Shared<Arc<State>>,
    Query(parameters): Query<HashMap<String, String>>,
) -> Json<Vec<RecordedRequest>> {
    let prefix = parameters
        .get("path_prefix")
        .map(String::as_str)
        .unwrap_or_default();
    Json(state.requests(prefix))
}

pub(crate) async fn table(
    Shared(state): Shared<Arc<State>>,
    Path(table): Path<String>,
) -> Json<Value> {
    let view = state.table(&table);
    Json(json!({ "table": table, "rows": view.rows, "pending": view.pending }))
}

pub(crate) async fn faults(Shared(state): Shared<Arc<State>>) -> Json<Vec<Fault>> {
    Json(state.faults())
}

pub(crate) async fn add_fault(Shared(state): Shared<Arc<State>>, body: Bytes) -> Response {
    let reader = &mut serde_json::Deserializer::from_slice(&body);
    let fault: Fault = match serde_path_to_error::deserialize(reader) {
        Ok(fault) => fault,
        Err(error) => return refuse(format!("not a fault: {error}")),
    };
    if let Some(problem) = fault.problem() {
        return refuse(problem.to_owned());
    }
    state.add_fault(fault);
    StatusCode::CREATED.into_response()
}

fn refuse(message: String) -> Response {
    AzureError::bad_request("InvalidFault", message).into_response()
}

pub(crate) async fn clear_faults(Shared(state): Shared<Arc<State>>) -> StatusCode {
    state.clear_faults();
    StatusCode::NO_CONTENT
}

pub(crate) async fn reset(Shared(state): Shared<Arc<State>>) -> StatusCode {
    state.reset();
    StatusCode::NO_CONTENT
}

pub(crate) async fn service_account(Shared(state): Shared<Arc<State>>, body: Bytes) -> Response {
    let reader = &mut serde_json::Deserializer::from_slice(&body);
    let request: ServiceAccountRequest = match serde_path_to_error::deserialize(reader) {
        Ok(request) => request,
        Err(error) => return refuse(format!("not a service account: {error}")),
    };
    match service_account_token(&state, &request) {
        Ok(token) => Json(json!({ "token": token })).into_response(),
        Err(error) => refuse(format!("no token can be signed: {error}")),
    }
}
