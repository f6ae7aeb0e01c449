//! Where a series of counts stands, and what each component says of an hour ahead.

use serde::{Deserialize, Serialize};

use super::course::{Course, Levels};
use super::negative_binomial::Dispersion;
use super::prior::CountPrior;
use super::profile::{WeekProfile, highest_usual};
use super::weighted::{Aged, Memory, Sorted, Spread};

/// Number of components whose quantiles are mixed.
pub const COMPONENTS: usize = 10;

/// Hours of history that a state looks at: eight weeks.
pub const COUNT_STATE_HOURS: usize = 8 * 168;

/// Hours of history that a shape is learned from: twelve weeks.
pub const COUNT_SHAPE_HOURS: usize = 12 * 168;

/// Groups of hours ahead with weights and ratios of their own: the next hour, the rest of the next
/// six, the rest of the next day, and all beyond.
pub const REACHES: usize = 4;

/// Half-lives of memory, hours, of the components whose values are first divided by the profile.
const SCALED: [usize; 4] = [6, 24, 96, 336];
/// Of those whose values are taken as they are.
const FLAT: [usize; 1] = [96];
/// Of the levels that ratios multiply.
const LEVELS_OF: [usize; 3] = [6, 48, 336];
/// Of the level that the negative binomial is spread around.
const BINOMIAL_LEVEL: usize = 96;
/// Of the component that prefers hours at the same time of day, how long it remembers, and
/// how far it looks around it.
const SAME_TIME: usize = 336;
const SAME_TIME_MEMORY: usize = 6 * 168;
const SAME_TIME_HOURS: f64 = 2.0;
const SAME_TIME_REACH: usize = 6;
/// Of what ratios are learned from.
const RATIOS: usize = 672;

/// Share of the long-run mean in every level, so that a quiet month does not promise silence.
const ANCHOR_SHARE: f64 = 0.05;

/// Events that the long-run mean counts as in a level.
const ANCHOR_EVENTS: f64 = 4.0;

/// Hours ahead that stand for each reach when ratios are learned.
const TYPICAL_LEAD: [usize; REACHES] = [1, 4, 24, 48];
/// Hours ahead at which scatter is learned.
const SCATTER_LEAD: usize = 24;

/// Which reach an hour lies in; `ahead` is 1 for the first hour forecast.
#[must_use]
pub fn reach_of(ahead: usize) -> usize {
    match ahead {
        0 | 1 => 0,
        2..=6 => 1,
        7..=24 => 2,
        _ => 3,
    }
}

/// What changes slowly in a series: its week and its scatter. Learned at a training, good for some
/// weeks of states.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// Factors of the hours of the week.
    pub profile: WeekProfile,
    /// Scatter around a day-ahead level.
    pub dispersion: Dispersion,
    /// Highest value, over the profile, that is not a burst; levels take no more than that.
    cap: f64,
    /// Long-run mean, over the profile, without bursts.
    anchor: f64,
    /// Ratios of what happened to each level, by reach.
    ratios: [[Spread; REACHES]; LEVELS_OF.len()],
}

impl Shape {
    /// Learns from at most the last [`COUNT_SHAPE_HOURS`] hours.
    #[must_use]
    pub fn learn(values: &[f64], hour_of_week: &[u8], prior: &CountPrior) -> Self {
        let (values, hours) = newest(values, hour_of_week, COUNT_SHAPE_HOURS);
        let (profile, course) = week_and_course(values, hours, prior);
        let week = factors(hours, &profile, &course);
        let cap = highest_usual(&divided(values, &week));
        let usual = without_bursts(values, &week, cap);
        let anchor = usual.iter().sum::<f64>() / week.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let memory = Memory::halving_every(RATIOS);
        let ratios = LEVELS_OF.map(|half_life| {
            let levels = levels_along(&usual, &week, half_life, anchor);
            TYPICAL_LEAD.map(|lead| ratio_spread(values, &week, &levels, lead, &memory))
        });
        let levels = levels_along(&usual, &week, BINOMIAL_LEVEL, anchor);
        let lead = SCATTER_LEAD;
        // The first week warms the level up.
        let first = (lead + 168).min(values.len());
        // One burst would otherwise make every hour look wild.
        let highest = highest_usual(values);
        let observed: Vec<(f64, f64)> = (first..values.len())
            .map(|at| (levels[at - lead] * week[at], values[at].min(highest)))
            .collect();
        let dispersion = Dispersion::learn(&observed, prior.dispersion.as_ref());
        Self {
            profile,
            dispersion,
            cap,
            anchor,
            ratios,
        }
    }
}

