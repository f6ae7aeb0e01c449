//! Names and marks: derived, so that the same declaration is always the same resource, and so that what
//! is ours can prove it.

use foretide_sentinel_arm::ContentKind;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::pack::PackOptions;

/// Shows in names that people see. It proves nothing: anybody may write it.
pub(crate) const PREFIX: &str = "Foretide: ";
/// Label of incidents that Foretide has a part in.
pub(crate) const LABEL: &str = "foretide";
/// Tag that bears the mark.
const TAG: &str = "managed-by";
const SHORT: usize = 12;

/// The GUID of a resource.
pub(crate) fn guid(workspace_id: &str, kind: &str, slug: &str) -> String {
    let workspace = workspace_id.to_ascii_lowercase();
    let name = format!("foretide/content{workspace}/{kind}/{slug}");
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string()
}

/// What tells one workspace from another in names that are shared by a resource group.
pub(crate) fn workspace_key(workspace_id: &str) -> String {
    let mut key = guid(workspace_id, "workspace", "mark").replace('-', "");
    key.truncate(SHORT);
    key
}

/// Proof that a resource was laid out by Foretide, for this workspace. A resource without it belongs to
/// somebody else, whatever its name and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark(String);

impl Mark {
    pub(crate) fn of(options: &PackOptions) -> Self {
        Self(format!("foretide/{}", workspace_key(&options.name_space)))
    }

    /// The mark itself.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// A description, or a title where there is no description, that bears the mark.
    pub(crate) fn on_text(&self, text: &str) -> String {
        format!("{text} [{}]", self.0)
    }

    /// Tags that bear it.
    pub(crate) fn on_tags(&self) -> Value {
        json!({ TAG: self.0 })
    }

    /// Tags of a saved search, which are a list, that bear it beside others.
    pub(crate) fn as_named_tag(&self) -> Value {
        json!({ "name": TAG, "value": self.0 })
    }

    /// Whether a resource bears it, in the place where its kind has room for it.
    pub(crate) fn is_on(&self, kind: ContentKind, actual: &Value) -> bool {
        let properties = &actual["properties"];
        let in_text = |text: &Value| {
            let marked = format!("[{}]", self.0);
            text.as_str().is_some_and(|text| text.contains(&marked))
        };
        match kind {
            ContentKind::Table => in_text(&properties["schema"]["description"]),
            ContentKind::AlertRule | ContentKind::SummaryRule => {
                in_text(&properties["description"])
            }
            ContentKind::AutomationRule => in_text(&properties["displayName"]),
            ContentKind::DataCollectionEndpoint
            | ContentKind::DataCollectionRule
            | ContentKind::Workbook => actual["tags"][TAG] == *self.0,
            ContentKind::SavedSearch => {
                let mut tags = properties["tags"].as_array().into_iter().flatten();
                tags.any(|tag| *tag == self.as_named_tag())
            }
            // the pack has none of these
            ContentKind::Watchlist | ContentKind::Bookmark => false,
        }
    }
}
