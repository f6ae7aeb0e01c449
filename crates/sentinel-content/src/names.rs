//! Names: derived, so that the same declaration is always the same resource.

use uuid::Uuid;

/// Marks what is ours, in names that people see.
pub(crate) const PREFIX: &str = "Foretide: ";
/// Tag of resources that can bear one.
pub(crate) const TAG: &str = "managed-by";
/// Its value.
pub(crate) const TAG_VALUE: &str = "foretide";
/// Label of incidents that Foretide has a part in.
pub(crate) const LABEL: &str = "foretide";

/// The GUID of a resource.
pub(crate) fn guid(workspace_id: &str, kind: &str, slug: &str) -> String {
    let workspace = workspace_id.to_ascii_lowercase();
    let name = format!("foretide/content{workspace}/{kind}/{slug}");
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string()
}
