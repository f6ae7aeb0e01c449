//! One alert for one disturbance.

use serde::{Deserialize, Serialize};

/// A suppressed point alerts all the same if it is this much rarer (orders of magnitude) than the
/// rarest one since the alert.
const RARER_BY: f64 = 3.0;

/// Remembers the last alert.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Suppression {
    last: Option<Raised>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Raised {
    points_ago: u32,
    peak: f64,
}

/// What becomes of a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) alert: bool,
    pub(crate) suppressed: bool,
    /// The surprise to show.
    pub(crate) shown: f64,
}

impl Suppression {
    /// Judges a point with this surprise, where alerts start at `threshold`.
    pub(crate) fn judge(&mut self, surprise: f64, threshold: f64, refractory: u32) -> Verdict {
        if let Some(raised) = &mut self.last {
            raised.points_ago = raised.points_ago.saturating_add(1);
            if raised.points_ago < refractory && surprise < raised.peak + RARER_BY {
                raised.peak = raised.peak.max(surprise);
                let recovered = f64::from(raised.points_ago) / f64::from(refractory);
                return Verdict {
                    alert: false,
                    suppressed: true,
                    shown: surprise.min(threshold * recovered),
                };
            }
        }
        let alert = surprise >= threshold;
        if alert {
            self.last = Some(Raised {
                points_ago: 0,
                peak: surprise,
            });
        }
        Verdict {
            alert,
            suppressed: false,
            shown: surprise,
        }
    }
}
