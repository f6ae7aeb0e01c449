//! An MLflow in memory, answering as a recorded 3.17.2 server did. For tests of those who keep a
//! ledger; what it does not know it answers with 404.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use serde_json::{Value, json};
use url::Url;

/// What the server holds.
#[derive(Debug, Default)]
pub struct Contents {
    /// Experiments by name.
    pub experiments: BTreeMap<String, String>,
    /// Runs by id: `info`, `data` and `inputs` as they are returned.
    pub runs: BTreeMap<String, Value>,
    /// Files by the proxy's path.
    pub artifacts: BTreeMap<String, Vec<u8>>,
    /// Versions by registered model, in order.
    pub versions: BTreeMap<String, Vec<Value>>,
    /// Version by model and alias.
    pub aliases: BTreeMap<(String, String), String>,
    /// Requests answered, as `METHOD path`.
    pub requests: Vec<String>,
    failures: Vec<(u16, String)>,
    fails_at: Option<String>,
}

/// The fake server.
#[derive(Debug, Clone)]
pub struct FakeMlflow {
    contents: Arc<Mutex<Contents>>,
    address: SocketAddr,
}

type Shared = State<Arc<Mutex<Contents>>>;

impl FakeMlflow {
    /// Serves an empty MLflow on a free port of loopback.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start() -> Self {
        let contents = Arc::new(Mutex::new(Contents::default()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let app = router(Arc::clone(&contents));
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                tracing::error!(%error, "the fake MLflow ended");
            }
        });
        Self { contents, address }
    }

    /// Its address.
    ///
    /// # Panics
    /// Never: a socket address makes a URL.
    #[must_use]
    pub fn url(&self) -> Url {
        Url::parse(&format!("http://{}/", self.address)).expect("an address")
    }

    /// What it holds now.
    pub fn contents(&self) -> MutexGuard<'_, Contents> {
        lock(&self.contents)
    }

    /// Answers the next `times` requests with this status and body.
    pub fn fail(&self, times: usize, status: u16, body: &str) {
        self.contents()
            .failures
            .extend((0..times).map(|_| (status, body.to_owned())));
    }

    /// Answers requests whose path contains this with 503, until it is set to nothing.
    pub fn fail_at(&self, path: Option<&str>) {
        self.contents().fails_at = path.map(str::to_owned);
    }
}

fn lock(contents: &Mutex<Contents>) -> MutexGuard<'_, Contents> {
    contents.lock().unwrap_or_else(PoisonError::into_inner)
}

fn router(contents: Arc<Mutex<Contents>>) -> Router {
    let api = Router::new()
        .route("/experiments/create", post(create_experiment))
        .route("/experiments/get-by-name", get(experiment_by_name))
        .route("/runs/create", post(create_run))
        .route("/runs/get", get(run))
        .route("/runs/update", post(update_run))
        .route("/runs/search", post(search_runs))
        .route("/runs/log-batch", post(log_batch))
        .route("/runs/log-inputs", post(log_inputs))
        .route("/registered-models/create", post(create_model))
        .route("/registered-models/alias", get(by_alias).post(set_alias))
        .route("/model-versions/create", post(create_version))
        .route("/model-versions/search", get(search_versions))
        .route("/model-versions/set-tag", post(tag_version));
    Router::new()
        .nest("/api/2.0/mlflow", api)
        .route(
            "/api/2.0/mlflow-artifacts/artifacts/{*path}",
            put(put_artifact).get(get_artifact),
        )
        .layer(DefaultBodyLimit::disable())
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&contents),
            fail_as_told,
        ))
        .with_state(contents)
}

async fn fail_as_told(
    State(contents): Shared,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let failure = {
        let mut contents = lock(&contents);
        contents
            .requests
            .push(format!("{} {path}", request.method()));
        let at = contents
            .fails_at
            .as_deref()
            .is_some_and(|part| path.contains(part));
        if at {
            Some((
                503,
                r#"{"error_code":"TEMPORARILY_UNAVAILABLE","message":"as told"}"#.to_owned(),
            ))
        } else if contents.failures.is_empty() {
            None
        } else {
            Some(contents.failures.remove(0))
        }
    };
    match failure {
        Some((status, body)) => (
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            body,
        )
            .into_response(),
        None => next.run(request).await,
    }
}

fn error(status: StatusCode, code: &str, message: &str) -> Response {
    (
        status,
        Json(json!({"error_code": code, "message": message, "sqlstate": "KAM00"})),
    )
        .into_response()
}

fn missing(message: &str) -> Response {
    error(StatusCode::NOT_FOUND, "RESOURCE_DOES_NOT_EXIST", message)
}

fn invalid(message: &str) -> Response {
    error(StatusCode::BAD_REQUEST, "INVALID_PARAMETER_VALUE", message)
}

fn taken(message: &str) -> Response {
    error(StatusCode::BAD_REQUEST, "RESOURCE_ALREADY_EXISTS", message)
}

