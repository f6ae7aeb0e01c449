//! How the hours of the week differ, as far as the history makes sure of it.

use serde::{Deserialize, Serialize};

use crate::statistics::{mean, quantile, variance};
use crate::week::HOURS_OF_WEEK;

/// Share of the long-run mean in every level, so that a quiet month does not promise silence.
const ANCHOR_SHARE: f64 = 0.05;

/// Values beyond this quantile, times [`CAP_FACTOR`], are taken as that for shapes and levels.
const CAP_LEVEL: f64 = 0.975;
const CAP_FACTOR: f64 = 1.5;

/// Ratios beyond this quantile of them, by one level more, are bursts: of twelve weeks each hour of the
/// week is there twelve times, so one burst would be remembered as a peak of that hour.
const BURST_LEVEL: f64 = 0.9;

/// Smallest factor of an hour, so that dividing by it keeps its sense.
const SMALLEST_FACTOR: f64 = 0.05;

/// Factors of hours are smoothed over neighbouring hours with these weights.
const SMOOTHING: [f64; 3] = [0.25, 0.5, 0.25];

/// Hours of the week in groups that may each have an effect of their own.
type Grouping = (usize, fn(usize) -> usize);

/// Workdays and weekends come before the days: one difference is sure long before seven are. Single
/// hours of the week come last: what is left for them is that days differ in shape, not in level.
const GROUPINGS: [Grouping; 4] = [
    (24, |hour| hour % 24),
    (2, |hour| usize::from(hour / 24 >= 5)),
    (7, |hour| hour / 24),
    (HOURS_OF_WEEK, |hour| hour),
];

/// Squared standard errors from which on the difference of two groups is taken as it is: drawing
/// what is sure towards nothing only moves it.
const SURE: f64 = 9.0;

/// Factors of the 168 hours of the week around a level; their mean is one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Factors")]
pub struct WeekProfile {
    factors: Vec<f64>,
}

/// Factors as they are read, from an artefact that may be anyone's.
#[derive(Deserialize)]
struct Factors {
    factors: Vec<f64>,
}

impl TryFrom<Factors> for WeekProfile {
    type Error = &'static str;

    fn try_from(Factors { factors }: Factors) -> Result<Self, Self::Error> {
        let are_factors = factors
            .iter()
            .all(|factor| factor.is_finite() && *factor > 0.0);
        if factors.len() == HOURS_OF_WEEK && are_factors {
            Ok(Self { factors })
        } else {
            Err("a profile of the week needs 168 factors above zero")
        }
    }
}

/// The first layer that is learned without what is a burst for its hour of the day.
const AFTER_HOURS_OF_DAY: usize = 1;

/// What the other series of a use case show, for a series that is too young to show it itself.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfilePrior {
    /// The week as the series together show it.
    pub profile: WeekProfile,
    /// How far single series fall from it: the variance of their relative effects by hour of the
    /// day, by workday or weekend, and by weekday.
    pub variances: [f64; GROUPINGS.len()],
}

/// The highest value that is not a burst, of hours in which something happened: where little happens,
/// the quantile of all hours would call every event one.
pub(super) fn highest_usual(values: &[f64]) -> f64 {
    let mut eventful: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| *value > 0.0)
        .collect();
    if eventful.is_empty() {
        return 1.0;
    }
    quantile(&mut eventful, CAP_LEVEL) * CAP_FACTOR + 1.0
}

/// Values as shapes and levels are learned from: without bursts.
fn capped(values: &[f64]) -> Vec<f64> {
    let cap = highest_usual(values);
    values.iter().map(|value| value.min(cap)).collect()
}

impl Default for WeekProfile {
    fn default() -> Self {
        Self::flat()
    }
}

impl WeekProfile {
    /// All hours alike.
    #[must_use]
    pub fn flat() -> Self {
        Self {
            factors: vec![1.0; HOURS_OF_WEEK],
        }
    }

    /// Factor of an hour of the week.
    #[must_use]
    pub fn factor(&self, hour_of_week: usize) -> f64 {
        self.factors[hour_of_week]
    }

