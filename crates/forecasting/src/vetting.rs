//! What of a history is believed: the hours since its source was connected, without absurd ones and
//! without those in which a busy source was silent.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::panel::TrainingPanel;
use crate::train::FEWEST_HOURS;
use crate::week::HOURS_OF_WEEK;

/// Fewest hours that stand for a source which has just been connected: two days.
const FEWEST_LIVE_HOURS: usize = 48;

/// Busy hours that the empty ones before the first event would have held at the pace since then, for
/// them to be taken as those of a source that was not there: chance has no share in so many.
const MISSED_HOURS: f64 = 20.0;

/// An hour this many times as high as every other is absurd: a flood, a test, a mistake.
const ABSURD_RATIO: f64 = 8.0;

/// Hours for each that may be absurd; more of them are a habit of the series.
const HOURS_FOR_ABSURD: usize = 1000;

/// Busy hours without which nobody can say what is usual.
const FEWEST_BUSY: usize = 24;

/// Surprise (minus the logarithm of its chance) from which on a run of empty hours is a source's
/// silence, not quiet: chance makes one in 70 billion.
const SILENT_SURPRISE: f64 = 25.0;

/// Earlier weeks whose same hours say how surprising an empty hour is.
const SILENT_WEEKS: usize = 4;

/// A silence that lasts longer is how things are now.
const LONGEST_SILENCE: usize = 72;

/// What is believed of the history of a series.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Vetting {
    /// Hours before the end of training since which its source is connected.
    pub live_hours: usize,
    /// Highest hour that was not absurd.
    pub highest: f64,
}

/// First hour at which anything happened, so that a product that came late is not thought silent
/// before. Where less than [`FEWEST_HOURS`] remain, silence is believed unless the series is so busy
/// since that it cannot have been there. Zero when nothing ever happened.
pub(crate) fn onset(values: &[f64]) -> usize {
    let is_busy = |value: &f64| *value > 0.0;
    let first = values.iter().position(is_busy).unwrap_or(0);
    let young = values.len().saturating_sub(FEWEST_HOURS);
    if first <= young {
        return first;
    }
    let live = &values[first..];
    let busy = live.iter().skip(1).filter(|value| is_busy(value)).count();
    let expected_busy = busy as f64 / live.len() as f64 * first as f64;
    if live.len() >= FEWEST_LIVE_HOURS && expected_busy >= MISSED_HOURS {
        first
    } else {
        young
    }
}

/// The hours that are absurd beside all others and beside the `highest` known before; and the
/// highest that is not.
fn absurd_hours(values: &[f64], highest: f64) -> (Vec<usize>, f64) {
    let most = (values.len() / HOURS_FOR_ABSURD).max(1);
    let mut top: Vec<usize> = Vec::with_capacity(most + 2);
    let mut busy = 0;
    for (hour, &value) in values.iter().enumerate().filter(|(_, value)| **value > 0.0) {
        busy += 1;
        let place = top.partition_point(|&other| values[other] >= value);
        if place <= most {
            top.insert(place, hour);
            top.truncate(most + 1);
        }
    }
    let is_absurd = |count: &usize| {
        let usual = highest.max(values[top[*count]]);
        values[top[*count - 1]] > ABSURD_RATIO * usual
    };
    // With the lowest step of all, so that one absurd hour does not hide another.
    let absurd = if busy < FEWEST_BUSY + top.len() {
        0
    } else {
        (1..top.len()).rev().find(is_absurd).unwrap_or(0)
    };
    let usual = top.get(absurd).map_or(0.0, |&hour| values[hour]);
    top.truncate(absurd);
    (top, usual.max(highest))
}

/// The empty hours in which a busy source was silent.
fn silent_hours(values: &[f64]) -> Vec<usize> {
    let mut silent: Vec<usize> = Vec::new();
    let mut hour = 0;
    for run in values.chunk_by(|one, next| (*one > 0.0) == (*next > 0.0)) {
        let hours = hour..hour + run.len();
        hour = hours.end;
        if run[0] > 0.0 || run.len() > LONGEST_SILENCE {
            continue;
        }
        let surprise = |hour: usize| {
            let weeks =
                (1..=SILENT_WEEKS).filter_map(|week| hour.checked_sub(week * HOURS_OF_WEEK));
            let seen = weeks.filter(|before| silent.binary_search(before).is_err());
            let (mut weeks, mut busy) = (0.0, 0.0);
            for before in seen {
                weeks += 1.0;
                busy += f64::from(u8::from(values[before] > 0.0));
            }
            if weeks > 0.0 {
                f64::ln((weeks + 1.0) / (weeks - busy + 0.5))
            } else {
                0.0
            }
        };
        if hours.clone().map(surprise).sum::<f64>() >= SILENT_SURPRISE {
            silent.extend(hours);
        }
    }
    silent
}

/// The same history with hours that are not believed as the same hour of another week was, or the
/// highest usual one.
fn without(values: &[f64], absurd: &[usize], highest: f64) -> Vec<f64> {
    let mut vetted = values.to_vec();
    for &hour in absurd {
        let apart = [HOURS_OF_WEEK, 24];
        let before = apart.iter().filter_map(|apart| hour.checked_sub(*apart));
        let after = apart.iter().map(|apart| hour + apart);
        let other = before
            .chain(after)
            .find(|other| *other < values.len() && !absurd.contains(other));
        vetted[hour] = other.map_or(highest, |other| values[other]);
    }
    vetted
}

