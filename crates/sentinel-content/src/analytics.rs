//! Analytics rules over our own tables.

use foretide_domain::Phase;
use foretide_sentinel_arm::{ContentBody, ContentKind};
use serde_json::{Map, Value, json};

use crate::body::body;
use crate::names::{Mark, PREFIX, guid};
use crate::pack::{Item, PackOptions};

/// A scheduled rule, as far as ours differ.
pub(crate) struct RuleDeclaration {
    pub(crate) slug: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    pub(crate) severity: &'static str,
    pub(crate) query: &'static str,
    pub(crate) frequency: &'static str,
    pub(crate) period: &'static str,
    /// Name of the detail and its column; at most 20.
    pub(crate) details: &'static [(&'static str, &'static str)],
    pub(crate) title_format: Option<&'static str>,
    pub(crate) severity_column: Option<&'static str>,
    /// Alerts that agree in this detail go into one open incident.
    pub(crate) one_incident_by: Option<&'static str>,
    pub(crate) entity: Option<(&'static str, &'static str, &'static str)>,
}

pub(crate) const SURGE: &str = "predicted-attack-surge";
pub(crate) const IN_WINDOW: &str = "alert-in-predicted-window";

pub(crate) const RULES: [RuleDeclaration; 5] = [
    RuleDeclaration {
        slug: SURGE,
        title: "predicted attack surge",
        description: "More incidents are expected than the declared capacity or, without one, than \
                      ordinary weeks have. The incident is for planning: staffing, postponing, hunting ahead. One open incident a scope.",
        severity: "Medium",
        query: include_str!("../kql/rules/predicted_attack_surge.kql"),
        frequency: "PT1H",
        period: "PT6H",
        details: &[
            ("Scope", "Scope"),
            ("UseCase", "UseCase"),
            ("WindowStart", "WindowStart"),
            ("WindowEnd", "WindowEnd"),
            ("ProbabilityPercent", "ProbabilityPercent"),
            ("Expected", "Expected"),
            ("Capacity", "Capacity"),
            ("CapacityKind", "CapacityKind"),
            ("Drivers", "Drivers"),
            ("ForetideRun", "RunId"),
            ("ForetideForecast", "ForecastId"),
        ],
        title_format: Some("Foretide: surge predicted for {{Scope}} from {{WindowStart}}"),
        severity_column: Some("Severity"),
        one_incident_by: Some("Scope"),
        entity: None,
    },
    RuleDeclaration {
        slug: IN_WINDOW,
        title: "alert in a predicted window",
        description: "A medium alert arrived inside a predicted window. One open incident a scope.",
        severity: "Medium",
        query: include_str!("../kql/rules/alert_in_predicted_window.kql"),
        frequency: "PT1H",
        period: "P4D",
        details: &[
            ("Scope", "Scope"),
            ("WindowStart", "WindowStart"),
            ("WindowEnd", "WindowEnd"),
            ("AlertId", "SystemAlertId"),
            ("Product", "ProductName"),
            ("ForetideRun", "RunId"),
        ],
        title_format: Some("Foretide: {{AlertName}} in a predicted window"),
        severity_column: None,
        one_incident_by: Some("Scope"),
        entity: Some(("Host", "FullName", "CompromisedEntity")),
    },
    RuleDeclaration {
        slug: "forecasts-missing",
        title: "forecasts are missing",
        description: "No forecast has arrived for more than a day.",
        severity: "Low",
        query: include_str!("../kql/rules/forecasts_missing.kql"),
        frequency: "PT6H",
        period: "P7D",
        details: &[("LastForecast", "LastForecast")],
        title_format: None,
        severity_column: None,
        one_incident_by: None,
        entity: None,
    },
    RuleDeclaration {
        slug: "intervals-do-not-hold",
        title: "intervals do not hold",
        description: "Settled forecasts lay outside their 80% intervals far too often.",
        severity: "Informational",
        query: include_str!("../kql/rules/intervals_do_not_hold.kql"),
        frequency: "P1D",
        period: "P7D",
        details: &[
            ("UseCase", "UseCase"),
            ("Coverage80", "Coverage80"),
            ("Coverage95", "Coverage95"),
        ],
        title_format: Some("Foretide: intervals of {{UseCase}} do not hold"),
        severity_column: None,
        one_incident_by: Some("UseCase"),
        entity: None,
    },
    RuleDeclaration {
        slug: "phase-lowered",
        title: "a use case lost its phase",
        description: "A gate failed: Foretide watches only, until a person raises the phase again.",
        severity: "Low",
        query: include_str!("../kql/rules/phase_lowered.kql"),
        frequency: "PT1H",
        period: "P7D",
        details: &[("UseCase", "UseCase"), ("Before", "Before")],
        title_format: Some("Foretide: {{UseCase}} went back to shadow"),
        severity_column: None,
        one_incident_by: Some("UseCase"),
        entity: None,
    },
];

/// The GUID of a rule.
pub(crate) fn rule_name(options: &PackOptions, slug: &str) -> String {
    guid(&options.name_space, "alertRules", slug)
}

pub(crate) fn items(options: &PackOptions) -> Vec<Item> {
    let rules = RULES.iter();
    rules
        .map(|rule| Item {
            kind: ContentKind::AlertRule,
            name: rule_name(options, rule.slug),
            title: rule.display_name(),
            needs: Phase::Shadow,
            body: rule.body(options),
        })
        .collect()
}

impl RuleDeclaration {
    pub(crate) fn display_name(&self) -> String {
        format!("{PREFIX}{}", self.title)
    }