fn newest<'a>(values: &'a [f64], hour_of_week: &'a [u8], most: usize) -> (&'a [f64], &'a [u8]) {
    let known = values.len().saturating_sub(most);
    (&values[known..], &hour_of_week[known..])
}

/// The week, and how the level moved beside it. Where it did, the week is learned without that.
pub(super) fn week_and_course(
    values: &[f64],
    hour_of_week: &[u8],
    prior: &CountPrior,
) -> (WeekProfile, Course) {
    let learn = |values: &[f64]| WeekProfile::learn(values, hour_of_week, prior.profile.as_ref());
    let profile = learn(values);
    let course = Levels::new(values, hour_of_week, &profile).course(values.len());
    if course.is_still() {
        return (profile, course);
    }
    let still: Vec<f64> = course.factors(values.len()).collect();
    (learn(&divided(values, &still)), course)
}

/// What each hour lets expect at the newest level: the profile's factor times the course's.
fn factors(hour_of_week: &[u8], profile: &WeekProfile, course: &Course) -> Vec<f64> {
    let hours = hour_of_week.iter();
    let week = hours.map(|&hour| profile.factor(usize::from(hour)));
    if course.is_still() {
        return week.collect();
    }
    let course = course.factors(hour_of_week.len());
    week.zip(course).map(|(week, level)| week * level).collect()
}

fn divided(values: &[f64], factors: &[f64]) -> Vec<f64> {
    let by_hour = values.iter().zip(factors);
    by_hour.map(|(value, factor)| value / factor).collect()
}

/// Values as levels take them: no more than the cap allows over their hour's factor. One event in a
/// quiet hour is no burst, however large it looks over a small factor.
fn without_bursts(values: &[f64], factors: &[f64], cap: f64) -> Vec<f64> {
    let by_hour = values.iter().zip(factors);
    by_hour
        .map(|(value, factor)| value.min(cap * factor + (1.0 - factor).max(0.0)))
        .collect()
}

/// Exponentially weighted level after each value: what happened over what the profile let expect. The
/// mean of the single ratios would be too low where the profile is flatter than the week, and would
/// listen to the noise of quiet hours most.
///
/// The long-run mean counts as much as [`ANCHOR_EVENTS`] that were seen beside it (a gamma prior), and
/// for a share of its own at least: a memory that holds less than an event knows little.
fn levels_along(values: &[f64], factors: &[f64], half_life: usize, anchor: f64) -> Vec<f64> {
    let share = 1.0 - (-1.0 / half_life as f64).exp2();
    let remembered_hours = (2.0 - share) / share;
    let (mut happened, mut expected) = (anchor, 1.0);
    let step = |(value, factor): (&f64, &f64)| {
        happened += share * (value - happened);
        expected += share * (factor - expected);
        let level = happened / expected;
        let events = remembered_hours * expected * anchor;
        let own = events / (events + ANCHOR_EVENTS).max(f64::MIN_POSITIVE);
        anchor + own.min(1.0 - ANCHOR_SHARE) * (level - anchor)
    };
    values.iter().zip(factors).map(step).collect()
}

/// How values spread around what the level known so long before let expect. Its mean is that of the
/// values over that of what was expected: the mean of the ratios would expect twice too much of rare
/// events, which mostly follow a low level.
fn ratio_spread(
    values: &[f64],
    factors: &[f64],
    levels: &[f64],
    lead: usize,
    memory: &Memory,
) -> Spread {
    let hours = values.iter().zip(factors).skip(lead).zip(levels);
    let pairs: Vec<(f64, f64)> = hours
        .filter(|(_, level)| **level > 0.0)
        .map(|((value, factor), level)| (*value, level * factor))
        .collect();
    let ratios: Vec<f64> = pairs.iter().map(|(value, known)| value / known).collect();
    let spread = Aged::new(&ratios).remembered(memory);
    let (mut happened, mut expected) = (0.0, 0.0);
    for (age, (value, known)) in pairs.iter().rev().enumerate() {
        happened += memory.weight(age) * value;
        expected += memory.weight(age) * known;
    }
    let mean = if expected > 0.0 {
        happened / expected
    } else {
        spread.mean
    };
    Spread { mean, ..spread }
}

