//! A use case is a declaration, not a copy of the pipeline.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::capacity::DeclaredCapacity;
use crate::series::Dimension;
use crate::table::Measure;

/// The six steps, always in this order and with these words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A workspace's history into hourly buckets.
    Ingest,
    /// Buckets and calendar into feature rows.
    Features,
    /// A training set into a champion.
    Train,
    /// A champion and fresh features into forecasts.
    Score,
    /// Forecasts beside what happened.
    Audit,
    /// Proposals for people to approve.
    Act,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Self; 6] = [
        Self::Ingest,
        Self::Features,
        Self::Train,
        Self::Score,
        Self::Audit,
        Self::Act,
    ];

    /// The step's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Features => "features",
            Self::Train => "train",
            Self::Score => "score",
            Self::Audit => "audit",
            Self::Act => "act",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|step| step.name() == text)
            .ok_or_else(|| format!("unknown step {text:?}"))
    }
}

/// How far a use case may go. Raised only by a person, lowered also by a failing gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Forecasts are written to our own tables; nothing else leaves.
    Shadow,
    /// Actions are proposed and done once a person has approved them.
    Assisted,
    /// Low-risk actions named in the policy are done by themselves.
    Proactive,
}

impl Phase {
    /// The phase's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Assisted => "assisted",
            Self::Proactive => "proactive",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Phase {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "shadow" => Ok(Self::Shadow),
            "assisted" => Ok(Self::Assisted),
            "proactive" => Ok(Self::Proactive),
            other => Err(format!(
                "unknown phase {other:?}: use shadow, assisted or proactive"
            )),
        }
    }
}

/// Name of a use case: lower-case letters, digits and underscores, beginning with a letter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UseCaseId(pub(crate) String);

impl UseCaseId {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UseCaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for UseCaseId {
    type Err = UseCaseError;

    fn from_str(text: &str) -> Result<Self, UseCaseError> {
        let begins_with_letter = text.chars().next().is_some_and(|c| c.is_ascii_lowercase());
        let only_word_characters = text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if begins_with_letter && only_word_characters && text.len() <= 64 {
            Ok(Self(text.to_owned()))
        } else {
            Err(UseCaseError::BadId(text.chars().take(64).collect()))
        }
    }
}

impl TryFrom<String> for UseCaseId {
    type Error = UseCaseError;

    fn try_from(text: String) -> Result<Self, UseCaseError> {
        text.parse()
    }
}

impl From<UseCaseId> for String {
    fn from(id: UseCaseId) -> Self {
        id.0
    }
}

/// What kind of model carries the use case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// Count or volume series to quantile paths.
    Forecast,
    /// High-risk periods of another use case's forecast: no model of its own.
    Periods,
    /// A list with calibrated probabilities.
    Ranking,
}

impl ModelKind {
    /// The kind's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Forecast => "forecast",
            Self::Periods => "periods",
            Self::Ranking => "ranking",
        }
    }
}

/// Which series are forecast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesSpec {
    /// What is counted.
    pub measure: Measure,
    /// One series for each set of dimensions and each of its values that has occurred, beside the
    /// total: `[[severity], [severity, product]]`.
    #[serde(default)]
    pub by: Vec<Vec<Dimension>>,
}

/// When a period counts as high-risk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// First hour ahead that is looked at.
    pub from_hours: u32,
    /// Hour ahead at which looking ends.
    pub to_hours: u32,
    /// Length of a window, hours.
    pub window_hours: u32,
    /// A window is raised when P(load > capacity) reaches this.
    pub probability: f64,
    /// What can be carried, as declared: incidents a window, or a roster. Without it the usual upper
    /// load is learned: what the same part of the week stays under in `usual_share` of past weeks,
    /// hours with announced events left out.
    #[serde(default)]
    pub capacity: Option<DeclaredCapacity>,
    /// Share of past windows of the same weekday that count as usual, for the learned capacity.
    #[serde(default = "default_usual_share")]
    pub usual_share: f64,
}

pub(crate) fn default_usual_share() -> f64 {
    0.95
}

/// What may be proposed. Closing alerts, disabling accounts and the like have no variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// An Adaptive Card in a Teams channel.
    TeamsNotice,
    /// An incident in Sentinel that says what is expected: one open a scope, updated, never closed.
    PlanningIncident,
}

impl ActionKind {
    /// The kind's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TeamsNotice => "teams_notice",
            Self::PlanningIncident => "planning_incident",
        }
    }

    /// The kind of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::TeamsNotice, Self::PlanningIncident]
            .into_iter()
            .find(|kind| kind.name() == word)
    }
}

impl fmt::Display for ActionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Declaration of a use case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UseCase {
    /// Its name.
    pub id: UseCaseId,
    /// One sentence for people.
    pub description: String,
    /// What kind of model carries it.
    pub model: ModelKind,
    /// The use case whose forecast it watches; only with the kind `periods`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<UseCaseId>,
    /// Which series are forecast.
    pub series: SeriesSpec,
    /// Name of the feature view.
    pub feature_view: String,
    /// Hours forecast.
    pub horizon_hours: u32,
    /// When a period counts as high-risk; without it none is looked for.
    #[serde(default)]
    pub trigger: Option<Trigger>,
    /// What may be proposed.
    #[serde(default)]
    pub actions: Vec<ActionKind>,
}

