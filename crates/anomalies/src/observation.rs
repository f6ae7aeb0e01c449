use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// In what an observation was unusual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Among the highest values seen.
    HighValue,
    /// Among the lowest values seen.
    LowValue,
    /// Far above the last points' median.
    JumpUp,
    /// Far below the last points' median.
    JumpDown,
    /// Far above what the level or the season predicted.
    AboveExpected,
    /// Far below what the level or the season predicted.
    BelowExpected,
    /// The last points together are higher than ever: a level shift or a burst.
    LevelUp,
    /// The last points together are lower than ever.
    LevelDown,
    /// The last points together are above what was predicted: a broken season or a shift.
    StaysAboveExpected,
    /// The last points together are below what was predicted.
    StaysBelowExpected,
    /// The last points vary more than usual.
    Unsteady,
    /// The last points vary less than usual.
    Still,
    /// Values that used to stay the same change now.
    Changing,
    /// The same value again and again, for longer than usual.
    Flatline,
    /// The first point after a gap; windows start anew.
    AfterGap,
    /// The value was not a number; it was neither scored nor learnt.
    Missing,
}

impl Reason {
    /// The name in files and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HighValue => "high_value",
            Self::LowValue => "low_value",
            Self::JumpUp => "jump_up",
            Self::JumpDown => "jump_down",
            Self::AboveExpected => "above_expected",
            Self::BelowExpected => "below_expected",
            Self::LevelUp => "level_up",
            Self::LevelDown => "level_down",
            Self::StaysAboveExpected => "stays_above_expected",
            Self::StaysBelowExpected => "stays_below_expected",
            Self::Unsteady => "unsteady",
            Self::Still => "still",
            Self::Changing => "changing",
            Self::Flatline => "flatline",
            Self::AfterGap => "after_gap",
            Self::Missing => "missing",
        }
    }
}

/// What the detector says about one point, from that point and earlier ones only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// When the value was measured.
    pub at: DateTime<Utc>,
    /// The value itself.
    pub value: f64,
    /// 0 (usual) to 1: minus log10 of the tail probability, divided by 6, so that 0.5 is one in a
    /// thousand and 1 is one in a million or rarer. Held down while suppressed.
    pub score: f64,
    /// Estimated share of points at least as unusual as this one; 1 while learning. Not held down.
    pub tail_probability: f64,
    /// What was expected: by the level, or by a season where one predicts better.
    pub expected: f64,
    /// Lower end of the interval that 99% of values were in, around `expected`.
    pub low: f64,
    /// Upper end of that interval.
    pub high: f64,
    /// Whether `expected` is a season's.
    pub seasonal: bool,
    /// Whether an alert is raised at this point.
    pub alert: bool,
    /// Whether an alert raised a short while ago holds this score down.
    pub suppressed: bool,
    /// The most unusual features first; empty where nothing is unusual.
    pub reasons: Vec<Reason>,
}