/// The weights by age of all components.
pub(super) struct Memories {
    scaled: [Memory; SCALED.len()],
    flat: [Memory; FLAT.len()],
    same_time: Memory,
}

impl Memories {
    pub(super) fn new() -> Self {
        Self {
            scaled: SCALED.map(Memory::halving_every),
            flat: FLAT.map(Memory::halving_every),
            same_time: Memory::of_length(SAME_TIME, SAME_TIME_MEMORY),
        }
    }
}

/// Where a series stands at an origin: the state step. Cheap, from the newest hours only.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CountState {
    scaled: [Spread; SCALED.len()],
    flat: [Spread; FLAT.len()],
    same_time: [Spread; 24],
    levels: [f64; LEVELS_OF.len()],
    binomial_level: f64,
    course: Course,
}

/// What is said of one hour ahead.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CountForecast {
    /// Quantiles at [`foretide_domain::LEVELS`], in order and not negative.
    pub quantiles: [f64; 5],
    /// Additive parts of the expected count: level, trend, daily season, weekly season.
    pub parts: [f64; 4],
}

impl CountForecast {
    /// Expected count.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.parts.iter().sum()
    }

    /// All of it times a factor.
    pub(super) fn times(self, factor: f64) -> Self {
        Self {
            quantiles: self.quantiles.map(|value| value * factor),
            parts: self.parts.map(|value| value * factor),
        }
    }

    fn seasonal(quantiles: [f64; 5], base: f64, (daily, factor): (f64, f64)) -> Self {
        Self {
            quantiles,
            parts: [base, 0.0, base * (daily - 1.0), base * (factor - daily)],
        }
    }

    /// At a level that is so many times as high; what that adds to the base is trend.
    fn grown(self, times: f64) -> Self {
        let [base, trend, daily, weekly] = self.parts;
        Self {
            quantiles: self.quantiles.map(|value| value * times),
            parts: [
                base,
                trend * times + base * (times - 1.0),
                daily * times,
                weekly * times,
            ],
        }
    }
}

/// What the components say of one hour ahead, in the order of the weights.
pub type Components = [CountForecast; COMPONENTS];

/// A history prepared for states at any of its hours, whose level moved as it did or not at all.
struct Track<'a> {
    hour_of_week: &'a [u8],
    course: Course,
    by_scaled: Sorted,
    by_value: Sorted,
    /// What the scaled components expect, over the profile.
    scaled_means: [Vec<f64>; SCALED.len()],
    levels: [Vec<f64>; LEVELS_OF.len()],
    binomial_levels: Vec<f64>,
}

impl<'a> Track<'a> {
    fn new(shape: &Shape, values: &[f64], hour_of_week: &'a [u8], course: Course) -> Self {
        let week = factors(hour_of_week, &shape.profile, &course);
        let usual = without_bursts(values, &week, shape.cap);
        let levels = |half_life| levels_along(&usual, &week, half_life, shape.anchor);
        let means = |half_life| levels_along(values, &week, half_life, shape.anchor);
        let by_value = if course.is_still() {
            Sorted::new(values)
        } else {
            let still: Vec<f64> = course.factors(values.len()).collect();
            Sorted::new(&divided(values, &still))
        };
        Self {
            hour_of_week,
            course,
            by_scaled: Sorted::new(&divided(values, &week)),
            by_value,
            scaled_means: SCALED.map(means),
            levels: LEVELS_OF.map(levels),
            binomial_levels: levels(BINOMIAL_LEVEL),
        }
    }

    fn state(
        &self,
        memories: &Memories,
        known: usize,
        is_wanted: impl Fn(usize) -> bool,
    ) -> CountState {
        let by_scaled = self.by_scaled.as_of(known, COUNT_STATE_HOURS);
        let by_value = self.by_value.as_of(known, COUNT_STATE_HOURS);
        let hours = &self.hour_of_week[..known];
        let mut scaled = by_scaled.remembered_each(&memories.scaled);
        for (spread, means) in scaled.iter_mut().zip(&self.scaled_means) {
            spread.mean = means[known - 1];
        }
        CountState {
            scaled,
            flat: by_value.remembered_each(&memories.flat),
            same_time: same_time(&by_value, hours, &memories.same_time, is_wanted),
            levels: std::array::from_fn(|index| self.levels[index][known - 1]),
            binomial_level: self.binomial_levels[known - 1],
            course: self.course,
        }
    }
}