    /// What of [`Self::factor`] is due to the hour of the day, whatever the weekday.
    #[must_use]
    pub fn daily_factor(&self, hour_of_week: usize) -> f64 {
        let days = (0..7).map(|day| self.factors[day * 24 + hour_of_week % 24]);
        days.sum::<f64>() / 7.0
    }

    /// Learns from hourly values by empirical Bayes (James-Stein): the effect of each hour of the
    /// day, then of workdays and weekends, then of each weekday, is believed as far as the effects
    /// differ by more than chance makes them. With a prior it starts from the other series' week, and how far it moves away
    /// follows from how far they fall from each other and from how long the history is.
    #[must_use]
    pub fn learn(values: &[f64], hour_of_week: &[u8], prior: Option<&ProfilePrior>) -> Self {
        let mut profile = prior.map_or_else(Self::flat, |prior| prior.profile.clone());
        let mut ratios = ratios_to_level(values);
        if ratios.is_empty() {
            return profile;
        }
        for (layer, grouping) in GROUPINGS.into_iter().enumerate() {
            if layer == AFTER_HOURS_OF_DAY {
                limit_bursts(&mut ratios, hour_of_week, &profile);
            }
            let seen = Effects::of(&ratios, hour_of_week, &profile, grouping);
            let known = prior.map(|prior| prior.variances[layer]);
            let variance = known.unwrap_or_else(|| seen.variance());
            profile.multiply(grouping, &seen.shrunk(variance));
        }
        profile.normalise();
        profile
    }

    fn normalise(&mut self) {
        let scale = mean(&self.factors);
        for factor in &mut self.factors {
            *factor = (*factor / scale).max(SMALLEST_FACTOR);
        }
    }

    fn multiply(&mut self, (_, group_of): Grouping, effects: &[f64]) {
        for (hour, factor) in self.factors.iter_mut().enumerate() {
            *factor *= 1.0 + effects[group_of(hour)];
        }
    }
}

impl ProfilePrior {
    /// Learns from the other series: pairs of hourly values and local hours of the week. `None`
    /// when fewer than two of them show anything.
    #[must_use]
    pub fn learn(others: &[(&[f64], &[u8])]) -> Option<Self> {
        let shown: Vec<(Vec<f64>, &[u8])> = others
            .iter()
            .map(|(values, hours)| (ratios_to_level(values), *hours))
            .filter(|(ratios, _)| !ratios.is_empty())
            .collect();
        if shown.len() < 2 {
            return None;
        }
        let ratios: Vec<f64> = shown
            .iter()
            .flat_map(|(ratios, _)| ratios.clone())
            .collect();
        let hours: Vec<u8> = shown.iter().flat_map(|(_, hours)| hours.to_vec()).collect();
        let mut profile = WeekProfile::flat();
        let mut variances = [0.0; GROUPINGS.len()];
        for (layer, grouping) in GROUPINGS.into_iter().enumerate() {
            let together = Effects::of(&ratios, &hours, &profile, grouping);
            profile.multiply(grouping, &together.shrunk(together.variance()));
            let single = shown
                .iter()
                .map(|(ratios, hours)| Effects::of(ratios, hours, &profile, grouping).variance());
            variances[layer] = mean(&single.collect::<Vec<_>>());
        }
        profile.normalise();
        Some(Self { profile, variances })
    }
}

/// Relative effects of groups of hours beyond a profile, and how sure the history makes them.
struct Effects {
    seen: Vec<f64>,
    noise: Vec<f64>,
}

