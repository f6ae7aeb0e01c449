//! How rare a value is among those seen before: empirical ranks in the body, a generalised Pareto
//! distribution in the tail.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Rarity is not extrapolated beyond one in ten to the power of this: a few dozen excesses say
/// nothing about rarer events.
pub(crate) const MAX_SURPRISE: f64 = 10.0;

/// The largest part of the reference that counts as its tail.
const TAIL_SHARE: f64 = 0.02;
const TAIL_AT_LEAST: usize = 10;

/// The values a channel saw lately, in order of arrival and in order of size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub(crate) struct Tail {
    capacity: usize,
    arrived: VecDeque<f64>,
    sorted: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    capacity: usize,
    arrived: VecDeque<f64>,
}

impl From<Kept> for Tail {
    fn from(kept: Kept) -> Self {
        let mut sorted: Vec<f64> = kept.arrived.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        Self {
            capacity: kept.capacity,
            arrived: kept.arrived,
            sorted,
        }
    }
}

impl From<Tail> for Kept {
    fn from(tail: Tail) -> Self {
        Self {
            capacity: tail.capacity,
            arrived: tail.arrived,
        }
    }
}

/// Minus log10 of the probability of something at least as extreme, on each side.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Surprise {
    pub(crate) above: f64,
    pub(crate) below: f64,
}

impl Tail {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            arrived: VecDeque::new(),
            sorted: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, value: f64) {
        let place = self
            .sorted
            .partition_point(|kept| kept.total_cmp(&value).is_le());
        if self.arrived.len() == self.capacity
            && let Some(oldest) = self.arrived.pop_front()
        {
            self.replace(oldest, value, place);
        } else {
            self.sorted.insert(place, value);
        }
        self.arrived.push_back(value);
    }

    /// Puts `value` at `place` for `oldest`, moving only what lies between.
    fn replace(&mut self, oldest: f64, value: f64, place: usize) {
        let hole = self
            .sorted
            .partition_point(|kept| kept.total_cmp(&oldest).is_lt());
        if hole < place {
            self.sorted.copy_within(hole + 1..place, hole);
            self.sorted[place - 1] = value;
        } else {
            self.sorted.copy_within(place..hole, place + 1);
            self.sorted[place] = value;
        }
    }

    /// The empirical quantile at `level` (0 to 1), or nothing while empty.
    pub(crate) fn quantile(&self, level: f64) -> Option<f64> {
        let last = self.sorted.len().checked_sub(1)?;
        let position = level * last as f64;
        let below = position.floor() as usize;
        let above = position.ceil() as usize;
        let share = position - below as f64;
        Some(self.sorted[below] + share * (self.sorted[above] - self.sorted[below]))
    }

    pub(crate) fn surprise(&self, value: f64) -> Surprise {
        let count = self.sorted.len();
        let up = |rank: usize| self.sorted[count - 1 - rank];
        let down = |rank: usize| -self.sorted[rank];
        let at_least = count - self.sorted.partition_point(|kept| *kept < value);
        let at_most = self.sorted.partition_point(|kept| *kept <= value);
        Surprise {
            above: one_sided(count, at_least, value, up),
            below: one_sided(count, at_most, -value, down),
        }
    }
}

/// `largest(rank)` is the reference in falling order; `reached` of it are at least `value`.
fn one_sided(count: usize, reached: usize, value: f64, largest: impl Fn(usize) -> f64) -> f64 {
    let tail = ((count as f64 * TAIL_SHARE) as usize).max(TAIL_AT_LEAST);
    let rank_surprise = -((reached + 1) as f64 / (count + 1) as f64).log10();
    if reached >= tail || count <= 2 * tail {
        return rank_surprise;
    }
    let bound = largest(tail);
    let Some((shape, scale)) = pareto(tail, |rank| largest(rank) - bound) else {
        return rank_surprise;
    };
    let beyond = (value - bound) / scale;
    let log_survival = if shape.abs() < 1e-6 {
        -beyond
    } else {
        -(1.0 + shape * beyond).max(1e-12).ln() / shape
    };
    let extrapolated =
        -(tail as f64 / count as f64).log10() - log_survival / std::f64::consts::LN_10;
    extrapolated.clamp(0.0, MAX_SURPRISE)
}

/// Generalised Pareto shape and scale by probability-weighted moments (Hosking and Wallis 1987),
/// from `count` excesses in falling order. Nothing if they are all alike. The shape is held at or
/// above zero: a bounded tail would call the next small record impossible.
fn pareto(count: usize, excess: impl Fn(usize) -> f64) -> Option<(f64, f64)> {
    let n = count as f64;
    let mut mean = 0.0;
    let mut weighted = 0.0;
    for rank in 0..count {
        let value = excess(rank);
        mean += value / n;
        weighted += value * (rank as f64 + 0.35) / (n * n);
    }
    if mean <= 0.0 {
        return None;
    }
    let shape = (2.0 - mean / (mean - 2.0 * weighted)).clamp(0.0, 0.9);
    Some((shape, mean * (1.0 - shape)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tail_of(values: impl IntoIterator<Item = f64>) -> Tail {
        let mut tail = Tail::new(10_000);
        for value in values {
            tail.push(value);
        }
        tail
    }

    proptest! {
        #[test]
        fn the_reference_is_the_last_values_in_order(values in prop::collection::vec(-50_i32..50, 0..200), capacity in 1_usize..60) {
            let mut tail = Tail::new(capacity);
            for value in &values {
                tail.push(f64::from(*value));
            }
            let mut last: Vec<i32> = values[values.len().saturating_sub(capacity)..].to_vec();
            last.sort_unstable();
            let expected: Vec<f64> = last.into_iter().map(f64::from).collect();
            prop_assert_eq!(tail.sorted, expected);
        }

        #[test]
        fn a_larger_value_is_never_less_surprising(values in prop::collection::vec(-1e3_f64..1e3, 60..400), one in -4e3_f64..4e3, other in -4e3_f64..4e3) {
            let tail = tail_of(values);
            let (less, more) = (one.min(other), one.max(other));
            // Where ranks meet the fitted tail a step of the size of one rank may go back.
            let (less, more) = (tail.surprise(less), tail.surprise(more));
            prop_assert!(more.above >= less.above - 0.35, "{} {}", less.above, more.above);
            prop_assert!(more.below <= less.below + 0.35);
        }
    }

    #[test]
    fn an_exponential_tail_is_continued_at_its_own_pace() {
        let count = 5_000;
        let quantile = |rank: usize| -((rank as f64 + 0.5) / f64::from(count)).ln();
        let tail = tail_of((0..count as usize).map(quantile));
        for orders in [3.0, 4.0, 5.0] {
            let found = tail.surprise(orders * std::f64::consts::LN_10).above;
            assert!((found - orders).abs() < 0.25, "{found} for {orders}");
        }
    }

    #[test]
    fn a_heavy_tail_makes_the_same_value_less_surprising() {
        let heavy = tail_of((1..3_000).map(|rank| (3_000.0 / f64::from(rank)).powf(0.5)));
        let light = tail_of((1..3_000).map(|rank| (3_000.0 / f64::from(rank)).powf(0.1)));
        assert!(heavy.surprise(100.0).above + 2.0 < light.surprise(100.0).above);
    }

    #[test]
    fn what_always_was_so_is_no_surprise() {
        let tail = tail_of(std::iter::repeat_n(3.0, 500));
        let same = tail.surprise(3.0);
        assert!(same.above < 0.01 && same.below < 0.01);
        assert!(tail.surprise(3.1).above > 2.5);
        assert!(Tail::new(5).surprise(1.0).above < 0.01);
    }
}