/// A history from which states are asked for, each with the course that was known by then.
pub(super) struct Tracks<'a> {
    shape: &'a Shape,
    values: &'a [f64],
    levels: Levels,
    still: Track<'a>,
}

impl<'a> Tracks<'a> {
    pub(super) fn new(shape: &'a Shape, values: &'a [f64], hour_of_week: &'a [u8]) -> Self {
        Self {
            shape,
            values,
            levels: Levels::new(values, hour_of_week, &shape.profile),
            still: Track::new(shape, values, hour_of_week, Course::default()),
        }
    }

    /// Where the series stood when its first `known` hours, at least one, were known.
    /// Of hours of the day that are not wanted nothing is said by the component that looks around
    /// them.
    pub(super) fn state(
        &self,
        memories: &Memories,
        known: usize,
        is_wanted: impl Fn(usize) -> bool,
    ) -> CountState {
        let course = self.levels.course(known);
        if course.is_still() {
            return self.still.state(memories, known, is_wanted);
        }
        let (values, hours) = (&self.values[..known], &self.still.hour_of_week[..known]);
        let (values, hours) = newest(values, hours, COUNT_STATE_HOURS);
        let moved = Track::new(self.shape, values, hours, course);
        moved.state(memories, values.len(), is_wanted)
    }
}

impl CountState {
    /// From what is known at an origin; of it at most [`COUNT_STATE_HOURS`] hours count. All zero
    /// when nothing is known.
    #[must_use]
    pub fn at_end(shape: &Shape, values: &[f64], hour_of_week: &[u8]) -> Self {
        let (values, hours) = newest(values, hour_of_week, COUNT_STATE_HOURS);
        if values.is_empty() {
            return Self::default();
        }
        Tracks::new(shape, values, hours).state(&Memories::new(), values.len(), |_| true)
    }

    /// What each component says of the hour `ahead` (1 for the first) that lies in the given local
    /// hour of the week.
    #[must_use]
    pub fn components(&self, shape: &Shape, ahead: usize, hour_of_week: usize) -> Components {
        let factor = shape.profile.factor(hour_of_week);
        let factors = (shape.profile.daily_factor(hour_of_week), factor);
        let reach = reach_of(ahead);
        let shaped = |spread: Spread| {
            let quantiles = spread.quantiles.map(|value| value * factor);
            CountForecast::seasonal(quantiles, spread.mean, factors)
        };
        let by_ratio = shape.ratios.iter().zip(self.levels);
        let by_ratio = by_ratio.map(|(ratios, level)| shaped(ratios[reach].times(level)));
        let level = self.binomial_level;
        let grown = self.course.ahead(ahead);
        let quantiles = shape.dispersion.quantiles(level * factor * grown);
        let quantiles = quantiles.map(|value| value / grown);
        // Whatever hours a component looks at, what is expected follows the week.
        let expecting = |quantiles, level| CountForecast::seasonal(quantiles, level, factors);
        let around = self.same_time[hour_of_week % 24];
        let long_level = self.levels[LEVELS_OF.len() - 1];
        let all = self
            .scaled
            .into_iter()
            .map(shaped)
            .chain(self.flat.map(|spread| expecting(spread.quantiles, level)))
            .chain(by_ratio)
            .chain([expecting(around.quantiles, long_level)])
            .chain([expecting(quantiles, level)]);
        let mut components = [CountForecast::default(); COMPONENTS];
        for (component, forecast) in components.iter_mut().zip(all) {
            *component = forecast.grown(grown);
        }
        components
    }
}

/// Spread at each hour of the day: near hours count more, and newer days.
fn same_time(
    by_value: &Aged,
    hour_of_week: &[u8],
    memory: &Memory,
    is_wanted: impl Fn(usize) -> bool,
) -> [Spread; 24] {
    let mut kernel = [0.0; 24];
    for (distance, weight) in kernel.iter_mut().enumerate() {
        let around = distance.min(24 - distance);
        if around <= SAME_TIME_REACH {
            *weight = (-0.5 * (around as f64 / SAME_TIME_HOURS).powi(2)).exp();
        }
    }
    let last = hour_of_week.len().saturating_sub(1);
    let hour_of_day = |age: usize| usize::from(hour_of_week[last - age]) % 24;
    by_value.around_each_hour(memory, &kernel, hour_of_day, is_wanted)
}
