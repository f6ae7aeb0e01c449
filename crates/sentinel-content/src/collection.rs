//! The way into the tables: a data collection rule, its endpoint where one is wanted, a summary rule.

use foretide_domain::Phase;
use foretide_sentinel_arm::{ArmClient, ArmError, ContentBody, ContentKind};
use serde_json::{Map, Value, json};

use crate::body::body;
use crate::names::{Mark, workspace_key};
use crate::pack::{Delivery, Item, PackOptions};
use crate::tables::{INCIDENTS, TableDeclaration};

/// Name of the data collection rule. Rules and endpoints lie in the resource group, which may hold other
/// workspaces: their names carry the workspace.
fn rule_name(workspace_id: &str) -> String {
    format!("dcr-foretide-{}", workspace_key(workspace_id))
}

/// Name of the data collection endpoint.
pub(crate) fn endpoint_name(workspace_id: &str) -> String {
    format!("dce-foretide-{}", workspace_key(workspace_id))
}

const SUMMARY: &str = "foretide-incidents-created";
const INCIDENTS_CREATED: &str = include_str!("../kql/summary/incidents_created.kql");

pub(crate) fn items(options: &PackOptions, tables: &[TableDeclaration]) -> Vec<Item> {
    let mut items = Vec::new();
    if options.delivery == Delivery::Endpoint {
        items.push(Item {
            kind: ContentKind::DataCollectionEndpoint,
            title: endpoint_name(&options.name_space),
            name: endpoint_name(&options.name_space),
            needs: Phase::Shadow,
            body: endpoint(options),
        });
    }
    items.push(Item {
        kind: ContentKind::DataCollectionRule,
        title: rule_name(&options.name_space),
        name: rule_name(&options.name_space),
        needs: Phase::Shadow,
        body: rule(options, tables),
    });
    items.push(Item {
        kind: ContentKind::SummaryRule,
        name: SUMMARY.to_owned(),
        title: "incidents as they are created".to_owned(),
        needs: Phase::Shadow,
        body: summary(options),
    });
    items
}

fn endpoint(options: &PackOptions) -> ContentBody {
    body(json!({
        "location": options.location,
        "tags": Mark::of(options).on_tags(),
        "properties": {
            "description": "Takes Foretide's rows.",
            "networkAcls": { "publicNetworkAccess": "Enabled" },
        },
    }))
}

fn rule(options: &PackOptions, tables: &[TableDeclaration]) -> ContentBody {
    let written = || tables.iter().filter(|table| table.name != INCIDENTS);
    let streams: Map<String, Value> = written()
        .map(|table| (table.stream(), json!({ "columns": table.stream_columns() })))
        .collect();
    let flows: Vec<Value> = written()
        .map(|table| {
            json!({
                "streams": [table.stream()],
                "destinations": ["workspace"],
                "transformKql": "source",
                "outputStream": table.stream(),
            })
        })
        .collect();
    let mut rule = json!({
        "location": options.location,
        "tags": Mark::of(options).on_tags(),
        "properties": {
            "description": "Forecasts, predicted windows and evaluations of Foretide.",
            "streamDeclarations": streams,
            "destinations": { "logAnalytics": [
                { "name": "workspace", "workspaceResourceId": options.workspace_id },
            ]},
            "dataFlows": flows,
        },
    });
    match options.delivery {
        Delivery::Direct => rule["kind"] = "Direct".into(),
        Delivery::Endpoint => {
            rule["properties"]["dataCollectionEndpointId"] = options.endpoint_id().into();
        }
    }
    body(rule)
}

fn summary(options: &PackOptions) -> ContentBody {
    body(json!({ "properties": {
        "ruleType": "User",
        "displayName": "Foretide: incidents as they are created",
        "description": Mark::of(options)
            .on_text("Keeps one small row an incident, for the workbook and for hunting."),
        "ruleDefinition": {
            "query": INCIDENTS_CREATED,
            "binSize": 60,
            "destinationTable": INCIDENTS,
            "timeSelector": "TimeGenerated",
        },
    }}))
}

/// Where rows for the tables are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayIn {
    /// Logs ingestion endpoint.
    pub endpoint: String,
    /// Immutable id of the data collection rule.
    pub rule: String,
}

/// The way into the tables as it was laid out; nothing before that.
///
/// # Errors
/// When the workspace cannot be read.
pub async fn way_in(client: &ArmClient) -> Result<Option<WayIn>, ArmError> {
    let workspace_id = client.workspace().workspace_id();
    let rule = rule_name(&workspace_id);
    let Some(rule) = client
        .content(ContentKind::DataCollectionRule, &rule)
        .await?
    else {
        return Ok(None);
    };
    let properties = &rule["properties"];
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let endpoint = match text(&properties["endpoints"]["logsIngestion"]) {
        Some(direct) => Some(direct),
        None => {
            let endpoint = endpoint_name(&workspace_id);
            let endpoint = client
                .content(ContentKind::DataCollectionEndpoint, &endpoint)
                .await?
                .unwrap_or_default();
            text(&endpoint["properties"]["logsIngestion"]["endpoint"])
        }
    };
    let identifier = text(&properties["immutableId"]);
    Ok(endpoint
        .zip(identifier)
        .map(|(endpoint, rule)| WayIn { endpoint, rule }))
}
