//! A workspace on loopback that knows its rows and answers our own statements by them, with faults.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use foretide_domain::{Measure, floor_day, floor_hour};
use foretide_ingestion::config::LogAnalyticsConfig;
use foretide_lake::buckets::BucketRow;
use foretide_sentinel_tables::statements;
use serde_json::{Value, json};
use tokio::sync::Notify;

pub(crate) const HISTORY_DAYS: i64 = 10;

/// A row of SecurityIncident.
#[derive(Debug, Clone)]
pub(crate) struct IncidentRow {
    pub(crate) name: u32,
    pub(crate) created: DateTime<Utc>,
    pub(crate) closed: Option<DateTime<Utc>>,
    pub(crate) severity: &'static str,
    pub(crate) generated: DateTime<Utc>,
    pub(crate) ingested: DateTime<Utc>,
}

/// A row of SigninLogs.
#[derive(Debug, Clone)]
pub(crate) struct SignInRow {
    pub(crate) failed: bool,
    pub(crate) address: u32,
    pub(crate) generated: DateTime<Utc>,
    pub(crate) ingested: DateTime<Utc>,
}

/// What happens to the next query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// None.
    Fine,
    /// 429, at once again.
    Busy,
    /// 503.
    Broken,
    /// 504.
    Slow,
    /// 200 with an error beside half of the rows.
    Partial,
    /// The answer breaks off.
    Truncated,
    /// The query is refused.
    Refused,
    /// The asker is killed: the answer never comes.
    Killed,
}

#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) incidents: Vec<IncidentRow>,
    pub(crate) sign_ins: Vec<SignInRow>,
    pub(crate) faults: VecDeque<Fault>,
    /// Rows can be asked for this long after they were ingested.
    pub(crate) visible_after: TimeDelta,
    /// What the workspace's clock says.
    pub(crate) now: DateTime<Utc>,
    /// Answers have at most this many rows.
    pub(crate) most_rows: Option<usize>,
    /// Spans that were searched, of tables on the basic plan.
    pub(crate) searched: Vec<String>,
    /// Statements asked, in order.
    pub(crate) asked: Vec<String>,
    /// Starts of the windows that were counted, in order.
    pub(crate) spans: Vec<DateTime<Utc>>,
    /// What tables took in: hour, table, MB.
    pub(crate) usage: Vec<(DateTime<Utc>, &'static str, f64)>,
    /// Added to every answer.
    pub(crate) statistics: Option<Value>,
}

/// The workspace.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    rows: Mutex<Rows>,
    /// Told when a query comes in that kills its asker.
    pub(crate) killed: Notify,
}

fn parameter(query: &str, name: &str) -> Option<DateTime<Utc>> {
    let text = query.split(&format!("let {name} = datetime(")).nth(1)?;
    text.split(')').next()?.parse().ok()
}

fn text_of(moment: DateTime<Utc>) -> Value {
    moment.to_rfc3339_opts(SecondsFormat::Millis, true).into()
}

