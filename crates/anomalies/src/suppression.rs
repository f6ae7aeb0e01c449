//! One alert for one disturbance, and fewer the more there were.

use serde::{Deserialize, Serialize};

/// A point in the refractory period alerts all the same if it is this much rarer (orders of
/// magnitude) than anything since the alert.
const RARER_BY: f64 = 3.0;
/// Points over which that demand fades to a third.
const FATIGUE_POINTS: f64 = 1_000.0;

/// Remembers the alerts raised.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Suppression {
    last: Option<Raised>,
    /// Recent alerts, each worth less the longer ago it was.
    recent: f64,
}

/// The part of the options that suppression follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bar {
    /// The surprise from which a point alerts.
    pub(crate) threshold: f64,
    pub(crate) refractory_points: u32,
    pub(crate) fatigue: f64,
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
    /// Judges a point with this surprise. What does not alert is shown below the threshold, whatever
    /// its surprise.
    pub(crate) fn judge(&mut self, surprise: f64, bar: Bar) -> Verdict {
        self.recent *= (-1.0 / FATIGUE_POINTS).exp();
        let recovered = self.recover(surprise, bar.refractory_points);
        let shown = surprise - bar.fatigue * self.recent;
        if recovered.is_none() && shown >= bar.threshold {
            self.last = Some(Raised {
                points_ago: 0,
                peak: surprise,
            });
            self.recent += 1.0;
            return Verdict {
                alert: true,
                suppressed: false,
                shown,
            };
        }
        let ceiling = recovered.map_or(f64::INFINITY, |share| share * bar.threshold);
        Verdict {
            alert: false,
            suppressed: recovered.is_some() || surprise >= bar.threshold,
            shown: shown.min(ceiling).max(0.0),
        }
    }

    /// How much of the refractory period is over (below 1), or nothing if there is none now.
    fn recover(&mut self, surprise: f64, refractory: u32) -> Option<f64> {
        let raised = self.last.as_mut()?;
        raised.points_ago = raised.points_ago.saturating_add(1);
        if raised.points_ago >= refractory || surprise >= raised.peak + RARER_BY {
            return None;
        }
        raised.peak = raised.peak.max(surprise);
        Some(f64::from(raised.points_ago) / f64::from(refractory))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THRESHOLD: f64 = 2.5;

    fn judge(suppression: &mut Suppression, surprise: f64) -> Verdict {
        let bar = Bar {
            threshold: THRESHOLD,
            refractory_points: 100,
            fatigue: 0.2,
        };
        suppression.judge(surprise, bar)
    }

    fn pass(suppression: &mut Suppression, points: u32) {
        for _ in 0..points {
            assert!(!judge(suppression, 0.0).alert);
        }
    }

    #[test]
    fn neighbours_of_an_alert_are_held_down_and_recover() {
        let mut suppression = Suppression::default();
        assert!(judge(&mut suppression, 3.0).alert);
        let early = judge(&mut suppression, 4.0);
        pass(&mut suppression, 90);
        let late = judge(&mut suppression, 4.0);
        assert!(early.suppressed && late.suppressed);
        assert!(early.shown < late.shown && late.shown < THRESHOLD);
        pass(&mut suppression, 8);
        assert!(judge(&mut suppression, 3.0).alert);
    }

    #[test]
    fn something_far_rarer_alerts_even_so() {
        let mut suppression = Suppression::default();
        assert!(judge(&mut suppression, 3.0).alert);
        assert!(!judge(&mut suppression, 5.9).alert);
        assert!(!judge(&mut suppression, 8.0).alert);
        let mut suppression = Suppression::default();
        assert!(judge(&mut suppression, 3.0).alert);
        assert!(judge(&mut suppression, 6.0).alert);
    }

    #[test]
    fn many_alerts_raise_the_bar_and_time_lowers_it() {
        let mut suppression = Suppression::default();
        for _ in 0..3 {
            assert!(judge(&mut suppression, 3.2).alert);
            pass(&mut suppression, 100);
        }
        let tired = judge(&mut suppression, 2.6);
        assert!(!tired.alert && tired.suppressed && tired.shown < THRESHOLD);
        pass(&mut suppression, 3_000);
        assert!(judge(&mut suppression, 2.6).alert);
    }
}
