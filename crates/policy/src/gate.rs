//! The three-valued gate: what evaluations say about a use case.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a gate says. Inconclusive neither promotes nor demotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All criteria are met.
    Pass,
    /// One is clearly missed.
    Fail,
    /// Not enough evidence, or neither met nor clearly missed.
    Inconclusive,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// What the gate asks for.
///
/// Shares are between 0 and 1. Intervals that cover more than `*_most` of the hours are too wide to pass
/// but do not fail: counts near zero are covered by almost any interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GateCriteria {
    /// Days with settled forecasts that there must be before anything is concluded.
    pub settled_days: u32,
    /// Least share of hours inside the 80% interval.
    pub coverage_80_least: f64,
    /// Largest share of hours inside the 80% interval.
    pub coverage_80_most: f64,
    /// Least share of hours inside the 95% interval.
    pub coverage_95_least: f64,
    /// Largest ratio of the pinball loss to that of seasonal naive.
    pub pinball_ratio_most: f64,
}

impl Default for GateCriteria {
    fn default() -> Self {
        Self {
            settled_days: 14,
            coverage_80_least: 0.70,
            coverage_80_most: 0.97,
            coverage_95_least: 0.88,
            pinball_ratio_most: 1.0,
        }
    }
}

/// What the newest evaluations of a use case add up to, hours weighing equally.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Evidence {
    /// Different days (UTC) on which evaluated forecasts begin.
    pub settled_days: u32,
    /// Hours evaluated.
    pub hours: u64,
    /// Share of them inside the 80% interval.
    pub coverage_80: f64,
    /// Share of them inside the 95% interval.
    pub coverage_95: f64,
    /// Mean pinball loss.
    pub pinball: f64,
    /// The same for seasonal naive over the same hours.
    pub naive_pinball: f64,
}

/// What the gate asks of the warnings of high-risk windows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WindowCriteria {
    /// Days with settled forecasts that there must be before anything is concluded.
    pub settled_days: u32,
    /// Windows that were warned of or exceeded that there must be before anything is concluded.
    pub events: u32,
    /// Least share of warnings that came true.
    pub precision_least: f64,
    /// Least share of exceeded windows that were warned of.
    pub recall_least: f64,
    /// Largest ratio of the probabilities' Brier score to that of the base rate. Up to 1 passes;
    /// between 1 and this nothing is concluded.
    pub brier_ratio_most: f64,
}

impl Default for WindowCriteria {
    fn default() -> Self {
        Self {
            settled_days: 14,
            events: 5,
            precision_least: 0.4,
            recall_least: 0.2,
            brier_ratio_most: 1.25,
        }
    }
}

/// What settled high-risk windows add up to.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct WindowEvidence {
    /// Different days (UTC) on which their forecasts were issued.
    pub settled_days: u32,
    /// Windows warned of that were exceeded.
    pub hits: u32,
    /// Windows exceeded without a warning.
    pub misses: u32,
    /// Windows warned of that were not exceeded.
    pub false_alarms: u32,
    /// Mean squared distance of the probabilities from what happened.
    pub brier: f64,
    /// The same of the base rate.
    pub base_rate_brier: f64,
}

/// What a verdict was reached on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum GateEvidence {
    /// Hours of forecasts.
    Hours(Evidence),
    /// High-risk windows.
    Windows(WindowEvidence),
}

/// A verdict and what led to it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GateReport {
    /// What the gate says.
    pub verdict: Verdict,
    /// One sentence for each criterion that was not met.
    pub reasons: Vec<String>,
    /// What it was judged on.
    pub evidence: GateEvidence,
}

