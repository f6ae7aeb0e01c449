//! How late rows come in, and what follows for the counts of recent hours.

use chrono::{DateTime, TimeDelta, Utc};

use crate::HOUR;

/// Weight that a row seen this long ago has lost half of.
const HALF_LIFE: TimeDelta = TimeDelta::days(14);
/// Rows that must have been seen before a distribution says anything.
const ENOUGH: f64 = 50.0;
/// Parts an hour is looked at in.
const PARTS: i32 = 12;

/// The distribution of the lag between when something happened and when its row could be read, as
/// a histogram over classes of lag. Rows seen long ago weigh less (half after 14 days), so that it
/// follows a source that becomes slower or faster.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ArrivalLag {
    /// Upper end of each class in minutes, ascending, and the weight of the rows in it.
    classes: Vec<(u32, f64)>,
}

impl ArrivalLag {
    /// Of a histogram; classes of the same upper end are joined, weights that are no counts left
    /// out.
    #[must_use]
    pub fn new(classes: impl IntoIterator<Item = (u32, f64)>) -> Self {
        let mut lag = Self::default();
        for (upper, weight) in classes {
            lag.add(upper, weight);
        }
        lag
    }

    fn add(&mut self, upper: u32, weight: f64) {
        if !weight.is_finite() || weight <= 0.0 {
            return;
        }
        match self.classes.binary_search_by_key(&upper, |class| class.0) {
            Ok(at) => self.classes[at].1 += weight,
            Err(at) => self.classes.insert(at, (upper, weight)),
        }
    }

    /// The histogram.
    #[must_use]
    pub fn classes(&self) -> &[(u32, f64)] {
        &self.classes
    }

    /// Weight of all rows.
    #[must_use]
    pub fn weight(&self) -> f64 {
        self.classes.iter().map(|class| class.1).sum()
    }

    /// Whether enough rows have been seen to say anything.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.weight() >= ENOUGH
    }

    /// Takes in what came in `after` the rows known so far.
    pub fn learn(&mut self, newer: &Self, after: TimeDelta) {
        let age = after.max(TimeDelta::zero()).as_seconds_f64() / HALF_LIFE.as_seconds_f64();
        let kept = 0.5_f64.powf(age);
        for class in &mut self.classes {
            class.1 *= kept;
        }
        self.classes.retain(|class| class.1 > 1e-6);
        for (upper, weight) in &newer.classes {
            self.add(*upper, *weight);
        }
    }

    /// The share of rows that have come in this long after they happened, from 0 to 1; linear
    /// within a class.
    #[must_use]
    pub fn share_within(&self, age: TimeDelta) -> f64 {
        let total = self.weight();
        let minutes = age.as_seconds_f64() / 60.0;
        if total <= 0.0 {
            return 1.0;
        }
        let (mut below, mut lower) = (0.0, 0.0);
        for (upper, weight) in &self.classes {
            let upper = f64::from(*upper);
            if minutes < upper {
                let within = ((minutes - lower) / (upper - lower)).clamp(0.0, 1.0);
                return (below + within * weight) / total;
            }
            below += weight;
            lower = upper;
        }
        1.0
    }

    /// The lag within which this share of rows comes in, minutes; nothing when no row was seen.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<u32> {
        let wanted = share.clamp(0.0, 1.0) * self.weight();
        let mut below = 0.0;
        self.classes
            .iter()
            .find(|(_, weight)| {
                below += weight;
                below + 1e-9 >= wanted
            })
            .map(|class| class.0)
    }

    /// The probability that a row of an hour has come in by a moment, if things happen evenly over
    /// the hour: the expected share of that hour's count that is known then. 1 while too little is
    /// known to say.
    #[must_use]
    pub fn completeness(&self, hour: DateTime<Utc>, at: DateTime<Utc>) -> f64 {
        if !self.is_known() {
            return 1.0;
        }
        let shares = (0..PARTS).map(|part| {
            let moment = hour + HOUR * part / PARTS + HOUR / (2 * PARTS);
            if moment > at {
                0.0
            } else {
                self.share_within(at - moment)
            }
        });
        shares.sum::<f64>() / f64::from(PARTS)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hour() -> DateTime<Utc> {
        "2026-11-23T10:00:00Z".parse().expect("a constant")
    }

    fn mostly_fast() -> ArrivalLag {
        ArrivalLag::new([(5, 900.0), (60, 90.0), (1440, 10.0)])
    }

    #[test]
    fn an_hour_fills_up_while_rows_come_in() {
        let lag = mostly_fast();
        let after = |minutes| lag.completeness(hour(), hour() + TimeDelta::minutes(minutes));
        assert!(after(0) < 1e-9);
        assert!(after(60) > 0.8 && after(60) < 0.95, "{}", after(60));
        assert!(after(180) > 0.98 && after(180) < 1.0);
        assert!((after(3000) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn quantiles_are_upper_ends_of_classes() {
        let lag = mostly_fast();
        assert_eq!(lag.quantile(0.5), Some(5));
        assert_eq!(lag.quantile(0.95), Some(60));
        assert_eq!(lag.quantile(1.0), Some(1440));
        assert_eq!(ArrivalLag::default().quantile(0.5), None);
    }

    #[test]
    fn too_few_rows_say_nothing_and_old_ones_fade() {
        let few = ArrivalLag::new([(1440, 49.0)]);
        assert!((few.completeness(hour(), hour()) - 1.0).abs() < 1e-12);
        let mut lag = mostly_fast();
        let slower = ArrivalLag::new([(240, 1000.0)]);
        lag.learn(&slower, TimeDelta::days(28));
        assert!((lag.weight() - 1250.0).abs() < 1e-9);
        assert_eq!(lag.quantile(0.5), Some(240));
    }

    proptest! {
        #[test]
        fn completeness_grows_with_time_and_stays_a_probability(
            classes in prop::collection::vec((1_u32..100_000, 0.0_f64..1e6), 0..20),
            minutes in prop::collection::vec(-100_i64..200_000, 2..20),
        ) {
            let lag = ArrivalLag::new(classes);
            let mut minutes = minutes;
            minutes.sort_unstable();
            let mut last = 0.0;
            for minute in minutes {
                let share = lag.completeness(hour(), hour() + TimeDelta::minutes(minute));
                prop_assert!((0.0..=1.0 + 1e-12).contains(&share));
                prop_assert!(share >= last - 1e-12);
                last = share;
            }
        }
    }
}
