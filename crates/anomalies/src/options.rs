use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Season;

/// How a [`Detector`](crate::Detector) judges. The defaults are the ones measured in
/// `docs/ANOMALIES.md`; one setting serves every series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DetectorOptions {
    /// Share of points of an undisturbed series that may be rare enough to alert, above 0 and below
    /// 0.5. The realised rate is lower, since suppression joins neighbours into one
    /// alert and many alerts raise the bar.
    pub alert_rate: f64,
    /// Points after an alert in which no other one is raised, unless it is much rarer.
    pub refractory_points: u32,
    /// How much rarer, in orders of magnitude, each recent alert demands the next one to be; fades
    /// over a thousand points. 0 to 1; 0 turns it off.
    pub fatigue: f64,
    /// Points to learn from before anything is scored; at least 20.
    pub learning_points: u32,
    /// Points that make up "what was seen before", per feature; at least 200. Older ones are
    /// forgotten, which is how a detector gets used to a new normal.
    pub history_points: u32,
    /// Seasons that the series may have. `expected` is a season's only while it predicts better than
    /// the level.
    pub seasons: Vec<Season>,
}

impl Default for DetectorOptions {
    fn default() -> Self {
        Self {
            alert_rate: 0.004,
            refractory_points: 120,
            fatigue: 0.2,
            learning_points: 50,
            history_points: 8_192,
            seasons: vec![Season::Day, Season::Week],
        }
    }
}

/// A setting that cannot be.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum OptionsError {
    /// The rate of alerts is not a small share.
    #[error("alert_rate is {0}: give a share above 0 and below 0.5, for instance 0.004")]
    AlertRate(f64),
    /// Alerts would demand the impossible of the next ones, or make them more likely.
    #[error("fatigue is {0}: give 0 to 1, for instance 0.2")]
    Fatigue(f64),
    /// Too few points to know what is usual.
    #[error("learning_points is {0}: give at least 20")]
    LearningPoints(u32),
    /// Too few points to know what is rare.
    #[error("history_points is {0}: give at least 200, and no fewer than learning_points")]
    HistoryPoints(u32),
}

impl DetectorOptions {
    pub(crate) fn check(&self) -> Result<(), OptionsError> {
        if !(self.alert_rate > 0.0 && self.alert_rate < 0.5) {
            return Err(OptionsError::AlertRate(self.alert_rate));
        }
        if !(0.0..=1.0).contains(&self.fatigue) {
            return Err(OptionsError::Fatigue(self.fatigue));
        }
        if self.learning_points < 20 {
            return Err(OptionsError::LearningPoints(self.learning_points));
        }
        if self.history_points < self.learning_points.max(200) {
            return Err(OptionsError::HistoryPoints(self.history_points));
        }
        Ok(())
    }
}
