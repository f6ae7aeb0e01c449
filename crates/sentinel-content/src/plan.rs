//! From what is there to what should be there.

use foretide_domain::Phase;
use foretide_sentinel_arm::{ArmClient, ArmError, ContentBody, ContentKind};
use serde_json::Value;

use crate::diff::{Difference, differences};
use crate::names::{PREFIX, TAG, TAG_VALUE};
use crate::pack::{HeldBack, Pack, PackError, PackOptions};

/// What happens to one resource.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It is missing: it is made.
    Add,
    /// It differs: it is made as declared.
    Update(Vec<Difference>),
    /// It is as declared.
    Keep,
    /// It is ours and not wanted any more: it is deleted.
    Remove,
    /// Somebody else has something under our name. Nothing is done until a person has looked.
    Foreign,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanStep {
    /// What it is about.
    pub kind: ContentKind,
    /// Its name in Azure.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What happens.
    pub change: Change,
    /// What is written, bound to the version that was compared.
    body: Option<ContentBody>,
}

/// What would be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// In the order in which it can be done.
    pub steps: Vec<PlanStep>,
    /// What waits for a higher phase.
    pub held_back: Vec<HeldBack>,
}

/// A plan that could not be made or done.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The options make no pack.
    #[error(transparent)]
    Options(#[from] PackError),
    /// Azure did not take or give something. What was done before stays; the next plan goes on.
    #[error("{done} of {all} changes were made, then: {source}")]
    Stopped {
        /// Changes made before.
        done: usize,
        /// Changes of the plan.
        all: usize,
        /// What went wrong.
        source: ArmError,
    },
    /// The workspace could not be read.
    #[error(transparent)]
    Arm(#[from] ArmError),
    /// Something of another owner has our name.
    #[error("{what} is not Foretide's: rename or delete it, then plan again")]
    Foreign {
        /// Kind and name.
        what: String,
    },
}

impl Plan {
    /// Compares what is declared with what is there. Writes nothing.
    ///
    /// # Errors
    /// When the options are out of bounds or the workspace cannot be read.
    pub async fn make(client: &ArmClient, options: &PackOptions) -> Result<Self, ContentError> {
        let pack = Pack::declared(options)?;
        let mut steps = Vec::new();
        for item in &pack.items {
            let actual = client.content(item.kind, &item.name).await?;
            let (change, body) = match actual {
                None => (Change::Add, Some(item.body.clone())),
                Some(actual) if !is_ours(item.kind, &actual) => (Change::Foreign, None),
                Some(actual) => compared(item.kind, &actual, &item.body),
            };
            steps.push(PlanStep {
                kind: item.kind,
                name: item.name.clone(),
                title: item.title.clone(),
                change,
                body,
            });
        }
        let wanted = pack.names();
        let unwanted = Pack::every_name(options)?
            .into_iter()
            .filter(|known| !wanted.contains(&(known.kind, known.name.as_str())));
        steps.extend(removals(client, unwanted).await?);
        Ok(Self {
            steps,
            held_back: pack.held_back,
        })
    }

    /// What would be removed to leave nothing of ours behind; tables, and the rows in them, only
    /// `with_data`. Writes nothing.
    ///
    /// # Errors
    /// As [`Plan::make`].
    pub async fn removal(
        client: &ArmClient,
        options: &PackOptions,
        with_data: bool,
    ) -> Result<Self, ContentError> {
        let known = Pack::every_name(options)?.into_iter();
        let known = known.filter(|known| with_data || known.kind != ContentKind::Table);
        Ok(Self {
            steps: removals(client, known).await?,
            held_back: Vec::new(),
        })
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes() == 0
    }

    /// Steps that do something, those that are refused included.
    #[must_use]
    pub fn changes(&self) -> usize {
        let changes = self.steps.iter();
        changes.filter(|step| step.change != Change::Keep).count()
    }

    /// Does what the plan says and tells each step once it is done. What was changed since the plan was
    /// made is not overwritten.
    ///
    /// # Errors
    /// [`ContentError::Foreign`] before anything is written; [`ContentError::Stopped`] at the first step
    /// that fails.
    pub async fn apply(
        &self,
        client: &ArmClient,
        mut told: impl FnMut(&PlanStep),
    ) -> Result<usize, ContentError> {
        let foreign = self
            .steps
            .iter()
            .find(|step| step.change == Change::Foreign);
        if let Some(step) = foreign {
            return Err(ContentError::Foreign {
                what: format!("the {} {}", step.kind.label(), step.name),
            });
        }
        let mut done = 0;
        for step in &self.steps {
            let outcome = match (&step.change, &step.body) {
                (Change::Remove, _) => client
                    .delete_content(step.kind, &step.name)
                    .await
                    .map(|_| ()),
                (Change::Add | Change::Update(_), Some(body)) => client
                    .put_content(step.kind, &step.name, body)
                    .await
                    .map(|_| ()),
                _ => continue,
            };
            outcome.map_err(|source| ContentError::Stopped {
                done,
                all: self.changes(),
                source,
            })?;
            done += 1;
            told(step);
        }
        Ok(done)
    }

    /// The lowest phase in which something more would be laid out.
    #[must_use]
    pub fn next_phase(&self) -> Option<Phase> {
        self.held_back.iter().map(|held| held.needs).min()
    }
}

/// In the reverse order: what leans on others goes first.
async fn removals(
    client: &ArmClient,
    known: impl Iterator<Item = HeldBack>,
) -> Result<Vec<PlanStep>, ContentError> {
    let mut known: Vec<HeldBack> = known.collect();
    known.reverse();
    let mut steps = Vec::new();
    for HeldBack {
        kind, name, title, ..
    } in known
    {
        let actual = client.content(kind, &name).await?;
        if actual.is_some_and(|actual| is_ours(kind, &actual)) {
            steps.push(PlanStep {
                kind,
                name,
                title,
                change: Change::Remove,
                body: None,
            });
        }
    }
    Ok(steps)
}

fn compared(
    kind: ContentKind,
    actual: &Value,
    declared: &ContentBody,
) -> (Change, Option<ContentBody>) {
    let found = differences(actual, declared.value());
    if found.is_empty() {
        return (Change::Keep, None);
    }
    let body = if kind == ContentKind::Table {
        with_own_columns(actual, declared)
    } else {
        declared.clone()
    };
    let etag = actual["etag"].as_str();
    (Change::Update(found), Some(body.with_etag(etag)))
}

/// A table is written with the columns that people added to it: leaving them out would drop them.
fn with_own_columns(actual: &Value, declared: &ContentBody) -> ContentBody {
    const COLUMNS: &str = "/properties/schema/columns";
    let mut value = declared.value().clone();
    let there = actual.pointer(COLUMNS).and_then(Value::as_array);
    if let Some(Value::Array(columns)) = value.pointer_mut(COLUMNS) {
        for column in there.into_iter().flatten() {
            if !columns.iter().any(|ours| ours["name"] == column["name"]) {
                columns.push(column.clone());
            }
        }
    }
    crate::body::body(value)
}

/// Whether a resource under one of our names is ours. Names that are GUIDs derived from the workspace are
/// proof enough for most; the others must bear a mark.
fn is_ours(kind: ContentKind, actual: &Value) -> bool {
    let properties = &actual["properties"];
    let bears_prefix = properties["displayName"]
        .as_str()
        .is_some_and(|name| name.starts_with(PREFIX));
    let bears_tag = actual["tags"][TAG] == TAG_VALUE;
    match kind {
        ContentKind::DataCollectionEndpoint | ContentKind::DataCollectionRule => bears_tag,
        ContentKind::SavedSearch | ContentKind::SummaryRule => bears_prefix,
        ContentKind::Table => properties["schema"]["tableType"] == "CustomLog",
        ContentKind::Workbook
        | ContentKind::AlertRule
        | ContentKind::AutomationRule
        | ContentKind::Watchlist
        | ContentKind::Bookmark => true,
    }
}
