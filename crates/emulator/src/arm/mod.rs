//! Azure Resource Manager: Sentinel's control plane and what lies around it, with etags, throttling,
//! long-running operations, pages and refusals like Azure's.

mod data_collection;
mod filter;
mod incidents;
mod kinds;
mod list;
mod path;
mod rules;
mod store;
mod tables;
mod throttle;
mod watchlists;
mod write;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State as Shared};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answers::AzureError;
use crate::connection::Connection;
use crate::entra::origin;
use crate::state::State;

pub(crate) use data_collection::rule_of;
use kinds::Kind;
use path::{Operation, Target};
pub(crate) use store::Arm;

const AUDIENCES: [&str; 2] = [
    "https://management.azure.com",
    "https://management.core.windows.net",
];

/// The workspace that Azure Resource Manager knows.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ArmConfig {
    /// Its subscription.
    pub subscription_id: String,
    /// Its resource group.
    pub resource_group: String,
    /// Its name.
    pub workspace: String,
    /// Its GUID.
    pub workspace_id: String,
    /// Where it lies.
    pub location: String,
    /// Whether Defender creates its incidents: those written here are then of no use to the SOC.
    pub defender_onboarded: bool,
    /// How often a long-running operation says `InProgress` before it is done.
    pub operation_looks: u32,
    /// Whether Azure's token buckets are kept.
    pub throttles: bool,
}

impl Default for ArmConfig {
    fn default() -> Self {
        Self {
            subscription_id: "00000000-0000-4000-8000-0000000050b5".to_owned(),
            resource_group: "rg-soc".to_owned(),
            workspace: "law-contoso".to_owned(),
            workspace_id: "00000000-0000-4000-8000-00000000aaaa".to_owned(),
            location: "westeurope".to_owned(),
            defender_onboarded: false,
            operation_looks: 1,
            throttles: true,
        }
    }
}

impl ArmConfig {
    fn group_id(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}",
            self.subscription_id, self.resource_group
        )
    }

    fn workspace_resource(&self) -> String {
        format!(
            "{}/providers/Microsoft.OperationalInsights/workspaces/{}",
            self.group_id(),
            self.workspace
        )
    }
}

/// What an answer is made of.
pub(crate) struct Answer {
    status: StatusCode,
    body: Option<Value>,
    headers: Vec<(&'static str, String)>,
}

impl Answer {
    fn new(status: StatusCode, body: Value) -> Self {
        Self {
            status,
            body: Some(body),
            headers: Vec::new(),
        }
    }

    fn empty(status: StatusCode) -> Self {
        Self {
            status,
            body: None,
            headers: Vec::new(),
        }
    }
}

/// A request, as far as it matters here.
pub(crate) struct Asked<'r> {
    method: &'r Method,
    parameters: HashMap<String, String>,
    if_match: Option<&'r str>,
    /// Scheme, host and port it came to.
    origin: String,
    body: &'r [u8],
}

pub(crate) async fn handle(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let query = uri.query().unwrap_or_default();
    let asked = Asked {
        method: &method,
        parameters: url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        if_match: headers
            .get("if-match")
            .and_then(|value| value.to_str().ok()),
        origin: origin(&connection, &headers),
        body: &body,
    };
    let (answered, left) = match authorize(&state, &headers) {
        Err(refusal) => (Err(refusal), None),
        Ok(()) => match state.arm.take_from_bucket(&state, &method) {
            Err(wait_seconds) => return too_many(wait_seconds, &method),
            Ok(left) => (answer(&state, &uri, &asked), Some(left)),
        },
    };
    let mut response = match answered {
        Ok(answer) => render(answer),
        Err(refusal) => refusal.into_response(),
    };
    let identifier = uuid::Uuid::new_v4().to_string();
    set(&mut response, "x-ms-request-id", &identifier);
    set(&mut response, "x-ms-correlation-request-id", &identifier);
    if let Some(left) = left {
        set(
            &mut response,
            throttle::header_of(&method),
            &left.to_string(),
        );
    }
    response
}

fn authorize(state: &State, headers: &HeaderMap) -> Result<(), AzureError> {
    let now = state.clock.now();
    let mut last = Ok(());
    for audience in AUDIENCES {
        last = state.tokens.authorize(headers, audience, now);
        if last.is_ok() {
            break;
        }
    }
    last.map_err(|refusal| AzureError {
        // this interface calls a token for another audience unauthenticated
        status: StatusCode::UNAUTHORIZED,
        ..refusal
    })
}

