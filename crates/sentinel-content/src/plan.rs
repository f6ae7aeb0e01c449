//! From what is there to what should be there.

use foretide_domain::Phase;
use foretide_sentinel_arm::{ArmClient, ArmError, ContentBody, ContentKind};
use serde_json::Value;

use crate::diff::{Difference, differences};
use crate::names::Mark;
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
    /// A person or Sentinel switched the rule off: it is left alone, and this is done only when the rule
    /// is named ([`Plan::include`]).
    SwitchedOff(Box<Change>),
}

impl Change {
    fn does_something(&self) -> bool {
        !matches!(self, Self::Keep | Self::SwitchedOff(_))
    }
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

impl PlanStep {
    fn leave_if_switched_off(&mut self, actual: &Value) {
        let would_change = matches!(self.change, Change::Update(_) | Change::Remove);
        if would_change && is_switched_off(self.kind, actual) {
            let change = std::mem::replace(&mut self.change, Change::Keep);
            self.change = Change::SwitchedOff(Box::new(change));
        }
    }
}

/// What would be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What ours bears.
    mark: Mark,
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
    #[error(
        "{what} is not Foretide's: it does not bear the mark [{mark}]. Rename or delete it, then plan \
         again; if it is from an earlier Foretide, write the mark into its description or its tag managed-by"
    )]
    Foreign {
        /// Kind and name.
        what: String,
        /// What ours bears.
        mark: String,
    },
    /// No rule of the plan has that name, or nobody switched it off.
    #[error(
        "{0:?} is no switched-off rule of this plan: give the name or the title that plan shows"
    )]
    NotSwitchedOff(String),
}

impl Plan {
    /// Compares what is declared with what is there. Writes nothing.
    ///
    /// # Errors
    /// When the options are out of bounds or the workspace cannot be read.
    pub async fn make(client: &ArmClient, options: &PackOptions) -> Result<Self, ContentError> {
        let pack = Pack::declared(options)?;
        let mark = Mark::of(options);
        let mut steps = Vec::new();
        for item in &pack.items {
            let actual = client.content(item.kind, &item.name).await?;
            let (change, body) = match &actual {
                None => (Change::Add, Some(item.body.clone())),
                Some(actual) if !mark.is_on(item.kind, actual) => (Change::Foreign, None),
                Some(actual) => compared(item.kind, actual, &item.body),
            };
            let mut step = PlanStep {
                kind: item.kind,
                name: item.name.clone(),
                title: item.title.clone(),
                change,
                body,
            };
            step.leave_if_switched_off(actual.as_ref().unwrap_or(&Value::Null));
            steps.push(step);
        }
        let wanted = pack.names();
        let unwanted = Pack::every_name(options)?
            .into_iter()
            .filter(|known| !wanted.contains(&(known.kind, known.name.as_str())));
        let mut unwanted = removals(client, &mark, unwanted).await?;
        for (step, actual) in &mut unwanted {
            step.leave_if_switched_off(actual);
        }
        steps.extend(unwanted.into_iter().map(|(step, _)| step));
        Ok(Self {
            mark,
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
        let mark = Mark::of(options);
        let steps = removals(client, &mark, known).await?;
        Ok(Self {
            mark,
            steps: steps.into_iter().map(|(step, _)| step).collect(),
            held_back: Vec::new(),
        })
    }

    /// Does what is declared to a rule that somebody switched off, after all.
    ///
    /// # Errors
    /// [`ContentError::NotSwitchedOff`] when no such rule has that name or title.
    pub fn include(&mut self, name: &str) -> Result<(), ContentError> {
        let mut steps = self.steps.iter_mut();
        let found = steps.find(|step| {
            matches!(step.change, Change::SwitchedOff(_))
                && (step.name == name || step.title == name)
        });
        match found.map(|step| &mut step.change) {
            Some(change) => {
                if let Change::SwitchedOff(wanted) = change {
                    *change = std::mem::replace(wanted, Change::Keep);
                }
                Ok(())
            }
            None => Err(ContentError::NotSwitchedOff(name.to_owned())),
        }
    }

    /// Rules that somebody switched off and that are left alone.
    pub fn switched_off(&self) -> impl Iterator<Item = &PlanStep> {
        let steps = self.steps.iter();
        steps.filter(|step| matches!(step.change, Change::SwitchedOff(_)))
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes() == 0
    }

    /// Steps that do something, those that are refused included.
    #[must_use]
    pub fn changes(&self) -> usize {
        let does = |step: &&PlanStep| step.change.does_something();
        self.steps.iter().filter(does).count()
    }

    /// Does what the plan says and tells each step once it is done. What was changed since the plan was
    /// made is not overwritten, and what somebody else put there since is not touched.
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
            return Err(self.foreign(step));
        }
        let mut done = 0;
        for step in &self.steps {
            if !step.change.does_something() {
                continue;
            }
            let stopped = |source| ContentError::Stopped {
                done,
                all: self.changes(),
                source,
            };
            let now = client.content(step.kind, &step.name).await;
            let now = now.map_err(stopped)?;
            if now.is_some_and(|now| !self.mark.is_on(step.kind, &now)) {
                return Err(self.foreign(step));
            }
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
            outcome.map_err(stopped)?;
            done += 1;
            told(step);
        }
        Ok(done)
    }

    fn foreign(&self, step: &PlanStep) -> ContentError {
        ContentError::Foreign {
            what: format!("the {} {}", step.kind.label(), step.name),
            mark: self.mark.text().to_owned(),
        }
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
    mark: &Mark,
    known: impl Iterator<Item = HeldBack>,
) -> Result<Vec<(PlanStep, Value)>, ContentError> {
    let mut known: Vec<HeldBack> = known.collect();
    known.reverse();
    let mut steps = Vec::new();
    for HeldBack {
        kind, name, title, ..
    } in known
    {
        let actual = client.content(kind, &name).await?;
        if let Some(actual) = actual.filter(|actual| mark.is_on(kind, actual)) {
            let step = PlanStep {
                kind,
                name,
                title,
                change: Change::Remove,
                body: None,
            };
            steps.push((step, actual));
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

/// Whether somebody switched a rule of ours off since it was laid out: a person in the portal, or Sentinel
/// after repeated failures (`AUTO DISABLED`).
fn is_switched_off(kind: ContentKind, actual: &Value) -> bool {
    let properties = &actual["properties"];
    match kind {
        // as shadow lays it out it makes no incidents, either: nobody switched that off
        ContentKind::AlertRule => {
            properties["enabled"] == false
                && properties["incidentConfiguration"]["createIncident"] == true
        }
        ContentKind::AutomationRule => properties["triggeringLogic"]["isEnabled"] == false,
        _ => false,
    }
}
