//! Automation rules, as far as Foretide has any use for them. None of their actions sets a status.

use foretide_domain::Severity;
use serde::Serialize;
use serde_json::{Value, json};

use crate::content::{ContentBody, WouldClose};

/// What sets a rule off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum TriggersOn {
    /// Incidents.
    Incidents,
    /// Alerts.
    Alerts,
}

/// When.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum TriggersWhen {
    /// When it is created.
    Created,
    /// When it is changed.
    Updated,
}

/// How a property is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Operator {
    /// Equals one of the values.
    Equals,
    /// Equals none of them.
    NotEquals,
    /// Contains one of them.
    Contains,
    /// Begins with one of them.
    StartsWith,
}

/// What must hold of the incident or alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Sentinel's name of the property, e.g. `IncidentTitle`.
    pub property: &'static str,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub values: Vec<String>,
}

/// What a rule does, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AutomationAction {
    /// Adds labels.
    AddLabels(Vec<String>),
    /// Sets the severity.
    SetSeverity(Severity),
    /// Adds a task for people.
    AddTask {
        /// Its title.
        title: String,
        /// What to do.
        description: String,
    },
    /// Runs a playbook.
    RunPlaybook {
        /// Resource id of the Logic App.
        logic_app: String,
        /// Its tenant.
        tenant: String,
    },
}

/// An automation rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutomationRule {
    /// Name that is shown; at most 500 characters.
    pub display_name: String,
    /// Place among the rules, 1 to 1,000.
    pub order: u16,
    /// What sets it off.
    pub triggers_on: TriggersOn,
    /// When.
    pub triggers_when: TriggersWhen,
    /// All of them must hold; at most 50.
    pub conditions: Vec<Condition>,
    /// At most 20.
    pub actions: Vec<AutomationAction>,
}

impl AutomationAction {
    fn body(&self, order: usize) -> Value {
        let (action_type, configuration) = match self {
            Self::AddLabels(labels) => {
                let labels: Vec<Value> = labels
                    .iter()
                    .map(|label| json!({ "labelName": label }))
                    .collect();
                ("ModifyProperties", json!({ "labels": labels }))
            }
            Self::SetSeverity(severity) => ("ModifyProperties", json!({ "severity": severity })),
            Self::AddTask { title, description } => (
                "AddIncidentTask",
                json!({ "title": title, "description": description }),
            ),
            Self::RunPlaybook { logic_app, tenant } => (
                "RunPlaybook",
                json!({ "logicAppResourceId": logic_app, "tenantId": tenant }),
            ),
        };
        json!({ "order": order, "actionType": action_type, "actionConfiguration": configuration })
    }
}

impl AutomationRule {
    /// What is written of it.
    ///
    /// # Errors
    /// Never for the actions there are; the gate is passed like any other write.
    pub fn body(&self) -> Result<ContentBody, WouldClose> {
        let conditions: Vec<Value> = self
            .conditions
            .iter()
            .map(|condition| {
                json!({ "conditionType": "Property", "conditionProperties": {
                    "propertyName": condition.property,
                    "operator": condition.operator,
                    "propertyValues": condition.values,
                }})
            })
            .collect();
        let actions = self.actions.iter().zip(1..);
        let actions: Vec<Value> = actions.map(|(action, order)| action.body(order)).collect();
        ContentBody::new(json!({ "properties": {
            "displayName": self.display_name,
            "order": self.order,
            "triggeringLogic": {
                "isEnabled": true,
                "triggersOn": self.triggers_on,
                "triggersWhen": self.triggers_when,
                "conditions": conditions,
            },
            "actions": actions,
        }}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_action_sets_a_status() {
        let rule = AutomationRule {
            display_name: "all actions".to_owned(),
            order: 1,
            triggers_on: TriggersOn::Incidents,
            triggers_when: TriggersWhen::Created,
            conditions: Vec::new(),
            actions: vec![
                AutomationAction::AddLabels(vec!["predicted".to_owned()]),
                AutomationAction::SetSeverity(Severity::High),
                AutomationAction::AddTask {
                    title: "t".to_owned(),
                    description: "d".to_owned(),
                },
                AutomationAction::RunPlaybook {
                    logic_app: "/x".to_owned(),
                    tenant: "t".to_owned(),
                },
            ],
        };
        let body = rule.body().unwrap();
        let text = body.value().to_string();
        assert!(
            !text.contains("status") && !text.contains("classification"),
            "{text}"
        );
        assert_eq!(body.value()["properties"]["actions"][3]["order"], 4);
    }
}
