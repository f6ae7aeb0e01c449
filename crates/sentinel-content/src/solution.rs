//! The pack in the layout of the Azure-Sentinel repository.

use foretide_domain::Phase;
use foretide_sentinel_arm::ContentKind;
use serde_json::{Value, json};

use crate::analytics::{RULES, RuleDeclaration, rule_name};
use crate::hunting::{HUNTS, HuntDeclaration};
use crate::names::guid;
use crate::pack::{Delivery, Pack, PackError, PackOptions};
use crate::workbook::notebook;

const FOLDER: &str = "Solutions/Foretide";
const WORKSPACE: &str =
    "[resourceId('Microsoft.OperationalInsights/workspaces', parameters('workspace'))]";
const SCHEMA: &str =
    "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#";

/// A file of the solution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SolutionFile {
    /// Path below the repository's root.
    pub path: String,
    /// What it holds.
    pub text: String,
}

/// Every file of the solution. Automation rules are left out: a solution knows no phase.
///
/// # Errors
/// Never for the options used here; see [`Pack::declared`].
pub fn solution() -> Result<Vec<SolutionFile>, PackError> {
    let options = PackOptions {
        workspace_id: WORKSPACE.to_owned(),
        group_id: "[resourceGroup().id]".to_owned(),
        name_space: "/solution".to_owned(),
        location: "[parameters('workspace-location')]".to_owned(),
        phase: Phase::Shadow,
        delivery: Delivery::Direct,
        retention_days: 400,
        notify: None,
    };
    let mut files = vec![
        json_file("SolutionMetadata.json", &metadata()),
        json_file("Data/Solution_Foretide.json", &data()),
        json_file("Package/mainTemplate.json", &template(&options)?),
        json_file("Package/createUiDefinition.json", &user_interface()),
        json_file("Package/testParameters.json", &test_parameters()),
        json_file("Workbooks/Foretide.json", &notebook()),
        file("ReleaseNotes.md", release_notes()),
    ];
    for rule in &RULES {
        let path = format!("Analytic Rules/{}.yaml", rule.slug);
        files.push(file(&path, yaml(&analytic_rule(&options, rule))));
    }
    for hunt in &HUNTS {
        let path = format!("Hunting Queries/{}.yaml", hunt.slug);
        files.push(file(&path, yaml(&hunting_query(hunt))));
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn file(path: &str, text: String) -> SolutionFile {
    SolutionFile {
        path: format!("{FOLDER}/{path}"),
        text,
    }
}

fn json_file(path: &str, value: &Value) -> SolutionFile {
    file(path, format!("{value:#}\n"))
}

fn yaml(value: &Value) -> String {
    serde_norway::to_string(value).expect("JSON can be written as YAML")
}

/// `PT1H` as the repository's rules write it: `1h`.
fn short_duration(text: &str) -> String {
    text.trim_start_matches('P')
        .trim_start_matches('T')
        .to_ascii_lowercase()
}

fn analytic_rule(options: &PackOptions, rule: &RuleDeclaration) -> Value {
    let properties = rule.properties();
    let mut written = json!({
        "id": rule_name(options, rule.slug),
        "name": rule.display_name(),
        "description": rule.description,
        "severity": rule.severity,
        "status": "Available",
        "requiredDataConnectors": [],
        "queryFrequency": short_duration(rule.frequency),
        "queryPeriod": short_duration(rule.period),
        "triggerOperator": "gt",
        "triggerThreshold": 0,
        "tactics": [],
        "relevantTechniques": [],
        "query": rule.query,
        "customDetails": properties["customDetails"],
        "eventGroupingSettings": properties["eventGroupingSettings"],
        "incidentConfiguration": properties["incidentConfiguration"],
        "version": env!("CARGO_PKG_VERSION"),
        "kind": "Scheduled",
    });
    for name in ["alertDetailsOverride", "entityMappings"] {
        if let Some(value) = properties.get(name) {
            written[name] = value.clone();
        }
    }
    written
}

fn hunting_query(hunt: &HuntDeclaration) -> Value {
    json!({
        "id": guid("/solution", "hunting", hunt.slug),
        "name": hunt.display_name(),
        "description": hunt.description,
        "requiredDataConnectors": [],
        "tactics": [],
        "relevantTechniques": [],
        "query": hunt.query,
        "version": env!("CARGO_PKG_VERSION"),
    })
}

fn metadata() -> Value {
    json!({
        "publisherId": "foretide",
        "offerId": "foretide-predictive-alerting",
        "firstPublishDate": "2026-11-23",
        "providers": ["Foretide"],
        "categories": { "domains": ["Security - Automation (SOAR)"], "verticals": [] },
        "support": {
            "tier": "Community",
            "name": "Foretide",
            "link": env!("CARGO_PKG_REPOSITORY"),
        },
    })
}

fn data() -> Value {
    let rules: Vec<String> = RULES
        .iter()
        .map(|rule| format!("Analytic Rules/{}.yaml", rule.slug))
        .collect();
    let hunts: Vec<String> = HUNTS
        .iter()
        .map(|hunt| format!("Hunting Queries/{}.yaml", hunt.slug))
        .collect();
    json!({
        "Name": "Foretide",
        "Author": "Foretide",
        "Description": "Forecasts what the workspace will ask of its SOC, and says how sure that is.",
        "Analytic Rules": rules,
        "Hunting Queries": hunts,
        "Workbooks": ["Workbooks/Foretide.json"],
        "BasePath": FOLDER,
        "Version": env!("CARGO_PKG_VERSION"),
        "Metadata": "SolutionMetadata.json",
        "TemplateSpec": false,
    })
}

fn template(options: &PackOptions) -> Result<Value, PackError> {
    let pack = Pack::declared(options)?;
    let resources: Vec<Value> = pack
        .items
        .iter()
        .map(|item| resource(item.kind, &item.name, item.body.value()))
        .collect();
    Ok(json!({
        "$schema": SCHEMA,
        "contentVersion": format!("{}.0", env!("CARGO_PKG_VERSION")),
        "metadata": { "author": "Foretide", "comments": "Solution template for Foretide" },
        "parameters": {
            "workspace": {
                "type": "string",
                "metadata": { "description": "Name of the Log Analytics workspace with Sentinel on it" },
            },
            "workspace-location": {
                "type": "string",
                "metadata": { "description": "Region of the workspace" },
            },
        },
        "resources": resources,
    }))
}

fn resource(kind: ContentKind, name: &str, body: &Value) -> Value {
    let resource_type = kind.resource_type();
    let (kind_in_template, name_in_template) =
        match resource_type.strip_prefix("Microsoft.SecurityInsights/") {
            // an extension resource of the workspace
            Some(collection) => (
                format!("Microsoft.OperationalInsights/workspaces/providers/{collection}"),
                format!("[concat(parameters('workspace'), '/Microsoft.SecurityInsights/{name}')]"),
            ),
            None if resource_type.starts_with("Microsoft.OperationalInsights/") => (
                resource_type.to_owned(),
                format!("[concat(parameters('workspace'), '/{name}')]"),
            ),
            None => (resource_type.to_owned(), name_in_group(resource_type, name)),
        };
    let mut resource = json!({
        "type": kind_in_template,
        "apiVersion": kind.api_version(),
        "name": name_in_template,
    });
    if let (Value::Object(resource), Value::Object(body)) = (&mut resource, body) {
        resource.extend(body.clone());
    }
    if !matches!(
        kind,
        ContentKind::Table | ContentKind::DataCollectionEndpoint
    ) {
        resource["dependsOn"] = depends_on_tables().into();
    }
    resource
}

/// The resource group may hold another workspace with the same solution.
fn name_in_group(resource_type: &str, name: &str) -> String {
    let workspace = WORKSPACE.trim_start_matches('[').trim_end_matches(']');
    if resource_type == ContentKind::Workbook.resource_type() {
        format!("[guid({workspace}, '{name}')]")
    } else {
        format!("[concat('{name}-', uniqueString({workspace}))]")
    }
}

/// Everything reads or writes the tables.
fn depends_on_tables() -> Vec<String> {
    let tables = crate::tables::tables().into_iter();
    tables
        .map(|table| {
            format!(
                "[resourceId('Microsoft.OperationalInsights/workspaces/tables', parameters('workspace'), '{}')]",
                table.name
            )
        })
        .collect()
}

fn user_interface() -> Value {
    json!({
        "$schema": "https://schema.management.azure.com/schemas/0.1.2-preview/CreateUIDefinition.MultiVm.json#",
        "handler": "Microsoft.Azure.CreateUIDef",
        "version": "0.1.2-preview",
        "parameters": {
            "config": { "isWizard": false, "basics": {
                "description": "Lays out Foretide's tables, rules, hunting queries and workbook.",
                "location": { "visible": false },
            }},
            "basics": [{
                "name": "workspace",
                "type": "Microsoft.Common.TextBox",
                "label": "Workspace",
                "constraints": { "required": true },
            }],
            "steps": [],
            "outputs": {
                "workspace": "[basics('workspace')]",
                "workspace-location": "[location()]",
            },
        },
    })
}

fn test_parameters() -> Value {
    json!({
        "workspace": { "type": "string", "defaultValue": "law-contoso" },
        "workspace-location": { "type": "string", "defaultValue": "westeurope" },
    })
}

fn release_notes() -> String {
    format!(
        "| **Version** | **Change** |\n|---|---|\n| {} | First solution package |\n",
        env!("CARGO_PKG_VERSION")
    )
}
