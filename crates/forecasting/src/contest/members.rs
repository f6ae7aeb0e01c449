//! What the candidates say from each origin, and their weighted sum.

use super::origins::{History, Origin};
use crate::calibration::Calibration;
use crate::candidate::CandidateKind;
use crate::candidates::{Horizon, LocalHistory, STATE_CANDIDATES, Validation, validate};
use crate::climatology::Climatology;
use crate::intervals::Intervals;
use crate::model::SeriesParameters;
use crate::structural::{Link, Structural};

/// Hours of history below which climatology stands alone, but for what other series lend: three
/// weeks.
pub(super) const ENSEMBLE_HOURS: usize = 504;

/// What a candidate said from each origin.
pub(super) struct Member {
    pub(super) kind: CandidateKind,
    pub(super) points: Vec<Vec<f64>>,
}

/// Parameters without any candidate.
pub(crate) fn blank() -> SeriesParameters {
    SeriesParameters {
        weights: [0.0; CandidateKind::ALL.len()],
        climatology: Climatology::learn(&[], &[]),
        additive: Structural::absent(Link::Identity),
        multiplicative: Structural::absent(Link::Log),
        intervals: Intervals::NONE,
        climatology_share: 0.0,
        calibration: Calibration::NONE,
    }
}

/// What the state candidates say from each origin, the autoregressions as fitted to so many hours.
pub(super) fn state_members(
    history: &History<'_>,
    origins: &[Origin],
    fits: &[usize],
) -> (Validation, Vec<Member>) {
    let onset = history.onset;
    let local = LocalHistory::new(&history.values[onset..], &history.hour_of_week[onset..]);
    let horizons: Vec<Horizon> = origins
        .iter()
        .map(|origin| {
            let ahead = &history.hour_of_week[history.ahead_of(*origin)];
            Horizon::new(history.hour_of_week[origin.known - 1], ahead)
        })
        .collect();
    let cuts: Vec<(usize, f64)> = origins
        .iter()
        .map(|origin| (local.known(origin.known - onset).len(), origin.weight))
        .collect();
    let ahead = horizons
        .iter()
        .map(|horizon| horizon.length)
        .max()
        .unwrap_or(0);
    let fits: Vec<usize> = fits
        .iter()
        .map(|hours| local.known(hours - onset).len())
        .collect();
    let validation = validate(&local, &cuts, &fits, ahead);
    let points = |candidate: usize| {
        let from = |(horizon, points): (&Horizon, &Vec<Vec<f64>>)| horizon.pick(&points[candidate]);
        horizons.iter().zip(&validation.points).map(from).collect()
    };
    let is_long = history.values.len() - onset >= ENSEMBLE_HOURS;
    let members = STATE_CANDIDATES
        .iter()
        .enumerate()
        .filter(|(candidate, _)| is_long && validation.early.has(*candidate))
        .map(|(candidate, &kind)| Member {
            kind,
            points: points(candidate),
        })
        .collect();
    (validation, members)
}

pub(super) fn combined(members: &[Member], shares: &[f64]) -> Vec<Vec<f64>> {
    let mut sums: Vec<Vec<f64>> = members[0]
        .points
        .iter()
        .map(|p| vec![0.0; p.len()])
        .collect();
    for (member, share) in members
        .iter()
        .zip(shares)
        .filter(|(_, share)| **share > 0.0)
    {
        for (sums, points) in sums.iter_mut().zip(&member.points) {
            for (sum, point) in sums.iter_mut().zip(points) {
                *sum += share * point;
            }
        }
    }
    sums
}
