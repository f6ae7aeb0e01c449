//! Quantiles of what happened, newer hours weighing more.

use foretide_domain::LEVELS;
use serde::{Deserialize, Serialize};

/// Half-lives of memory after which an hour no longer counts.
const REMEMBERED_HALF_LIVES: usize = 8;

/// Five quantiles at [`LEVELS`] and the mean of a sample or of what is made from it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Spread {
    /// Quantiles at the five levels.
    pub quantiles: [f64; 5],
    /// Mean.
    pub mean: f64,
}

impl Spread {
    /// All of it times a factor.
    #[must_use]
    pub fn times(&self, factor: f64) -> Self {
        Self {
            quantiles: self.quantiles.map(|value| value * factor),
            mean: self.mean * factor,
        }
    }
}

/// A history in rising order, so that what was known at any of its hours needs no more sorting.
pub(super) struct Sorted {
    by_value: Vec<(f64, usize)>,
}

impl Sorted {
    pub(super) fn new(values: &[f64]) -> Self {
        // As whole numbers, value first and then index, they sort without branches.
        let key = |(index, value): (u64, &f64)| {
            (i128::from(place_in_total_order(*value)) << u64::BITS) | i128::from(index)
        };
        let mut keys: Vec<i128> = (0..).zip(values).map(key).collect();
        keys.sort_unstable();
        let pair = |key: i128| {
            let index = key as u64 as usize;
            (values[index], index)
        };
        Self {
            by_value: keys.into_iter().map(pair).collect(),
        }
    }

    /// The newest `most` of the first `known` values.
    pub(super) fn as_of(&self, known: usize, most: usize) -> Aged {
        let first = known.saturating_sub(most);
        let inside = self
            .by_value
            .iter()
            .filter(|(_, index)| (first..known).contains(index));
        let sorted = inside
            .map(|&(value, index)| (value, known - 1 - index))
            .collect();
        Aged { sorted }
    }
}

