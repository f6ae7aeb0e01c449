//! Automation rules, each with the phase it needs.

use foretide_domain::Phase;
use foretide_sentinel_arm::{
    AutomationAction, AutomationRule, Condition, ContentKind, Operator, Severity, TriggersOn,
    TriggersWhen,
};

use crate::analytics::{IN_WINDOW, SURGE};
use crate::names::{LABEL, Mark, PREFIX, guid};
use crate::pack::{Item, PackOptions};

/// One rule of the pack.
struct Declared {
    slug: &'static str,
    title: &'static str,
    needs: Phase,
    order: u16,
    /// Analytics rule whose incidents it is for.
    watches: &'static str,
    actions: Vec<AutomationAction>,
}

pub(crate) fn items(options: &PackOptions) -> Vec<Item> {
    let declared = declared(options).into_iter();
    declared
        .map(|rule| {
            // automation rules have no description: the title bears the mark
            let title = format!("{PREFIX}{}", rule.title);
            let conditions = vec![Condition {
                property: "IncidentRelatedAnalyticRuleIds",
                operator: Operator::Contains,
                values: vec![options.alert_rule_id(rule.watches)],
            }];
            let automation = AutomationRule {
                display_name: Mark::of(options).on_text(&title),
                order: rule.order,
                triggers_on: TriggersOn::Incidents,
                triggers_when: TriggersWhen::Created,
                conditions,
                actions: rule.actions,
            };
            Item {
                kind: ContentKind::AutomationRule,
                name: guid(&options.name_space, "automationRules", rule.slug),
                title,
                needs: rule.needs,
                body: automation
                    .body()
                    .expect("no action of the client closes an incident"),
            }
        })
        .collect()
}

fn declared(options: &PackOptions) -> Vec<Declared> {
    let mut rules = vec![
        Declared {
            slug: "tag-predicted-surge",
            title: "tag predicted surges",
            needs: Phase::Assisted,
            order: 100,
            watches: SURGE,
            actions: vec![
                AutomationAction::AddLabels(vec![
                    LABEL.to_owned(),
                    "foretide-planning".to_owned(),
                ]),
                AutomationAction::AddTask {
                    title: "Plan for the predicted surge".to_owned(),
                    description: "Look at the Foretide workbook: window, intervals and drivers. Decide \
                                  about the roster and what can wait, and write down what was decided."
                        .to_owned(),
                },
            ],
        },
        Declared {
            slug: "tag-alert-in-window",
            title: "tag alerts in a predicted window",
            needs: Phase::Assisted,
            order: 101,
            watches: IN_WINDOW,
            actions: vec![AutomationAction::AddLabels(vec![
                LABEL.to_owned(),
                "foretide-window".to_owned(),
            ])],
        },
        Declared {
            slug: "raise-severity-in-window",
            title: "raise severity in a predicted window",
            needs: Phase::Proactive,
            order: 102,
            watches: IN_WINDOW,
            actions: vec![AutomationAction::SetSeverity(Severity::High)],
        },
    ];
    if let Some(playbook) = &options.notify {
        rules.push(Declared {
            slug: "notify-predicted-surge",
            title: "notify about predicted surges",
            needs: Phase::Proactive,
            order: 103,
            watches: SURGE,
            actions: vec![AutomationAction::RunPlaybook {
                logic_app: playbook.logic_app.clone(),
                tenant: playbook.tenant.clone(),
            }],
        });
    }
    rules
}