impl Effects {
    fn of(
        ratios: &[f64],
        hour_of_week: &[u8],
        profile: &WeekProfile,
        (groups, group_of): Grouping,
    ) -> Self {
        let (mut seen, mut expected, mut count) =
            (vec![0.0; groups], vec![0.0; groups], vec![0.0; groups]);
        let mut residuals = Vec::with_capacity(ratios.len());
        for (&ratio, &hour) in ratios.iter().zip(hour_of_week) {
            let hour = usize::from(hour);
            let group = group_of(hour);
            let factor = profile.factor(hour);
            seen[group] += ratio;
            expected[group] += factor;
            count[group] += 1.0;
            residuals.push(ratio - factor);
        }
        let mut breadth = 1.0;
        if groups >= 24 {
            (seen, expected) = (smoothed(&seen), smoothed(&expected));
            breadth = 1.0 / SMOOTHING.iter().map(|weight| weight * weight).sum::<f64>();
        }
        let noise = variance(&residuals);
        Self {
            seen: seen
                .iter()
                .zip(&expected)
                .map(|(seen, expected)| {
                    if *expected > 0.0 {
                        seen / expected - 1.0
                    } else {
                        0.0
                    }
                })
                .collect(),
            noise: count
                .iter()
                .map(|count: &f64| noise / (count.max(0.5) * breadth))
                .collect(),
        }
    }

    /// Variance of the true effects: what is seen beyond what chance explains.
    fn variance(&self) -> f64 {
        let beyond = self.seen.iter().zip(&self.noise);
        let beyond: Vec<f64> = beyond.map(|(seen, noise)| seen * seen - noise).collect();
        mean(&beyond).max(0.0)
    }

    fn shrunk(&self, variance: f64) -> Vec<f64> {
        if let ([one, other], [noise, others]) = (&*self.seen, &*self.noise)
            && (one - other).powi(2) >= SURE * (noise + others)
        {
            return self.seen.clone();
        }
        let effects = self.seen.iter().zip(&self.noise);
        effects
            .map(|(seen, noise)| seen * variance / (variance + noise).max(f64::MIN_POSITIVE))
            .collect()
    }
}

fn smoothed(circle: &[f64]) -> Vec<f64> {
    let length = circle.len();
    (0..length)
        .map(|at| {
            let (left, right) = ((at + length - 1) % length, (at + 1) % length);
            SMOOTHING[0] * circle[left] + SMOOTHING[1] * circle[at] + SMOOTHING[2] * circle[right]
        })
        .collect()
}

/// Takes ratios that are bursts for their hour as the highest that are not.
fn limit_bursts(ratios: &mut [f64], hour_of_week: &[u8], profile: &WeekProfile) {
    let factor = |hour: &u8| profile.factor(usize::from(*hour));
    let hours = ratios.iter().zip(hour_of_week);
    let over = hours.map(|(ratio, hour)| ratio / factor(hour));
    let mut eventful: Vec<f64> = over.filter(|over| *over > 0.0).collect();
    let highest = quantile(&mut eventful, BURST_LEVEL) + 1.0;
    for (ratio, hour) in ratios.iter_mut().zip(hour_of_week) {
        // One event in a quiet hour is no burst, however large it looks over a small factor.
        *ratio = ratio.min(highest * factor(hour).max(1.0));
    }
}

/// Values, capped, as ratios to the mean of the week around them. Empty when nothing happened.
fn ratios_to_level(values: &[f64]) -> Vec<f64> {
    let values = capped(values);
    let anchor = ANCHOR_SHARE * mean(&values);
    if anchor <= 0.0 {
        return Vec::new();
    }
    let mut sums = Vec::with_capacity(values.len() + 1);
    sums.push(0.0);
    for value in &values {
        sums.push(sums[sums.len() - 1] + value);
    }
    let week = HOURS_OF_WEEK.min(values.len());
    let latest = values.len() - week;
    let ratio = |(index, value): (usize, &f64)| {
        let start = index.saturating_sub(week / 2).min(latest);
        let level = (sums[start + week] - sums[start]) / week as f64;
        value / (level + anchor)
    };
    values.iter().enumerate().map(ratio).collect()
}

#[cfg(test)]
mod tests {
    use super::{ProfilePrior, WeekProfile};

    fn hours(count: usize) -> Vec<u8> {
        (0..count).map(|hour| (hour % 168) as u8).collect()
    }

    fn business(hour: usize) -> f64 {
        if (8..18).contains(&(hour % 24)) {
            12.0
        } else {
            4.0
        }
    }