type Counts = BTreeMap<(DateTime<Utc>, &'static str), f64>;

impl Rows {
    fn visible(&self, ingested: DateTime<Utc>, as_of: DateTime<Utc>) -> bool {
        ingested <= as_of && ingested + self.visible_after <= self.now
    }

    /// The latest row of each incident.
    fn latest(&self, as_of: DateTime<Utc>) -> Vec<&IncidentRow> {
        let mut latest: BTreeMap<u32, &IncidentRow> = BTreeMap::new();
        for row in &self.incidents {
            if !self.visible(row.ingested, as_of) {
                continue;
            }
            let kept = latest.entry(row.name).or_insert(row);
            if row.generated >= kept.generated {
                *kept = row;
            }
        }
        latest.into_values().collect()
    }

    /// What a measure counts, as a workspace of that moment knows it.
    pub(crate) fn counts(&self, measure: Measure, as_of: DateTime<Utc>) -> Counts {
        let mut counts = Counts::new();
        let mut add = |at, severity| *counts.entry((at, severity)).or_default() += 1.0;
        let sign_ins = self.sign_ins.iter();
        let seen = sign_ins.filter(|row| self.visible(row.ingested, as_of));
        match measure {
            Measure::Incidents => {
                for row in self.latest(as_of) {
                    add(floor_hour(row.created), row.severity);
                }
            }
            Measure::IncidentsClosed => {
                for row in self.latest(as_of) {
                    if let Some(closed) = row.closed {
                        add(floor_hour(closed), row.severity);
                    }
                }
            }
            Measure::FailedLogins => {
                for row in seen.filter(|row| row.failed) {
                    add(floor_hour(row.generated), "");
                }
            }
            Measure::UniqueSourceIpsDaily => {
                let addresses: BTreeSet<_> = seen
                    .map(|row| (floor_day(row.generated), row.address))
                    .collect();
                for (day, _) in addresses {
                    add(day, "");
                }
            }
            _ => {}
        }
        counts
    }

    fn arrivals(
        &self,
        measure: Measure,
        after: DateTime<Utc>,
        as_of: DateTime<Utc>,
    ) -> BTreeSet<NaiveDate> {
        let new = |ingested| ingested > after && self.visible(ingested, as_of);
        let touched: BTreeSet<u32> = self
            .incidents
            .iter()
            .filter(|row| new(row.ingested))
            .map(|row| row.name)
            .collect();
        let of_touched = self
            .incidents
            .iter()
            .filter(|row| touched.contains(&row.name) && self.visible(row.ingested, as_of));
        match measure {
            Measure::Incidents => of_touched.map(|row| row.created.date_naive()).collect(),
            Measure::IncidentsClosed => of_touched
                .filter_map(|row| Some(row.closed?.date_naive()))
                .collect(),
            Measure::FailedLogins | Measure::UniqueSourceIpsDaily => self
                .sign_ins
                .iter()
                .filter(|row| new(row.ingested))
                .map(|row| row.generated.date_naive())
                .collect(),
            _ => BTreeSet::new(),
        }
    }

    /// Lags in minutes and the newest row.
    fn lags(&self, table: &str, after: DateTime<Utc>, as_of: DateTime<Utc>) -> Vec<Value> {
        let incidents = self.incidents.iter();
        let times: Vec<_> = match table {
            "SecurityIncident" => incidents.map(|row| (row.generated, row.ingested)).collect(),
            "SigninLogs" => self
                .sign_ins
                .iter()
                .map(|row| (row.generated, row.ingested))
                .collect(),
            _ => Vec::new(),
        };
        let mut classes: BTreeMap<i64, (u64, DateTime<Utc>)> = BTreeMap::new();
        for (generated, ingested) in times {
            if ingested > after && self.visible(ingested, as_of) {
                let minutes = (ingested - generated).num_minutes();
                let upper = [5, 60, 480, 1440, 10_080]
                    .into_iter()
                    .find(|up| minutes <= *up);
                let class = classes
                    .entry(upper.unwrap_or(1_000_000))
                    .or_insert((0, generated));
                class.0 += 1;
                class.1 = class.1.max(generated);
            }
        }
        classes
            .into_iter()
            .map(|(upper, (rows, newest))| json!([upper, rows, text_of(newest)]))
            .collect()
    }

    fn answer(&self, query: &str) -> (Vec<&'static str>, Vec<Value>, String) {
        let name = statements()
            .into_iter()
            .find(|statement| query.ends_with(&statement.text))
            .unwrap_or_else(|| panic!("not one of our statements: {query}"))
            .name;
        let (kind, what) = name.split_once('/').unwrap();
        let moment = |name| parameter(query, name).unwrap_or_else(|| panic!("{name}: {query}"));
        let as_of = moment("asOf");
        let (columns, rows) = match kind {
            "counts" if what == Measure::IngestedMegabytes.name() => {
                let span = moment("windowStart")..moment("windowEnd");
                let rows = self.usage.iter();
                let rows = rows.filter(|(hour, ..)| span.contains(hour));
                let rows = rows.map(|(hour, table, value)| json!([text_of(*hour), table, value]));
                (
                    vec!["Hour datetime", "Product string", "Value real"],
                    rows.collect(),
                )
            }
            "counts" => {
                let (start, end) = (moment("windowStart"), moment("windowEnd"));
                let counts = self.counts(what.parse().unwrap(), as_of);
                let rows = counts
                    .into_iter()
                    .filter(|((at, _), _)| (start..end).contains(at))
                    .map(|((at, severity), count)| json!([text_of(at), severity, count]))
                    .collect();
                (vec!["Hour datetime", "Severity string", "Value real"], rows)
            }
            "arrivals" => {
                let days = self.arrivals(what.parse().unwrap(), moment("ingestedAfter"), as_of);
                let earliest = moment("notBefore").date_naive();
                let rows = days
                    .into_iter()
                    .filter(|day| *day >= earliest)
                    .map(|day| json!([format!("{day}T00:00:00Z"), 1]))
                    .collect();
                (vec!["Day datetime", "Rows long"], rows)
            }
            _ => (
                vec!["UpTo long", "Rows long", "Newest datetime"],
                self.lags(what, moment("ingestedAfter"), as_of),
            ),
        };
        (columns, rows, name)
    }
}

impl Workspace {
    pub(crate) fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap()
    }

    /// The buckets a lake should hold of a measure.
    pub(crate) fn expected(&self, measure: Measure, as_of: DateTime<Utc>) -> Vec<BucketRow> {
        let counts = self.rows().counts(measure, as_of);
        counts
            .into_iter()
            .map(|((event_time, severity), value)| BucketRow {
                event_time,
                severity: severity.to_owned(),
                product: String::new(),
                tactic: String::new(),
                value,
            })
            .collect()
    }
}