/// A use case that cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UseCaseError {
    /// Not a name.
    #[error(
        "use case id {0:?} must be lower-case letters, digits and underscores, at most 64, beginning with a letter"
    )]
    BadId(String),
    /// A field is out of bounds.
    #[error("use case {use_case}: {problem}")]
    Invalid {
        /// Which use case.
        use_case: UseCaseId,
        /// What is wrong.
        problem: ValidationProblem,
    },
}

/// A field, what it must be and what it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be {allowed}, got {got}")]
pub struct ValidationProblem {
    /// Dotted path of the field.
    pub field: &'static str,
    /// What is allowed, in words.
    pub allowed: &'static str,
    /// What was given.
    pub got: String,
}

impl UseCase {
    /// The use case whose model it is served by: its own, or that of the forecast it watches.
    #[must_use]
    pub fn modelled_by(&self) -> &UseCaseId {
        self.of.as_ref().unwrap_or(&self.id)
    }

    /// Checks use cases against each other, after [`UseCase::validate`] has been called on each.
    ///
    /// # Errors
    /// Names a use case that watches what is not there, is no forecast, counts something else or
    /// ends too early.
    pub fn validate_together(all: &[Self]) -> Result<(), UseCaseError> {
        let problems = all.iter().filter_map(|use_case| {
            let problem = use_case.problem_with_watched(all)?;
            Some((use_case, problem))
        });
        match problems.into_iter().next() {
            None => Ok(()),
            Some((use_case, problem)) => Err(UseCaseError::Invalid {
                use_case: use_case.id.clone(),
                problem,
            }),
        }
    }

    fn problem_with_watched(&self, all: &[Self]) -> Option<ValidationProblem> {
        let of = self.of.as_ref()?;
        let watched = all.iter().find(|other| other.id == *of);
        let fits = |watched: &&Self| {
            watched.model == ModelKind::Forecast
                && watched.series.measure == self.series.measure
                && watched.horizon_hours >= self.horizon_hours
        };
        watched.filter(fits).is_none().then(|| ValidationProblem {
            field: "of",
            allowed: "a use case of the kind forecast, of the same measure and at least as many hours ahead",
            got: of.to_string(),
        })
    }

    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// Names the first field that is out of bounds.
    pub fn validate(&self) -> Result<(), UseCaseError> {
        let problem = self.first_problem();
        problem.map_or(Ok(()), |problem| {
            Err(UseCaseError::Invalid {
                use_case: self.id.clone(),
                problem,
            })
        })
    }

    fn first_problem(&self) -> Option<ValidationProblem> {
        let refuse = |field, allowed, got: String| {
            Some(ValidationProblem {
                field,
                allowed,
                got,
            })
        };
        if self.model == ModelKind::Ranking {
            let allowed = "forecast or periods: no other kind is served yet";
            return refuse("model", allowed, "ranking".to_owned());
        }
        let watches = self.model == ModelKind::Periods;
        if watches != self.of.is_some() {
            let allowed = "given with model periods, and only there";
            let got = self.of.as_ref().map_or("nothing", UseCaseId::as_str);
            return refuse("of", allowed, got.to_owned());
        }
        if watches && self.trigger.is_none() {
            let allowed = "given with model periods";
            return refuse("trigger", allowed, "nothing".to_owned());
        }
        if watches && !self.series.by.is_empty() {
            let allowed = "left out with model periods: the total is watched";
            return refuse("series.by", allowed, self.series.by.len().to_string());
        }
        if !(1..=336).contains(&self.horizon_hours) {
            return refuse(
                "horizon_hours",
                "from 1 to 336",
                self.horizon_hours.to_string(),
            );
        }
        let trigger = self.trigger.as_ref()?;
        if !(trigger.probability > 0.0 && trigger.probability < 1.0) {
            return refuse(
                "trigger.probability",
                "above 0 and below 1",
                trigger.probability.to_string(),
            );
        }
        if !(trigger.usual_share > 0.5 && trigger.usual_share < 1.0) {
            return refuse(
                "trigger.usual_share",
                "above 0.5 and below 1",
                trigger.usual_share.to_string(),
            );
        }
        let capacity = trigger.capacity.as_ref();
        if let Some((allowed, got)) = capacity.and_then(DeclaredCapacity::problem) {
            return refuse("trigger.capacity", allowed, got);
        }
        if trigger.window_hours == 0 {
            return refuse("trigger.window_hours", "at least 1", "0".to_owned());
        }
        if trigger.to_hours > self.horizon_hours
            || trigger.from_hours + trigger.window_hours > trigger.to_hours
        {
            return refuse(
                "trigger",
                "from_hours + window_hours <= to_hours <= horizon_hours",
                format!(
                    "{} + {} .. {}",
                    trigger.from_hours, trigger.window_hours, trigger.to_hours
                ),
            );
        }
        None
    }

    /// The use cases that come with Foretide.
    ///
    /// # Panics
    /// Never: the declarations are checked by a test.
    #[must_use]
    pub fn built_in() -> Vec<Self> {
        crate::built_in::use_cases()
    }
}
