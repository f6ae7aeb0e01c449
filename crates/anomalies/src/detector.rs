use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::cadence::Cadence;
use crate::expectation::{Expectation, Expectations};
use crate::features::{Features, Finding};
use crate::suppression::{Bar, Suppression};
use crate::tail::Tail;
use crate::{DetectorOptions, Observation, OptionsError, Reason};

/// Orders of magnitude that a score of 1 stands for.
const SCORE_SPAN: f64 = 6.0;
/// The rarest features that together say how unusual a point is: one alone may be chance, all of
/// them would drown an anomaly that shows in few.
const TOGETHER: usize = 3;
/// Points that are "lately". How unusual a point is is judged by these and by the whole history
/// alike: by these alone, nothing old would be remembered; by the whole alone, one wild day would
/// hide every later one.
const LATELY_POINTS: usize = 2_000;
/// A feature rarer than one in a hundred is a reason.
const REASON_FROM: f64 = 2.0;

/// Watches one series. It is its own state: serialise it, go on after a restart.
///
/// (JSON needs a reader that gets every digit back, as `serde_json` with `float_roundtrip` does.)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detector {
    options: DetectorOptions,
    cadence: Cadence,
    expectation: Expectation,
    features: Features,
    ever: Tail,
    lately: Tail,
    suppression: Suppression,
    points: u64,
}

impl Detector {
    /// A detector that has seen nothing yet.
    ///
    /// # Errors
    /// Names the first option that cannot be.
    pub fn new(options: DetectorOptions) -> Result<Self, OptionsError> {
        options.check()?;
        let history = options.history_points as usize;
        let expectation = Expectation::new(&options);
        Ok(Self {
            cadence: Cadence::default(),
            features: Features::new(expectation.predictors(), history),
            expectation,
            ever: Tail::new(history),
            lately: Tail::new(history.min(LATELY_POINTS)),
            suppression: Suppression::default(),
            points: 0,
            options,
        })
    }

    /// The score from which a point alerts.
    #[must_use]
    pub fn alert_score(&self) -> f64 {
        (self.threshold() / SCORE_SPAN).min(1.0)
    }

    fn threshold(&self) -> f64 {
        -self.options.alert_rate.log10()
    }

    /// Judges a value by what was seen before it, then learns it. Values come in order of time;
    /// repeated and earlier times are taken as the next point.
    pub fn observe(&mut self, at: DateTime<Utc>, value: f64) -> Observation {
        if !value.is_finite() {
            return unknown(at, value);
        }
        let gap = self.cadence.observe(at);
        let expectations = self.expectation.observe(at, value);
        let usual = self.usual(&expectations, value);
        let mut findings = self.features.observe(value, &expectations.residuals);
        findings.sort_by(|one, other| other.surprise.total_cmp(&one.surprise));
        let surprise = self.rarity(&findings);
        let bar = Bar {
            threshold: self.threshold(),
            refractory_points: self.options.refractory_points,
            fatigue: self.options.fatigue,
        };
        let verdict = self.suppression.judge(surprise, bar);
        let mut reasons = reasons(&findings);
        if gap.is_some() {
            reasons.push(Reason::AfterGap);
        }
        Observation {
            at,
            value,
            score: (verdict.shown / SCORE_SPAN).clamp(0.0, 1.0),
            tail_probability: 10_f64.powf(-surprise),
            expected: usual.expected,
            low: usual.low,
            high: usual.high,
            seasonal: usual.seasonal,
            alert: verdict.alert,
            suppressed: verdict.suppressed,
            reasons,
        }
    }

    /// What the best predictor said, within its usual errors; the value itself while nobody can say.
    fn usual(&self, expectations: &Expectations, value: f64) -> Usual {
        let Some(best) = expectations.best else {
            return Usual {
                expected: value,
                low: value,
                high: value,
                seasonal: false,
            };
        };
        let errors = self.features.usual_residuals(best.predictor);
        let (low, high) = errors.unwrap_or((0.0, 0.0));
        Usual {
            expected: best.value,
            low: best.value + low.min(0.0),
            high: best.value + high.max(0.0),
            seasonal: best.predictor > 0,
        }
    }

    /// How rare it is for the series' features to be, together, as unusual as this.
    fn rarity(&mut self, findings: &[Finding]) -> f64 {
        self.points += 1;
        let learning = u64::from(self.options.learning_points);
        if self.points <= learning {
            return 0.0;
        }
        let together = findings.iter().take(TOGETHER).map(|one| one.surprise);
        let unusual = together.sum::<f64>() / TOGETHER as f64;
        let ever = self.ever.surprise(unusual).above;
        let lately = self.lately.surprise(unusual).above;
        self.ever.push(unusual);
        self.lately.push(unusual);
        if self.points <= 2 * learning {
            return 0.0;
        }
        f64::midpoint(ever, lately)
    }
}

/// The interval a value was expected in.
struct Usual {
    expected: f64,
    low: f64,
    high: f64,
    seasonal: bool,
}

fn reasons(findings: &[Finding]) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for finding in findings {
        if finding.surprise >= REASON_FROM && !reasons.contains(&finding.reason) {
            reasons.push(finding.reason);
        }
    }
    reasons
}

fn unknown(at: DateTime<Utc>, value: f64) -> Observation {
    Observation {
        at,
        value,
        score: 0.0,
        tail_probability: 1.0,
        expected: f64::NAN,
        low: f64::NAN,
        high: f64::NAN,
        seasonal: false,
        alert: false,
        suppressed: false,
        reasons: vec![Reason::Missing],
    }
}

/// Judges a whole series as if it came point by point: each observation knows earlier points only.
///
/// # Errors
/// Names the first option that cannot be.
pub fn detect(
    points: impl IntoIterator<Item = (DateTime<Utc>, f64)>,
    options: DetectorOptions,
) -> Result<Vec<Observation>, OptionsError> {
    let mut detector = Detector::new(options)?;
    Ok(points
        .into_iter()
        .map(|(at, value)| detector.observe(at, value))
        .collect())
}
