//! The whole of what is laid out, for one workspace and phase.

use std::collections::HashSet;

use foretide_domain::Phase;
use foretide_sentinel_arm::{ArmClient, ContentBody, ContentKind};
use serde::Deserialize;

use crate::analytics::rule_name;
use crate::tables::tables;
use crate::{analytics, automation, collection, hunting, workbook};

/// How rows get into the workspace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// To the data collection rule's own endpoint.
    #[default]
    Direct,
    /// Through a data collection endpoint, as private link wants it.
    Endpoint,
}

/// The playbook that tells people.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// Resource id of the Logic App. Sentinel's own application needs Microsoft Sentinel Automation
    /// Contributor on its resource group.
    pub logic_app: String,
    /// Its tenant.
    pub tenant: String,
}

/// What the pack depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackOptions {
    /// Resource id of the workspace, or an expression that gives it in a template.
    pub workspace_id: String,
    /// Resource id of the resource group, or the like.
    pub group_id: String,
    /// What names are derived from: the workspace's resource id.
    pub name_space: String,
    /// Where rules and workbook lie.
    pub location: String,
    /// How far Foretide may go: automation rules that need more are held back.
    pub phase: Phase,
    /// How rows get in.
    pub delivery: Delivery,
    /// Days that our rows are kept, 30 to 4,383.
    pub retention_days: u16,
    /// Who is told about predicted surges; nobody without it.
    pub notify: Option<Playbook>,
}

/// One resource that should be there.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// What it is.
    pub kind: ContentKind,
    /// Its name in Azure.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// The phase from which on it is laid out.
    pub needs: Phase,
    /// What is written.
    pub body: ContentBody,
}

/// A resource that waits for a higher phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBack {
    /// What it is.
    pub kind: ContentKind,
    /// Its name in Azure.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// The phase it needs.
    pub needs: Phase,
}

/// Everything that should be there, in the order in which it can be laid out.
#[derive(Debug, Clone, PartialEq)]
pub struct Pack {
    /// What is laid out.
    pub items: Vec<Item>,
    /// What waits for a higher phase, and is removed when it is there from before.
    pub held_back: Vec<HeldBack>,
}

/// Options that make no pack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// Not a number of days that tables take.
    #[error("retention_days must be from 30 to 4383, got {0}")]
    Retention(u16),
    /// Not a location.
    #[error("location must be the name of a region, e.g. westeurope, got {0:?}")]
    Location(String),
}

impl PackOptions {
    /// Options for the workspace of a client, with everything else as usual: shadow, direct, 400 days.
    #[must_use]
    pub fn of(client: &ArmClient, location: &str) -> Self {
        let workspace = client.workspace();
        Self {
            workspace_id: workspace.workspace_id(),
            group_id: workspace.group_id(),
            name_space: workspace.workspace_id(),
            location: location.to_owned(),
            phase: Phase::Shadow,
            delivery: Delivery::Direct,
            retention_days: 400,
            notify: None,
        }
    }

    fn check(&self) -> Result<(), PackError> {
        if !(30..=4_383).contains(&self.retention_days) {
            return Err(PackError::Retention(self.retention_days));
        }
        if self.location.trim().is_empty() {
            return Err(PackError::Location(self.location.clone()));
        }
        Ok(())
    }

    pub(crate) fn endpoint_id(&self) -> String {
        below(
            &self.group_id,
            &format!(
                "/providers/Microsoft.Insights/dataCollectionEndpoints/{}",
                collection::endpoint_name(&self.name_space)
            ),
        )
    }

    pub(crate) fn alert_rule_id(&self, slug: &str) -> String {
        let name = rule_name(self, slug);
        below(
            &self.workspace_id,
            &format!("/providers/Microsoft.SecurityInsights/alertRules/{name}"),
        )
    }
}

/// An id below another, which may be a template's expression.
fn below(id: &str, path: &str) -> String {
    match id.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(expression) => format!("[concat({expression}, '{path}')]"),
        None => format!("{id}{path}"),
    }
}

impl Pack {
    /// What should be there.
    ///
    /// # Errors
    /// When an option is out of bounds.
    pub fn declared(options: &PackOptions) -> Result<Self, PackError> {
        options.check()?;
        let tables = tables();
        let mut all: Vec<Item> = tables
            .iter()
            .map(|table| Item {
                kind: ContentKind::Table,
                name: table.name.clone(),
                title: table.name.clone(),
                needs: Phase::Shadow,
                body: table.body(options),
            })
            .collect();
        all.extend(collection::items(options, &tables));
        all.extend(hunting::items(options));
        all.extend(workbook::items(options));
        all.extend(analytics::items(options));
        all.extend(automation::items(options));
        let (items, waiting): (Vec<Item>, Vec<Item>) = all
            .into_iter()
            .partition(|item| item.needs <= options.phase);
        let held_back = waiting.into_iter().map(|item| HeldBack {
            kind: item.kind,
            name: item.name,
            title: item.title,
            needs: item.needs,
        });
        Ok(Self {
            items,
            held_back: held_back.collect(),
        })
    }

    /// Names that this pack ever uses, with whatever options.
    pub(crate) fn every_name(options: &PackOptions) -> Result<Vec<HeldBack>, PackError> {
        let nobody = || Playbook {
            logic_app: String::new(),
            tenant: String::new(),
        };
        let widest = PackOptions {
            phase: Phase::Proactive,
            delivery: Delivery::Endpoint,
            notify: Some(options.notify.clone().unwrap_or_else(nobody)),
            ..options.clone()
        };
        let items = Self::declared(&widest)?.items.into_iter();
        Ok(items
            .map(|item| HeldBack {
                kind: item.kind,
                name: item.name,
                title: item.title,
                needs: item.needs,
            })
            .collect())
    }

    pub(crate) fn names(&self) -> HashSet<(ContentKind, &str)> {
        let items = self.items.iter();
        items.map(|item| (item.kind, item.name.as_str())).collect()
    }
}
