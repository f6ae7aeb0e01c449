//! History on a local clock: after a change of daylight saving the same local hour is the same
//! place in the week again.

use crate::week::HOURS_OF_WEEK;

/// Clock changes in one history, up or down; beyond it the hours of the week are no clock.
const MOST_CHANGES: usize = 8;

/// Values on a grid of local hours without gaps: the hour a spring change skips repeats the one
/// before, and of the two that an autumn change gives the later one stays.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LocalHistory {
    pub(crate) values: Vec<f64>,
    /// Hour of the week of the first value.
    pub(crate) phase: usize,
    /// Grid length after each hour of the history, so that cuts can be found again.
    ends: Vec<usize>,
}

/// Steps from one local hour to the next: zero and two at changes, one otherwise.
fn step(from: u8, to: u8, changes: &mut usize) -> usize {
    let step = (usize::from(to) + HOURS_OF_WEEK - usize::from(from)) % HOURS_OF_WEEK;
    if step == 1 {
        return 1;
    }
    *changes += 1;
    if *changes <= MOST_CHANGES && (step == 0 || step == 2) {
        step
    } else {
        1
    }
}

impl LocalHistory {
    /// Puts a history on its local clock. It must not be empty.
    pub(crate) fn new(values: &[f64], hour_of_week: &[u8]) -> Self {
        let mut local = Self {
            values: Vec::with_capacity(values.len() + 2),
            phase: usize::from(hour_of_week[0]),
            ends: Vec::with_capacity(values.len()),
        };
        let mut changes = 0;
        for (index, &value) in values.iter().enumerate() {
            let steps = match index.checked_sub(1) {
                None => 1,
                Some(before) => step(hour_of_week[before], hour_of_week[index], &mut changes),
            };
            match (steps, local.values.last().copied()) {
                (0, Some(_)) => {
                    local.values.pop();
                }
                (2, Some(before)) => local.values.push(before),
                _ => {}
            }
            local.values.push(value);
            local.ends.push(local.values.len());
        }
        local
    }

    /// What was known after `hours` hours of the history.
    pub(crate) fn known(&self, hours: usize) -> &[f64] {
        let end = hours.checked_sub(1).map_or(0, |last| self.ends[last]);
        &self.values[..end]
    }
}

/// Where the hours ahead lie on the local clock, counted from the first hour after the history.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Horizon {
    /// Grid position of each hour ahead.
    pub(crate) positions: Vec<usize>,
    /// Grid hours needed.
    pub(crate) length: usize,
}

impl Horizon {
    /// The hours `ahead` after a history that ended at local hour `last`.
    pub(crate) fn new(last: u8, ahead: &[u8]) -> Self {
        let (mut before, mut next, mut changes) = (last, 0, 0);
        let mut positions = Vec::with_capacity(ahead.len());
        for &hour in ahead {
            // The first grid hour ahead is number one after the history's end.
            next += step(before, hour, &mut changes);
            positions.push(next.saturating_sub(1));
            before = hour;
        }
        let length = positions.iter().max().map_or(0, |most| most + 1);
        Self { positions, length }
    }

    /// The hours ahead from values on the grid, as far as there are any.
    pub(crate) fn pick<T: Copy>(&self, grid: &[T]) -> Vec<T> {
        let known = self.positions.iter().map_while(|&at| grid.get(at));
        known.copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_changes_the_grid_is_the_history() {
        let local = LocalHistory::new(&[1.0, 2.0, 3.0], &[166, 167, 0]);
        assert_eq!(local.values, [1.0, 2.0, 3.0]);
        assert_eq!(local.known(2), [1.0, 2.0]);
        assert_eq!(Horizon::new(0, &[1, 2, 3]).positions, [0, 1, 2]);
    }

    #[test]
    fn a_skipped_hour_is_filled_and_a_doubled_one_merged() {
        let spring = LocalHistory::new(&[1.0, 2.0, 3.0], &[0, 2, 3]);
        assert_eq!(spring.values, [1.0, 1.0, 2.0, 3.0]);
        assert_eq!(spring.known(2), [1.0, 1.0, 2.0]);
        let autumn = LocalHistory::new(&[1.0, 2.0, 3.0], &[1, 1, 2]);
        assert_eq!(autumn.values, [2.0, 3.0]);
        assert_eq!(Horizon::new(0, &[1, 3, 4]).positions, [0, 2, 3]);
        assert_eq!(Horizon::new(0, &[1, 1, 2]).positions, [0, 0, 1]);
    }

    #[test]
    fn hours_that_are_no_clock_are_taken_one_by_one() {
        let stuck = LocalHistory::new(&[1.0; 50], &[7; 50]);
        assert!(stuck.values.len() >= 50 - MOST_CHANGES);
        assert_eq!(Horizon::new(7, &[7; 50]).positions.len(), 50);
    }
}
