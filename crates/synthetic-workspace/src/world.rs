//! How much is going on at Contoso, hour by hour.

use chrono::{DateTime, Datelike, Duration, NaiveDate, Timelike, Utc, Weekday};
use chrono_tz::Tz;
use foretide_domain::TimeSpan;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Gamma, Poisson};

use crate::events::{EventKind, PlantedEvent};
use crate::plan::Plan;

/// Share of a working day's incidents in each local hour, times 24.
const WORKING_HOURS: [f64; 24] = [
    0.38, 0.34, 0.32, 0.32, 0.36, 0.48, 0.75, 1.15, 1.70, 1.95, 1.90, 1.75, 1.45, 1.60, 1.75, 1.65,
    1.45, 1.20, 0.90, 0.75, 0.65, 0.60, 0.50, 0.44,
];
const WEEKDAYS: [f64; 7] = [1.22, 1.12, 1.06, 1.04, 0.96, 0.42, 0.38];
const HOLIDAY: f64 = 0.45;
/// The days after Patch Tuesday: new detections, restarted machines, exploits of what was patched.
const AFTER_PATCH_TUESDAY: [f64; 4] = [1.15, 1.35, 1.25, 1.12];
/// Growth over a year.
const YEARLY_GROWTH: f64 = 0.20;
/// Gamma shapes of the noise: the smaller, the more the counts scatter beyond Poisson.
const DAY_SHAPE: f64 = 90.0;
const HOUR_SHAPE: f64 = 12.0;

/// One hour and how much goes on without planted events.
pub(crate) struct Hour {
    pub(crate) start: DateTime<Utc>,
    /// What the season, the calendar and chance make of the hour; 1 on average over a week.
    pub(crate) level: f64,
}

/// The activity of the whole span, shared by all tables so that they rise and fall together.
pub(crate) struct World {
    pub(crate) span: TimeSpan,
    pub(crate) volume: f64,
    pub(crate) events: Vec<PlantedEvent>,
    pub(crate) hours: Vec<Hour>,
}

impl World {
    pub(crate) fn new(plan: &Plan, events: Vec<PlantedEvent>) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(plan.seed);
        let span = plan.span();
        let mut hours = Vec::with_capacity(span.hours());
        let mut start = span.start;
        let mut day_noise = 1.0;
        while start < span.end {
            if start.hour() == 0 {
                day_noise = noise(DAY_SHAPE, &mut random);
            }
            let years = (start - span.start).num_hours() as f64 / (24.0 * 365.0);
            let level = season(start, plan.time_zone, &plan.holidays)
                * (1.0 + YEARLY_GROWTH * years)
                * day_noise
                * noise(HOUR_SHAPE, &mut random);
            hours.push(Hour { start, level });
            start += Duration::hours(1);
        }
        Self {
            span,
            volume: plan.volume,
            events,
            hours,
        }
    }

    /// How many times the seasonal count the attacks and exercises of the hour add; 0 without one.
    pub(crate) fn surge(&self, hour: &Hour) -> f64 {
        let attacks = self
            .events
            .iter()
            .filter(|event| event.kind != EventKind::Drift);
        attacks.map(|event| event.added(hour.start)).sum()
    }
}

/// What weekday, hour, holidays and Patch Tuesday make of an hour.
fn season(moment: DateTime<Utc>, zone: Tz, holidays: &[NaiveDate]) -> f64 {
    let local = moment.with_timezone(&zone);
    let date = local.date_naive();
    let weekday = date.weekday();
    let is_weekend = matches!(weekday, Weekday::Sat | Weekday::Sun);
    let hour = WORKING_HOURS[local.hour() as usize];
    let is_holiday = holidays.contains(&date);
    // away from work the day is flatter: machines and attackers keep other hours
    let hour = if is_weekend || is_holiday {
        0.5 + 0.5 * hour
    } else {
        hour
    };
    let day = WEEKDAYS[weekday.num_days_from_monday() as usize];
    let day = if is_holiday && !is_weekend {
        HOLIDAY
    } else {
        day
    };
    hour * day * patching(date)
}

fn patching(date: NaiveDate) -> f64 {
    let days_since = (date - patch_tuesday(date)).num_days();
    usize::try_from(days_since)
        .ok()
        .and_then(|days| AFTER_PATCH_TUESDAY.get(days))
        .copied()
        .unwrap_or(1.0)
}

/// The second Tuesday of the date's month.
fn patch_tuesday(date: NaiveDate) -> NaiveDate {
    NaiveDate::from_weekday_of_month_opt(date.year(), date.month(), Weekday::Tue, 2)
        .expect("every month has a second Tuesday")
}

fn noise(shape: f64, random: &mut impl Rng) -> f64 {
    Gamma::new(shape, 1.0 / shape)
        .expect("shape and scale are above 0")
        .sample(random)
}

/// A count with the given mean.
pub(crate) fn count(mean: f64, random: &mut impl Rng) -> usize {
    if mean <= 0.0 {
        return 0;
    }
    let drawn: f64 = Poisson::new(mean)
        .expect("the mean is above 0 and small")
        .sample(random);
    drawn as usize
}

/// Index of the share that a uniform draw falls into.
pub(crate) fn pick(shares: impl IntoIterator<Item = f64>, random: &mut impl Rng) -> usize {
    let mut left: f64 = random.random();
    let mut last = 0;
    for (index, share) in shares.into_iter().enumerate() {
        last = index;
        left -= share;
        if left < 0.0 {
            break;
        }
    }
    last
}