/// A whole number that is in the order of [`f64::total_cmp`].
fn place_in_total_order(value: f64) -> i64 {
    let bits = value.to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

/// Values in rising order, each with its age in hours.
pub(super) struct Aged {
    sorted: Vec<(f64, usize)>,
}

impl Aged {
    /// The newest value comes last and has age zero.
    pub(super) fn new(values: &[f64]) -> Self {
        Sorted::new(values).as_of(values.len(), values.len())
    }

    /// Those younger than so many hours.
    fn younger_than(&self, hours: usize) -> Self {
        let young = self.sorted.iter().filter(|(_, age)| *age < hours);
        Self {
            sorted: young.copied().collect(),
        }
    }

    /// Spread under a memory's weights.
    pub(super) fn remembered(&self, memory: &Memory) -> Spread {
        self.weighted(|age| memory.weight(age))
    }

    /// Spreads under several memories, from the shortest to the longest: each looks only at what it
    /// remembers.
    pub(super) fn remembered_each<const N: usize>(&self, memories: &[Memory; N]) -> [Spread; N] {
        let mut spreads = [Spread::default(); N];
        let mut left: Option<Self> = None;
        for (spread, memory) in spreads.iter_mut().zip(memories).rev() {
            let remembered = left
                .as_ref()
                .unwrap_or(self)
                .younger_than(memory.weights.len());
            *spread = remembered.remembered(memory);
            left = Some(remembered);
        }
        spreads
    }

    /// Spread under any weights by age.
    pub(super) fn weighted(&self, weight: impl Fn(usize) -> f64) -> Spread {
        let (mut total, mut sum) = (0.0, 0.0);
        for &(value, age) in &self.sorted {
            let weight = weight(age);
            total += weight;
            sum += weight * value;
        }
        if total <= 0.0 {
            return Spread::default();
        }
        Spread {
            quantiles: quantiles(&self.sorted, &weight, total),
            mean: sum / total,
        }
    }

    /// Spread around each hour of the day that is wanted: an hour weighs what `memory` says of its
    /// age times `kernel` of its distance on the clock. `hour_of_day` goes by age.
    pub(super) fn around_each_hour(
        &self,
        memory: &Memory,
        kernel: &[f64; 24],
        hour_of_day: impl Fn(usize) -> usize,
        is_wanted: impl Fn(usize) -> bool,
    ) -> [Spread; 24] {
        // Each hour of the day by itself first: sums of 24 numbers instead of passes over all.
        let (mut totals, mut sums) = ([0.0; 24], [0.0; 24]);
        let mut remembered = Vec::with_capacity(self.sorted.len().min(memory.weights.len()));
        for &(value, age) in &self.sorted {
            let weight = memory.weight(age);
            if weight > 0.0 {
                let hour = hour_of_day(age);
                totals[hour] += weight;
                sums[hour] += weight * value;
                remembered.push((value, (weight, hour)));
            }
        }
        std::array::from_fn(|time| {
            if !is_wanted(time) {
                return Spread::default();
            }
            let near: [f64; 24] = std::array::from_fn(|hour| kernel[(hour + 24 - time) % 24]);
            let sum_of = |parts: &[f64; 24]| -> f64 {
                near.iter().zip(parts).map(|(near, part)| near * part).sum()
            };
            let total = sum_of(&totals);
            if total <= 0.0 {
                return Spread::default();
            }
            Spread {
                quantiles: quantiles(&remembered, &|(weight, hour)| weight * near[hour], total),
                mean: sum_of(&sums) / total,
            }
        })
    }
}

/// Linear between the middles of the values' weights; the outermost values end it.
fn quantiles<T: Copy>(sorted: &[(f64, T)], weight: &impl Fn(T) -> f64, total: f64) -> [f64; 5] {
    let wanted = LEVELS.map(|level| level * total);
    let mut quantiles = [0.0; 5];
    let mut next = 0;
    let mut passed = 0.0;
    let mut before: Option<(f64, f64)> = None;
    for &(value, key) in sorted {
        let weight = weight(key);
        if weight <= 0.0 {
            continue;
        }
        let middle = passed + 0.5 * weight;
        passed += weight;
        while next < LEVELS.len() && wanted[next] <= middle {
            quantiles[next] = before.map_or(value, |(position, lower)| {
                let share = (wanted[next] - position) / (middle - position);
                lower + share * (value - lower)
            });
            next += 1;
        }
        if next == LEVELS.len() {
            return quantiles;
        }
        before = Some((middle, value));
    }
    let highest = before.map_or(0.0, |(_, value)| value);
    quantiles[next..].fill(highest);
    quantiles
}

/// Weights by age that halve every so many hours.
pub(super) struct Memory {
    weights: Vec<f64>,
}

impl Memory {
    pub(super) fn halving_every(hours: usize) -> Self {
        Self::of_length(hours, REMEMBERED_HALF_LIVES * hours)
    }

    /// The same, of hours younger than `length` only.
    pub(super) fn of_length(hours: usize, length: usize) -> Self {
        let weights = (0..length)
            .map(|age| (-(age as f64) / hours as f64).exp2())
            .collect();
        Self { weights }
    }

    pub(super) fn weight(&self, age: usize) -> f64 {
        self.weights.get(age).copied().unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Aged, Memory, Sorted};

    #[test]
    fn equal_values_keep_the_order_of_their_hours() {
        let sorted = Sorted::new(&[2.0, -1.0, 0.0, 2.0, -0.5, 1e9]).by_value;
        let indices: Vec<usize> = sorted.iter().map(|(_, index)| *index).collect();
        assert_eq!(indices, [1, 4, 2, 0, 3, 5]);
        assert!(sorted.is_sorted_by(|a, b| a.0 <= b.0));
    }

    #[test]
    fn equal_weights_give_the_plain_quantiles() {
        let values: Vec<f64> = (0..=200).map(f64::from).collect();
        let spread = Aged::new(&values).weighted(|_| 1.0);
        assert!((spread.mean - 100.0).abs() < 1e-9);
        let expected = [4.525, 19.6, 100.0, 180.4, 195.475];
        for (quantile, expected) in spread.quantiles.into_iter().zip(expected) {
            assert!((quantile - expected).abs() < 1e-9, "{quantile} {expected}");
        }
    }

    #[test]
    fn new_hours_weigh_more_than_old_ones() {
        let values: Vec<f64> = [vec![10.0; 100], vec![20.0; 30]].concat();
        let spread = Aged::new(&values).remembered(&Memory::halving_every(10));
        assert!(spread.mean > 18.0 && spread.quantiles[2] == 20.0);
        assert_eq!(spread.quantiles[0], 10.0);
    }

    #[test]
    fn of_nothing_there_is_nothing_and_of_one_value_that_value() {
        assert_eq!(Aged::new(&[]).weighted(|_| 1.0).quantiles, [0.0; 5]);
        assert_eq!(Aged::new(&[3.0]).weighted(|_| 1.0).quantiles, [3.0; 5]);
        assert_eq!(Aged::new(&[3.0]).weighted(|_| 0.0).quantiles, [0.0; 5]);
    }
}