async fn answer(
    State(workspace): State<Arc<Workspace>>,
    Json(body): Json<Value>,
) -> Response<Body> {
    let query = body["query"].as_str().unwrap();
    let (fault, columns, rows, most, statistics) = {
        let mut known = workspace.rows();
        let fault = known.faults.pop_front().unwrap_or(Fault::Fine);
        let (columns, rows, name) = known.answer(query);
        known.asked.push(name);
        known.spans.extend(parameter(query, "windowStart"));
        let statistics = known.statistics.clone();
        (fault, columns, rows, known.most_rows, statistics)
    };
    let status = |status| Response::builder().status(status);
    match fault {
        Fault::Busy => status(429).header("retry-after", "0").body(Body::empty()),
        Fault::Broken => status(503).header("retry-after", "0").body(Body::empty()),
        Fault::Slow => status(504).body(Body::empty()),
        Fault::Refused => status(400).body(
            json!({"error": {"code": "BadArgumentError", "message": "no"}})
                .to_string()
                .into(),
        ),
        Fault::Killed => {
            workspace.killed.notify_one();
            std::future::pending().await
        }
        Fault::Fine | Fault::Partial | Fault::Truncated => {
            let is_cut = most.is_some_and(|most| rows.len() > most);
            let cut = fault == Fault::Partial || is_cut;
            let half = if cut { rows.len() / 2 } else { rows.len() };
            let columns: Vec<Value> = columns
                .iter()
                .map(|column| {
                    let (name, kind) = column.split_once(' ').unwrap();
                    json!({"name": name, "type": kind})
                })
                .collect();
            let mut answer = json!({"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows[..half]}]});
            if cut {
                answer["error"] = json!({"code": "PartialError", "message": "too many rows"});
            }
            if let Some(statistics) = statistics {
                answer["statistics"] = statistics;
            }
            let mut text = answer.to_string();
            if fault == Fault::Truncated {
                text.truncate(text.len() / 2);
            }
            status(StatusCode::OK.as_u16()).body(text.into())
        }
    }
    .unwrap()
}

async fn search(
    State(workspace): State<Arc<Workspace>>,
    Json(body): Json<Value>,
) -> Response<Body> {
    let span = body["timespan"].as_str().unwrap().to_owned();
    workspace.rows().searched.push(span);
    answer(State(workspace), Json(body)).await
}

async fn serve(workspace: Arc<Workspace>) -> SocketAddr {
    let token = || async {
        Json(json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "t0ken"}))
    };
    let app = Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .route("/v1/workspaces/{id}/query", post(answer))
        .route("/v1/workspaces/{id}/search", post(search))
        .with_state(workspace);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

/// Serves the workspace; the configuration to read it with, changed.
pub(crate) async fn reading(workspace: &Arc<Workspace>, change: &Value) -> LogAnalyticsConfig {
    let azure = serve(Arc::clone(workspace)).await;
    let mut config = json!({
        "workspace_id": "11111111-1111-1111-1111-111111111111",
        "endpoint": format!("http://{azure}"),
        "identity": {"authority": format!("http://{azure}"), "tenant": "contoso", "client_id": "c", "client_secret": "s"},
        "history_days": HISTORY_DAYS,
    });
    for (key, value) in change.as_object().unwrap() {
        config[key] = value.clone();
    }
    serde_json::from_value(config).unwrap()
}