impl Vetting {
    /// Learns from a history whose first hour that counts is `onset`; gives the hours that are not
    /// believed, too.
    fn learn(values: &[f64], onset: usize) -> (Self, Vec<usize>) {
        let live = &values[onset..];
        let (mut hours, highest) = absurd_hours(live, 0.0);
        let vetting = Self {
            live_hours: live.len(),
            highest,
        };
        hours.extend(silent_hours(live));
        for hour in &mut hours {
            *hour += onset;
        }
        (vetting, hours)
    }

    /// The hours of a fresh history that are believed, which ends `since_training` hours after
    /// training did: the first of them, and all from there.
    pub(crate) fn believed<'v>(
        &self,
        values: &'v [f64],
        since_training: i64,
    ) -> (usize, Cow<'v, [f64]>) {
        let live = (self.live_hours as i64).saturating_add(since_training);
        let live = usize::try_from(live).unwrap_or(0);
        let first = values.len().saturating_sub(live.max(FEWEST_LIVE_HOURS));
        let live = &values[first..];
        let (mut left_out, highest) = absurd_hours(live, self.highest);
        left_out.extend(silent_hours(live));
        let believed = match left_out.as_slice() {
            [] => Cow::Borrowed(live),
            left_out => Cow::Owned(without(live, left_out, highest)),
        };
        (first, believed)
    }
}

/// The hours of a history that are believed, as far as it goes: the first of them, and all from there.
pub(crate) fn believed(values: &[f64]) -> (usize, Cow<'_, [f64]>) {
    let onset = onset(values);
    let (vetting, absurd) = Vetting::learn(values, onset);
    let live = match absurd.as_slice() {
        [] => Cow::Borrowed(&values[onset..]),
        absurd => Cow::Owned(without(values, absurd, vetting.highest)[onset..].to_vec()),
    };
    (onset, live)
}

/// A panel as it is believed.
pub(crate) struct VettedPanel<'a> {
    /// Without hours that are not believed.
    pub(crate) panel: Cow<'a, TrainingPanel>,
    /// What is believed of each series.
    pub(crate) vettings: Vec<Vetting>,
    /// The hours of each series that are not believed, with what was seen in them.
    pub(crate) absurd: Vec<Vec<(usize, f64)>>,
}

/// Takes hours that are not believed out of a panel.
pub(crate) fn vetted(panel: &TrainingPanel) -> VettedPanel<'_> {
    let mut vetted = VettedPanel {
        panel: Cow::Borrowed(panel),
        vettings: vec![],
        absurd: vec![],
    };
    for (index, series) in panel.series.iter().enumerate() {
        let values = &series.values;
        let (vetting, hours) = Vetting::learn(values, onset(values));
        if !hours.is_empty() {
            let believed = without(values, &hours, vetting.highest);
            vetted.panel.to_mut().series[index].values = believed;
        }
        vetted.vettings.push(vetting);
        let seen = hours.iter().map(|&hour| (hour, values[hour]));
        vetted.absurd.push(seen.collect());
    }
    vetted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_hours_before_a_busy_source_are_no_history_and_those_of_a_rare_one_are() {
        let mut busy = vec![0.0; 1440];
        busy[1368..].fill(6.0);
        assert_eq!(onset(&busy), 1368);
        let mut rare = vec![0.0; 1440];
        rare[1400] = 1.0;
        assert_eq!(onset(&rare), 1440 - FEWEST_HOURS);
        assert_eq!(onset(&[0.0; 1440]), 0);
    }

    #[test]
    fn f9_a_silent_source_is_not_a_quiet_one() {
        let usual = |hour: usize| f64::from(u8::from(hour % 24 >= 8)) * (1 + hour % 3) as f64;
        let mut values: Vec<f64> = (0..2160).map(usual).collect();
        assert_eq!(silent_hours(&values), [0; 0], "nights are quiet");
        values[2136..].fill(0.0);
        assert_eq!(silent_hours(&values).len(), 24);
        let (first, live) = believed(&values);
        assert_eq!(live[2136 + 10 - first], usual(2136 + 10 - 168));
        // after three days it is how things are
        values[2060..].fill(0.0);
        assert_eq!(silent_hours(&values), [0; 0]);
        // a SOC of six a day may have none for a day
        let few: Vec<f64> = (0..2160)
            .map(|hour| f64::from(u8::from(hour % 4 == 0 && hour < 2136)))
            .collect();
        assert_eq!(silent_hours(&few), [0; 0]);
    }

    #[test]
    fn one_hour_beyond_all_others_is_absurd_and_a_habit_is_not() {
        let mut values: Vec<f64> = (0..2160).map(|hour| f64::from(hour % 9)).collect();
        values[700] = 3000.0;
        let (first, live) = believed(&values);
        assert_eq!((first, live[699]), (1, values[700 - 168]));
        for hour in [900, 1100, 1300] {
            values[hour] = 2500.0;
        }
        assert_eq!(believed(&values).1[699], 3000.0);
        let few = [0.0, 0.0, 1.0, 0.0, 40.0, 0.0];
        assert_eq!(believed(&few).1[4], 40.0);
    }
}