    /// In shadow a rule lies there switched off and without incidents: people can read it, and it keeps
    /// its GUID, which Sentinel would block for a day once the rule were deleted.
    fn body(&self, options: &PackOptions) -> ContentBody {
        let mut properties = self.properties();
        let acts = options.phase > Phase::Shadow;
        properties["enabled"] = acts.into();
        properties["incidentConfiguration"]["createIncident"] = acts.into();
        properties["description"] = Mark::of(options).on_text(self.description).into();
        body(json!({ "kind": "Scheduled", "properties": properties }))
    }

    pub(crate) fn properties(&self) -> Value {
        let details: Map<String, Value> = self
            .details
            .iter()
            .map(|(name, column)| ((*name).to_owned(), (*column).into()))
            .collect();
        let mut properties = json!({
            "displayName": self.display_name(),
            "description": self.description,
            "severity": self.severity,
            "enabled": true,
            "query": self.query,
            "queryFrequency": self.frequency,
            "queryPeriod": self.period,
            "triggerOperator": "GreaterThan",
            "triggerThreshold": 0,
            "suppressionDuration": "PT5H",
            "suppressionEnabled": false,
            "tactics": [],
            "eventGroupingSettings": { "aggregationKind": "AlertPerResult" },
            "customDetails": details,
            "incidentConfiguration": self.incidents(),
        });
        let mut overrides = Map::new();
        if let Some(format) = self.title_format {
            overrides.insert("alertDisplayNameFormat".to_owned(), format.into());
        }
        if let Some(column) = self.severity_column {
            overrides.insert("alertSeverityColumnName".to_owned(), column.into());
        }
        if !overrides.is_empty() {
            properties["alertDetailsOverride"] = overrides.into();
        }
        if let Some((entity, identifier, column)) = self.entity {
            properties["entityMappings"] = json!([{
                "entityType": entity,
                "fieldMappings": [{ "identifier": identifier, "columnName": column }],
            }]);
        }
        properties
    }

    /// The same detail goes into the open incident; one that a person closed stays closed.
    fn incidents(&self) -> Value {
        let details: Vec<&str> = self.one_incident_by.into_iter().collect();
        json!({
            "createIncident": true,
            "groupingConfiguration": {
                "enabled": self.one_incident_by.is_some(),
                "reopenClosedIncident": false,
                "lookbackDuration": "P3D",
                "matchingMethod": if details.is_empty() { "AllEntities" } else { "Selected" },
                "groupByEntities": [],
                "groupByAlertDetails": [],
                "groupByCustomDetails": details,
            },
        })
    }
}