fn nothing() -> Response {
    Json(json!({})).into_response()
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

fn items(value: &Value, field: &str) -> Vec<Value> {
    value[field].as_array().cloned().unwrap_or_default()
}

async fn create_experiment(State(contents): Shared, Json(body): Json<Value>) -> Response {
    let mut contents = lock(&contents);
    let name = text(&body, "name");
    if contents.experiments.contains_key(&name) {
        return taken(&format!(
            "Experiment(name={name}) already exists. Error: (sqlite3)\n[SQL]"
        ));
    }
    let id = (contents.experiments.len() + 1).to_string();
    contents.experiments.insert(name, id.clone());
    Json(json!({"experiment_id": id})).into_response()
}

async fn experiment_by_name(
    State(contents): Shared,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let name = query.get("experiment_name").cloned().unwrap_or_default();
    match lock(&contents).experiments.get(&name) {
        Some(id) => Json(json!({"experiment": {
            "experiment_id": id, "name": name, "artifact_location": format!("mlflow-artifacts:/{id}"),
            "lifecycle_stage": "active"}}))
        .into_response(),
        None => missing("Could not find experiment with name"),
    }
}

async fn create_run(State(contents): Shared, Json(body): Json<Value>) -> Response {
    let mut contents = lock(&contents);
    let experiment = text(&body, "experiment_id");
    let id = format!("{:032x}", contents.runs.len() + 1);
    let run = json!({
        "info": {
            "run_uuid": id, "run_id": id, "experiment_id": experiment,
            "run_name": text(&body, "run_name"), "user_id": "", "status": "RUNNING",
            "start_time": body["start_time"], "lifecycle_stage": "active",
            "artifact_uri": format!("mlflow-artifacts:/{experiment}/{id}/artifacts"),
        },
        "data": {"tags": items(&body, "tags")},
        "inputs": {},
    });
    contents.runs.insert(id, run.clone());
    Json(json!({"run": run})).into_response()
}

async fn run(State(contents): Shared, Query(query): Query<HashMap<String, String>>) -> Response {
    let id = query.get("run_id").cloned().unwrap_or_default();
    match lock(&contents).runs.get(&id) {
        Some(run) => Json(json!({"run": run})).into_response(),
        None => missing(&format!("Run with id={id} not found")),
    }
}

async fn update_run(State(contents): Shared, Json(body): Json<Value>) -> Response {
    let mut contents = lock(&contents);
    let id = text(&body, "run_id");
    let Some(run) = contents.runs.get_mut(&id) else {
        return missing("no such run");
    };
    run["info"]["status"] = body["status"].clone();
    run["info"]["end_time"] = body["end_time"].clone();
    Json(json!({"run_info": run["info"]})).into_response()
}

/// Knows the one filter that is used: ``tags.`key` = 'value'``.
async fn search_runs(State(contents): Shared, Json(body): Json<Value>) -> Response {
    let filter = text(&body, "filter");
    let parsed = filter.strip_prefix("tags.`").and_then(|rest| {
        let (key, value) = rest.split_once("` = '")?;
        Some((key.to_owned(), value.strip_suffix('\'')?.to_owned()))
    });
    let Some((key, value)) = parsed else {
        return invalid("Invalid filter");
    };
    let wanted = json!({"key": key, "value": value});
    let contents = lock(&contents);
    let found: Vec<_> = contents
        .runs
        .values()
        .filter(|run| body["experiment_ids"][0] == run["info"]["experiment_id"])
        .filter(|run| items(&run["data"], "tags").contains(&wanted))
        .collect();
    // As the server does: an empty list is left out.
    if found.is_empty() {
        nothing()
    } else {
        Json(json!({"runs": found})).into_response()
    }
}

async fn log_batch(State(contents): Shared, Json(body): Json<Value>) -> Response {
    for (field, most) in [("params", 100), ("tags", 100), ("metrics", 1_000)] {
        let got = items(&body, field).len();
        if got > most {
            return invalid(&format!(
                "A batch logging request can contain at most {most} {field}. Got {got} {field}."
            ));
        }
    }
    let mut contents = lock(&contents);
    let Some(run) = contents.runs.get_mut(&text(&body, "run_id")) else {
        return missing("no such run");
    };
    for field in ["params", "tags", "metrics"] {
        let mut kept = items(&run["data"], field);
        for item in items(&body, field) {
            if field == "params"
                && kept
                    .iter()
                    .any(|old| old["key"] == item["key"] && old != &item)
            {
                return invalid("Changing param values is not allowed.");
            }
            if field == "tags" {
                kept.retain(|old| old["key"] != item["key"]);
            }
            if !kept.contains(&item) {
                kept.push(item);
            }
        }
        run["data"][field] = Value::Array(kept);
    }
    nothing()
}

async fn log_inputs(State(contents): Shared, Json(body): Json<Value>) -> Response {
    let datasets = items(&body, "datasets");
    if datasets
        .iter()
        .any(|input| text(&input["dataset"], "digest").len() > 36)
    {
        return invalid("'digest' exceeds the maximum length of 36 characters");
    }
    let mut contents = lock(&contents);
    let Some(run) = contents.runs.get_mut(&text(&body, "run_id")) else {
        return missing("no such run");
    };
    let mut kept = items(&run["inputs"], "dataset_inputs");
    kept.extend(
        datasets
            .into_iter()
            .filter(|input| !kept.contains(input))
            .collect::<Vec<_>>(),
    );
    run["inputs"]["dataset_inputs"] = Value::Array(kept);
    nothing()
}

async fn put_artifact(
    State(contents): Shared,
    Path(path): Path<String>,
    _headers: HeaderMap,
    body: Bytes,
) -> Response {
    if path.split('/').any(|part| part == "..") {
        return invalid("Invalid path");
    }
    lock(&contents).artifacts.insert(path, body.to_vec());
    StatusCode::OK.into_response()
}

async fn get_artifact(State(contents): Shared, Path(path): Path<String>) -> Response {
    match lock(&contents).artifacts.get(&path) {
        Some(bytes) => bytes.clone().into_response(),
        None => missing(&format!("No such artifact: '{path}'")),
    }
}

async fn create_model(State(contents): Shared, Json(body): Json<Value>) -> Response {
    let mut contents = lock(&contents);
    let name = text(&body, "name");
    if contents.versions.contains_key(&name) {
        return taken(&format!("Registered Model (name={name}) already exists."));
    }
    contents.versions.insert(name.clone(), vec![]);
    Json(json!({"registered_model": {"name": name}})).into_response()
}

async fn create_version(State(contents): Shared, Json(body): Json<Value>) -> Response {
    let mut contents = lock(&contents);
    let (name, source, run_id) = (
        text(&body, "name"),
        text(&body, "source"),
        text(&body, "run_id"),
    );
    let root = contents
        .runs
        .get(&run_id)
        .map(|run| text(&run["info"], "artifact_uri"));
    if !root.is_some_and(|root| source.starts_with(&root)) {
        return invalid(&format!("Invalid model version source: '{source}'."));
    }
    let Some(versions) = contents.versions.get_mut(&name) else {
        return missing(&format!("Registered Model with name={name} not found"));
    };
    let version = json!({
        "name": name, "version": (versions.len() + 1).to_string(), "current_stage": "None",
        "source": source, "run_id": run_id, "status": "READY", "tags": items(&body, "tags"),
        "run_link": "",
    });
    versions.push(version.clone());
    Json(json!({"model_version": version})).into_response()
}

/// Knows the one filter that is used: `name='...' and run_id='...'`.
async fn search_versions(
    State(contents): Shared,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let filter = query.get("filter").cloned().unwrap_or_default();
    let parts: Vec<_> = filter.split('\'').collect();
    let [_, name, _, run_id, _] = parts[..] else {
        return invalid("Invalid filter");
    };
    let contents = lock(&contents);
    let versions = contents
        .versions
        .get(name)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let found: Vec<_> = versions
        .iter()
        .filter(|version| version["run_id"] == run_id)
        .collect();
    if found.is_empty() {
        nothing()
    } else {
        Json(json!({"model_versions": found})).into_response()
    }
}

async fn tag_version(State(contents): Shared, Json(body): Json<Value>) -> Response {
    let mut contents = lock(&contents);
    let versions = contents.versions.entry(text(&body, "name")).or_default();
    let Some(version) = versions
        .iter_mut()
        .find(|version| version["version"] == body["version"])
    else {
        return missing("Model Version not found");
    };
    let mut tags = items(version, "tags");
    tags.retain(|tag| tag["key"] != body["key"]);
    tags.push(json!({"key": body["key"], "value": body["value"]}));
    version["tags"] = Value::Array(tags);
    nothing()
}

async fn set_alias(State(contents): Shared, Json(body): Json<Value>) -> Response {
    let alias = text(&body, "alias");
    if alias.eq_ignore_ascii_case("latest") {
        return invalid("'latest' alias name (case insensitive) is reserved.");
    }
    let key = (text(&body, "name"), alias);
    lock(&contents).aliases.insert(key, text(&body, "version"));
    nothing()
}

async fn by_alias(
    State(contents): Shared,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let field = |name: &str| query.get(name).cloned().unwrap_or_default();
    let contents = lock(&contents);
    let Some(versions) = contents.versions.get(&field("name")) else {
        return missing("Registered Model not found");
    };
    let version = contents.aliases.get(&(field("name"), field("alias")));
    let version = version.and_then(|number| versions.iter().find(|v| v["version"] == **number));
    match version {
        Some(version) => {
            let mut version = version.clone();
            version["aliases"] = json!([field("alias")]);
            Json(json!({"model_version": version})).into_response()
        }
        None => invalid(&format!(
            "Registered model alias {} not found.",
            field("alias")
        )),
    }
}
