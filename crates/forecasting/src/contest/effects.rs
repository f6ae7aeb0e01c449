//! What the regressors do to candidates that do not know them.

use super::Contest;
use super::members::{Member, blank, combined, is_unaware};
use crate::model::RegressorRange;
use crate::structural::Structural;

/// Logarithm of the factor from which on a regressor's effect is worth knowing.
const SMALLEST_EFFECT: f64 = 0.15;

/// The days of the contest may hold few events: effects found in the whole history are believed as
/// long as they do not raise the error by more than this factor.
const EFFECT_TOLERANCE: f64 = 1.005;

/// Prophet-class models and what they were fitted on; absent where there was too little.
pub(crate) struct Structurals {
    pub(crate) additive: Option<Structural>,
    pub(crate) multiplicative: Option<Structural>,
    pub(crate) ranges: Vec<RegressorRange>,
    pub(crate) trained_to: usize,
}

impl Structurals {
    /// Whether a regressor moves counts by enough to be worth knowing.
    pub(super) fn have_effects(&self) -> bool {
        let effects = self.multiplicative.iter().flat_map(|model| &model.effects);
        effects
            .zip(&self.ranges)
            .any(|(effect, range)| (effect * (range.high - range.low)).abs() > SMALLEST_EFFECT)
    }
}

impl Contest<'_> {
    /// Whether the regressors' effects, found in the whole history, are to move the members that do
    /// not know them; if so, the ensemble's points with them.
    pub(super) fn with_effects(
        &self,
        points: &[Vec<f64>],
        members: &[Member],
        shares: &[f64],
    ) -> Option<Vec<Vec<f64>>> {
        let structural = self.structurals.multiplicative.as_ref()?;
        if self.history.regressors.is_empty() {
            return None;
        }
        let unaware: Vec<f64> = members
            .iter()
            .zip(shares)
            .map(|(member, share)| if is_unaware(member.kind) { *share } else { 0.0 })
            .collect();
        let unaware = combined(members, &unaware);
        let mut parameters = blank(self.history.regressors.len());
        parameters
            .multiplicative
            .effects
            .clone_from(&structural.effects);
        parameters.effect_share = 1.0;
        let mut moved = points.to_vec();
        for ((origin, moved), unaware) in self.origins.iter().zip(&mut moved).zip(&unaware) {
            let mut hours = moved.iter_mut().zip(unaware);
            self.history
                .each_row(*origin, self.structurals.trained_to, |row| {
                    let effect = parameters.effect(row, &self.structurals.ranges);
                    if let Some((point, unaware)) = hours.next() {
                        *point += unaware * effect.exp_m1();
                    }
                });
        }
        let is_no_worse = self.error(&moved) <= EFFECT_TOLERANCE * self.error(points);
        is_no_worse.then_some(moved)
    }
}