/// Judges warnings of high-risk windows. Written so that NaN counts as missed.
#[must_use]
pub fn judge_windows(evidence: &WindowEvidence, criteria: &WindowCriteria) -> GateReport {
    let report = |verdict, reasons| GateReport {
        verdict,
        reasons,
        evidence: GateEvidence::Windows(*evidence),
    };
    if evidence.settled_days < criteria.settled_days {
        let (days, needed) = (evidence.settled_days, criteria.settled_days);
        let reason = format!("{days} of {needed} settled days");
        return report(Verdict::Inconclusive, vec![reason]);
    }
    let events = evidence.hits + evidence.misses + evidence.false_alarms;
    if events < criteria.events {
        let needed = criteria.events;
        let reason = format!("{events} of {needed} windows that were warned of or exceeded");
        return report(Verdict::Inconclusive, vec![reason]);
    }
    let failures = missed_by_warnings(evidence, criteria);
    if !failures.is_empty() {
        return report(Verdict::Fail, failures);
    }
    if evidence.brier > evidence.base_rate_brier {
        let reason = format!(
            "probabilities are no better than the base rate: Brier score {:.4} against {:.4}",
            evidence.brier, evidence.base_rate_brier
        );
        return report(Verdict::Inconclusive, vec![reason]);
    }
    report(Verdict::Pass, vec![])
}

fn missed_by_warnings(evidence: &WindowEvidence, criteria: &WindowCriteria) -> Vec<String> {
    let mut failures = Vec::new();
    let shares = [
        (
            "warnings that came true",
            evidence.false_alarms,
            criteria.precision_least,
        ),
        (
            "exceeded windows that were warned of",
            evidence.misses,
            criteria.recall_least,
        ),
    ];
    for (what, others, least) in shares {
        let all = evidence.hits + others;
        let share = f64::from(evidence.hits) / f64::from(all.max(1));
        let enough = all == 0 || share >= least;
        if !enough {
            let hits = evidence.hits;
            failures.push(format!(
                "share of {what} is {hits} of {all}, at least {least:.2} is asked for"
            ));
        }
    }
    let allowed = criteria.brier_ratio_most * evidence.base_rate_brier;
    let good_enough = evidence.brier <= allowed;
    if !good_enough {
        failures.push(format!(
            "probabilities are worse than the base rate: Brier score {:.4} is above {:.2} times {:.4}",
            evidence.brier, criteria.brier_ratio_most, evidence.base_rate_brier
        ));
    }
    failures
}

/// Judges hours of forecasts.
#[must_use]
pub fn judge(evidence: &Evidence, criteria: &GateCriteria) -> GateReport {
    let report = |verdict, reasons| GateReport {
        verdict,
        reasons,
        evidence: GateEvidence::Hours(*evidence),
    };
    if evidence.settled_days < criteria.settled_days || evidence.hours == 0 {
        let reason = format!(
            "{} of {} settled days",
            evidence.settled_days, criteria.settled_days
        );
        return report(Verdict::Inconclusive, vec![reason]);
    }
    let failures = missed(evidence, criteria);
    if !failures.is_empty() {
        return report(Verdict::Fail, failures);
    }
    if evidence.coverage_80 > criteria.coverage_80_most {
        let reason = format!(
            "80% intervals are too wide: they cover {:.3}, at most {:.3} passes",
            evidence.coverage_80, criteria.coverage_80_most
        );
        return report(Verdict::Inconclusive, vec![reason]);
    }
    report(Verdict::Pass, vec![])
}

