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
        if self.arrived.len() == self.capacity
            && let Some(oldest) = self.arrived.pop_front()
        {
            let place = self
                .sorted
                .partition_point(|kept| kept.total_cmp(&oldest).is_lt());
            self.sorted.remove(place);
        }
        self.arrived.push_back(value);
        let place = self
            .sorted
            .partition_point(|kept| kept.total_cmp(&value).is_le());
        self.sorted.insert(place, value);
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