fn answer(state: &State, uri: &Uri, asked: &Asked<'_>) -> Result<Answer, AzureError> {
    let target = path::parse(uri.path(), &state.config.arm)?;
    check_version(&target, asked)?;
    match (target, asked.method.as_str()) {
        (Target::Operation(operation), "GET") => look_after(state, &operation),
        (Target::Workspace, "GET") => Ok(Answer::new(StatusCode::OK, workspace(&state.config.arm))),
        (Target::Collection(place), "GET") => list::list(state, &place, asked),
        (Target::Resource(place), "GET") => state
            .arm
            .read(&place)
            .map(|body| Answer::new(StatusCode::OK, body)),
        (Target::Resource(place), "PUT") => write::put(state, &place, asked),
        (Target::Resource(place), "DELETE") => write::delete(state, &place, asked),
        (Target::Action(place, action), "POST") => incidents::act(state, &place, &action),
        _ => Err(AzureError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "HttpMethodNotAllowed",
            format!("the resource type does not support {}", asked.method),
        )),
    }
}

fn check_version(target: &Target, asked: &Asked<'_>) -> Result<(), AzureError> {
    let Some(version) = asked.parameters.get("api-version") else {
        return Err(AzureError::bad_request(
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        ));
    };
    let known = match target {
        Target::Operation(_) | Target::Workspace => return Ok(()),
        Target::Collection(place) | Target::Resource(place) | Target::Action(place, _) => {
            place.kind.api_versions()
        }
    };
    if known.contains(&version.as_str()) {
        return Ok(());
    }
    Err(AzureError::bad_request(
        "NoRegisteredProviderFound",
        format!(
            "No registered resource provider found for API version '{version}'. The supported api-versions are '{}'.",
            known.join(", ")
        ),
    ))
}

fn workspace(config: &ArmConfig) -> Value {
    json!({
        "id": config.workspace_resource(),
        "name": config.workspace,
        "type": "Microsoft.OperationalInsights/workspaces",
        "location": config.location,
        "properties": {
            "customerId": config.workspace_id,
            "provisioningState": "Succeeded",
            "sku": { "name": "PerGB2018" },
            "retentionInDays": 90,
        },
    })
}

fn look_after(state: &State, operation: &Operation) -> Result<Answer, AzureError> {
    let Some(done) = state.arm.look_at_operation(&operation.id) else {
        return Err(AzureError::new(
            StatusCode::NOT_FOUND,
            "NotFound",
            "the operation is not known",
        ));
    };
    let mut answer = match (operation.gives_result, done) {
        (true, true) => Answer::empty(StatusCode::OK),
        (true, false) => Answer::empty(StatusCode::ACCEPTED),
        (false, done) => {
            let status = if done { "Succeeded" } else { "InProgress" };
            Answer::new(
                StatusCode::OK,
                json!({ "name": operation.id, "status": status }),
            )
        }
    };
    if !done {
        answer.headers.push(("retry-after", "0".to_owned()));
    }
    Ok(answer)
}

fn render(answer: Answer) -> Response {
    let mut response = match answer.body {
        Some(body) => (answer.status, Json(body)).into_response(),
        None => answer.status.into_response(),
    };
    for (name, value) in answer.headers {
        set(&mut response, name, &value);
    }
    response
}

fn too_many(wait_seconds: u64, method: &Method) -> Response {
    let refusal = AzureError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "SubscriptionRequestsThrottled",
        format!(
            "Number of requests for subscription exceeded the limit. Please try again after '{wait_seconds}' seconds."
        ),
    );
    let mut response = refusal.into_response();
    set(&mut response, "retry-after", &wait_seconds.to_string());
    set(&mut response, throttle::header_of(method), "0");
    response
}

fn set(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
}

/// The resources of a type as they lie there, for tests and for the curious.
impl State {
    pub(crate) fn arm_resources(&self, resource_type: &str) -> Vec<Value> {
        self.arm.all(resource_type)
    }
}

fn invalid(message: impl Into<String>) -> AzureError {
    AzureError::bad_request("BadRequest", message)
}

/// What is asked of a resource type before it is stored.
fn check(
    state: &State,
    place: &path::Place,
    body: &Value,
    old: Option<&Value>,
) -> Result<(), AzureError> {
    match place.kind {
        Kind::Incident => incidents::check(body),
        Kind::Comment | Kind::Task => incidents::check_note(place.kind, body),
        Kind::AlertRule => rules::check_alert_rule(body),
        Kind::AutomationRule => rules::check_automation_rule(body),
        Kind::Watchlist => watchlists::check(body, old),
        Kind::WatchlistItem => watchlists::check_item(state, place, body),
        Kind::Table => tables::check(&place.name, body, old),
        Kind::SummaryRule => tables::check_summary_rule(body),
        Kind::SavedSearch => tables::check_saved_search(body),
        Kind::DataCollectionRule => data_collection::check_rule(state, body, old),
        Kind::DataCollectionEndpoint => data_collection::check_location(body),
        Kind::Workbook => data_collection::check_workbook(&place.name, body),
        Kind::Relation | Kind::Bookmark | Kind::OnboardingState | Kind::Hunt => Ok(()),
    }
}