/// The criteria that are clearly missed. Written so that NaN counts as missed.
fn missed(evidence: &Evidence, criteria: &GateCriteria) -> Vec<String> {
    let mut failures = Vec::new();
    let coverages = [
        ("80%", evidence.coverage_80, criteria.coverage_80_least),
        ("95%", evidence.coverage_95, criteria.coverage_95_least),
    ];
    for (name, coverage, least) in coverages {
        let enough = coverage >= least;
        if !enough {
            failures.push(format!(
                "{name} intervals cover {coverage:.3}, at least {least:.3} is asked for"
            ));
        }
    }
    let allowed = criteria.pinball_ratio_most * evidence.naive_pinball;
    let good_enough = evidence.pinball <= allowed;
    if !good_enough {
        failures.push(format!(
            "pinball loss {:.4} is above {:.2} times that of seasonal naive ({:.4})",
            evidence.pinball, criteria.pinball_ratio_most, evidence.naive_pinball
        ));
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Evidence {
        Evidence {
            settled_days: 20,
            hours: 480,
            coverage_80: 0.81,
            coverage_95: 0.95,
            pinball: 0.8,
            naive_pinball: 1.0,
        }
    }

    fn verdict(evidence: Evidence) -> Verdict {
        judge(&evidence, &GateCriteria::default()).verdict
    }

    #[test]
    fn three_verdicts() {
        assert_eq!(verdict(good()), Verdict::Pass);
        assert_eq!(
            verdict(Evidence {
                settled_days: 13,
                ..good()
            }),
            Verdict::Inconclusive
        );
        assert_eq!(
            verdict(Evidence { hours: 0, ..good() }),
            Verdict::Inconclusive
        );
        assert_eq!(
            verdict(Evidence {
                coverage_80: 0.99,
                ..good()
            }),
            Verdict::Inconclusive
        );
        assert_eq!(
            verdict(Evidence {
                coverage_80: 0.5,
                ..good()
            }),
            Verdict::Fail
        );
        assert_eq!(
            verdict(Evidence {
                coverage_95: 0.8,
                ..good()
            }),
            Verdict::Fail
        );
        assert_eq!(
            verdict(Evidence {
                pinball: 1.01,
                ..good()
            }),
            Verdict::Fail
        );
        assert_eq!(
            verdict(Evidence {
                pinball: 1.0,
                ..good()
            }),
            Verdict::Pass
        );
    }

    #[test]
    fn a_number_that_is_none_never_passes() {
        assert_eq!(
            verdict(Evidence {
                pinball: f64::NAN,
                ..good()
            }),
            Verdict::Fail
        );
        assert_eq!(
            verdict(Evidence {
                coverage_80: f64::NAN,
                ..good()
            }),
            Verdict::Fail
        );
    }

    fn warnings(hits: u32, misses: u32, false_alarms: u32, brier: f64) -> GateReport {
        let evidence = WindowEvidence {
            settled_days: 14,
            hits,
            misses,
            false_alarms,
            brier,
            base_rate_brier: 0.1,
        };
        judge_windows(&evidence, &WindowCriteria::default())
    }

    #[test]
    fn f11_warnings_are_judged_by_what_came_true() {
        assert_eq!(warnings(5, 2, 2, 0.08).verdict, Verdict::Pass);
        assert_eq!(warnings(5, 2, 2, 0.11).verdict, Verdict::Inconclusive);
        assert_eq!(warnings(5, 2, 2, 0.2).verdict, Verdict::Fail);
        assert_eq!(warnings(2, 0, 8, 0.08).verdict, Verdict::Fail);
        assert_eq!(warnings(1, 9, 0, 0.08).verdict, Verdict::Fail);
        assert_eq!(warnings(0, 9, 0, 0.08).verdict, Verdict::Fail);
        assert_eq!(warnings(5, 2, 2, f64::NAN).verdict, Verdict::Fail);
        assert_eq!(warnings(1, 1, 1, 0.08).verdict, Verdict::Inconclusive);
        let young = WindowEvidence {
            settled_days: 11,
            ..WindowEvidence::default()
        };
        let report = judge_windows(&young, &WindowCriteria::default());
        assert_eq!(report.reasons, ["11 of 14 settled days"]);
        let bad = warnings(1, 9, 9, 0.9);
        assert_eq!(bad.reasons.len(), 3, "{:?}", bad.reasons);
    }

    #[test]
    fn every_missed_criterion_is_told() {
        let bad = Evidence {
            coverage_80: 0.1,
            coverage_95: 0.2,
            pinball: 9.0,
            ..good()
        };
        assert_eq!(judge(&bad, &GateCriteria::default()).reasons.len(), 3);
    }
}