    /// Noise without randomness: the golden ratio's multiples modulo one.
    fn jitter(index: usize, phase: f64) -> f64 {
        (index as f64 * 0.618_033_988_749_895 + phase).fract() * 8.0 - 4.0
    }

    #[test]
    fn a_season_is_found_and_noise_is_not() {
        let count = 8 * 168;
        let seasonal: Vec<f64> = (0..count).map(business).collect();
        let profile = WeekProfile::learn(&seasonal, &hours(count), None);
        assert!(profile.factor(12) / profile.factor(2) > 2.5);
        let noise: Vec<f64> = (0..count).map(|hour| 6.0 + jitter(hour, 0.0)).collect();
        let profile = WeekProfile::learn(&noise, &hours(count), None);
        for hour in 0..168 {
            assert!((profile.factor(hour) - 1.0).abs() < 0.1, "{hour}");
        }
    }

    #[test]
    fn weekends_have_a_day_of_their_own() {
        // Workdays rise at noon, weekends at night; both have the same mean.
        let week = |hour: usize| {
            let is_weekend = hour % 168 >= 120;
            let is_noon = (8..18).contains(&(hour % 24));
            if is_noon == is_weekend { 4.0 } else { 12.0 }
        };
        let count = 12 * 168;
        let values: Vec<f64> = (0..count)
            .map(|hour| week(hour) + jitter(hour, 0.0))
            .collect();
        let profile = WeekProfile::learn(&values, &hours(count), None);
        let over = |one: usize, other: usize| profile.factor(one) / profile.factor(other);
        assert!(over(24 + 12, 24 + 2) > 2.0, "{}", over(36, 26));
        assert!(over(144 + 2, 144 + 12) > 2.0, "{}", over(146, 156));
    }

    #[test]
    fn one_burst_is_no_peak_of_its_hour_of_the_week() {
        let count = 12 * 168;
        let mut values: Vec<f64> = (0..count).map(|hour| 20.0 + jitter(hour, 0.0)).collect();
        for hour in 40..52 {
            values[11 * 168 + hour] = 400.0;
        }
        let profile = WeekProfile::learn(&values, &hours(count), None);
        for hour in 40..52 {
            assert!(profile.factor(hour) < 1.2, "{}", profile.factor(hour));
        }
    }

    #[test]
    fn a_young_series_takes_the_week_of_the_others() {
        let count = 8 * 168;
        let older: Vec<Vec<f64>> = (0..5)
            .map(|series| {
                let noisy = |hour| business(hour) + jitter(hour, 0.13 * f64::from(series));
                (0..count).map(noisy).collect()
            })
            .collect();
        let all = hours(count);
        let others: Vec<_> = older
            .iter()
            .map(|y| (y.as_slice(), all.as_slice()))
            .collect();
        let prior = ProfilePrior::learn(&others).unwrap();
        // Three days of a weak signal say little by themselves.
        let young: Vec<f64> = (0..72)
            .map(|hour| (hour % 5) as f64 * 0.25 * business(hour))
            .collect();
        let truth = |hour: usize| business(hour) / (4.0 + 8.0 * 10.0 / 24.0);
        let miss = |profile: &WeekProfile| -> f64 {
            (0..168)
                .map(|hour| (profile.factor(hour) - truth(hour)).abs())
                .sum()
        };
        let alone = WeekProfile::learn(&young, &hours(72), None);
        let helped = WeekProfile::learn(&young, &hours(72), Some(&prior));
        assert!(
            miss(&helped) < 0.5 * miss(&alone),
            "{} {}",
            miss(&helped),
            miss(&alone)
        );
    }

    #[test]
    fn silence_has_no_shape_and_one_series_is_no_panel() {
        let hours = hours(336);
        let silent = vec![0.0; 336];
        assert_eq!(
            WeekProfile::learn(&silent, &hours, None),
            WeekProfile::flat()
        );
        assert_eq!(ProfilePrior::learn(&[(&silent, &hours)]), None);
        assert_eq!(ProfilePrior::learn(&[]), None);
    }
}
