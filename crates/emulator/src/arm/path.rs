//! What a path speaks of. Keywords are compared without regard to case, as Azure does.

use http::StatusCode;

use super::ArmConfig;
use super::kinds::Kind;
use crate::answers::AzureError;

/// A collection, or a resource in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) kind: Kind,
    /// Resource id of the collection.
    pub(crate) collection: String,
    /// Name of the resource; empty for the collection itself.
    pub(crate) name: String,
}

impl Place {
    pub(crate) fn id(&self) -> String {
        format!("{}/{}", self.collection, self.name)
    }

    /// Id of the resource that this one lies below.
    pub(crate) fn parent(&self) -> &str {
        self.collection
            .rsplit_once('/')
            .map_or("", |(parent, _)| parent)
    }
}

/// A long-running operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) id: String,
    /// `Location` style: 202 until done, instead of a status.
    pub(crate) gives_result: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Workspace,
    Operation(Operation),
    Collection(Place),
    Resource(Place),
    Action(Place, String),
}

pub(crate) fn parse(path: &str, config: &ArmConfig) -> Result<Target, AzureError> {
    let parts: Vec<String> = path
        .split('/')
        .filter(|part| !part.is_empty())
        .map(decoded)
        .collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (subscription, rest) = after(&parts, "subscriptions").ok_or_else(|| unknown(path))?;
    if !subscription.eq_ignore_ascii_case(&config.subscription_id) {
        let message = format!("The subscription '{subscription}' could not be found.");
        return Err(missing("SubscriptionNotFound", message));
    }
    if let [keyword, _, kind, id] = rest
        && keyword.eq_ignore_ascii_case("providers")
        && kind.to_ascii_lowercase().starts_with("operation")
    {
        return Ok(Target::Operation(Operation {
            id: (*id).to_owned(),
            gives_result: kind.eq_ignore_ascii_case("operationresults"),
        }));
    }
    let (group, rest) = after(rest, "resourceGroups").ok_or_else(|| unknown(path))?;
    if !group.eq_ignore_ascii_case(&config.resource_group) {
        let message = format!("Resource group '{group}' could not be found.");
        return Err(missing("ResourceGroupNotFound", message));
    }
    let (provider, rest) = after(rest, "providers").ok_or_else(|| unknown(path))?;
    if provider.eq_ignore_ascii_case("Microsoft.Insights") {
        let base = format!("{}/providers/Microsoft.Insights", config.group_id());
        return within(&base, &Kind::IN_INSIGHTS, rest).ok_or_else(|| unknown(path));
    }
    let (workspace, rest) = after(rest, "workspaces").ok_or_else(|| unknown(path))?;
    if !workspace.eq_ignore_ascii_case(&config.workspace) {
        let message = format!(
            "The Resource 'Microsoft.OperationalInsights/workspaces/{workspace}' under resource group '{group}' was not found."
        );
        return Err(missing("ParentResourceNotFound", message));
    }
    let base = config.workspace_resource();
    if rest.is_empty() {
        return Ok(Target::Workspace);
    }
    let found = match after(rest, "providers") {
        Some((provider, rest)) if provider.eq_ignore_ascii_case("Microsoft.SecurityInsights") => {
            let base = format!("{base}/providers/Microsoft.SecurityInsights");
            within(&base, &Kind::IN_SENTINEL, rest)
        }
        _ => within(&base, &Kind::IN_WORKSPACE, rest),
    };
    found.ok_or_else(|| unknown(path))
}

fn within(base: &str, kinds: &[Kind], rest: &[&str]) -> Option<Target> {
    let (collection, rest) = rest.split_first()?;
    let kind = kinds
        .iter()
        .copied()
        .find(|kind| kind.collection().eq_ignore_ascii_case(collection))?;
    let place = |name: &str| Place {
        kind,
        collection: format!("{base}/{}", kind.collection()),
        name: name.to_owned(),
    };
    match rest {
        [] => Some(Target::Collection(place(""))),
        [name] => Some(Target::Resource(place(name))),
        [name, rest @ ..] => {
            let below = place(name);
            if let Some(target) = within(&below.id(), kind.children(), rest) {
                return Some(target);
            }
            match rest {
                [action] => Some(Target::Action(below, (*action).to_owned())),
                _ => None,
            }
        }
    }
}

/// The value after a keyword at the start, and what follows.
fn after<'p, 's>(parts: &'p [&'s str], keyword: &str) -> Option<(&'s str, &'p [&'s str])> {
    match parts {
        [first, value, rest @ ..] if first.eq_ignore_ascii_case(keyword) => Some((value, rest)),
        _ => None,
    }
}

fn decoded(part: &str) -> String {
    // a plus is a plus in a path
    let part = part.replace('+', "%2B");
    url::form_urlencoded::parse(format!("p={part}").as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

fn missing(code: &'static str, message: String) -> AzureError {
    AzureError::new(StatusCode::NOT_FOUND, code, message)
}

fn unknown(path: &str) -> AzureError {
    missing(
        "InvalidResourceType",
        format!("The resource type of '{path}' could not be found."),
    )
}
