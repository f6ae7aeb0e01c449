//! What is planted beyond season and chance: announced exercises, and what nobody was told of.

use chrono::{DateTime, Datelike, Days, Duration, NaiveDate, NaiveTime, TimeZone, Utc, Weekday};
use chrono_tz::Tz;
use foretide_domain::{HOUR, TimeSpan};
use rand::Rng;

use crate::catalogue::{PRODUCTS, Product};
use crate::plan::Plan;

/// What was planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// Colleagues attack at an agreed time.
    Exercise,
    /// More of everything for some hours, at any hour of the week; often in waves.
    Surge,
    /// An attack while few people work.
    WeekendAttack,
    /// A level that rises over days and stays, as a new noisy rule brings it. No attack.
    Drift,
}

impl EventKind {
    /// In words.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Exercise => "exercise",
            Self::Surge => "surge",
            Self::WeekendAttack => "weekend attack",
            Self::Drift => "drift",
        }
    }
}

/// One planted event, as it really was. The truth: no service is ever given it.
#[derive(Debug, Clone, PartialEq)]
pub struct PlantedEvent {
    /// Its name; says that it is synthetic.
    pub name: String,
    /// What it is.
    pub kind: EventKind,
    /// When it raises the counts. A drift lasts to the end of the plan, an exercise may lie behind it.
    pub span: TimeSpan,
    /// Incidents as a multiple of what the season alone would bring; of a drift, once it has risen.
    pub factor: f64,
    /// When the SOC heard that it was coming; nothing for what came unannounced.
    pub announced_at: Option<DateTime<Utc>>,
    /// Product whose alerts it raises most.
    pub product: String,
}

impl PlantedEvent {
    /// Whether the SOC knew of it before it began, so that a calendar can hold it.
    #[must_use]
    pub fn is_announced(&self) -> bool {
        self.announced_at.is_some()
    }

    /// How many times the seasonal count it adds in the hour; 0 outside its span.
    pub(crate) fn added(&self, hour: DateTime<Utc>) -> f64 {
        if !self.span.contains(hour) {
            return 0.0;
        }
        let risen = match self.kind {
            EventKind::Drift => (hour - self.span.start + HOUR).num_hours() as f64 / DRIFT_RISES,
            EventKind::Exercise | EventKind::Surge | EventKind::WeekendAttack => 1.0,
        };
        (self.factor - 1.0) * risen.min(1.0)
    }

    /// Share of what it adds that a product sees: of a drift all is its own product's; of an attack
    /// most, the rest is seen by all.
    pub(crate) fn share(&self, product: &Product) -> f64 {
        let own = if self.product == product.name {
            1.0
        } else {
            0.0
        };
        match self.kind {
            EventKind::Drift => own,
            EventKind::Exercise | EventKind::Surge | EventKind::WeekendAttack => {
                0.6 * own + 0.4 * product.share
            }
        }
    }
}

/// Hours until a drift has risen.
const DRIFT_RISES: f64 = 7.0 * 24.0;
/// A first surge falls into every so many days, at a random hour.
const DAYS_PER_SURGE: u32 = 12;
/// Share of first surges that are followed by further waves.
const FOLLOWED: f64 = 0.5;
/// Days of replay that are enough to plant something into.
const REPLAY_DAYS: u32 = 7;

const SURGES: [&str; 5] = [
    "synthetic credential phishing wave",
    "synthetic ransomware precursor",
    "synthetic password spray",
    "synthetic exploit wave after disclosure",
    "synthetic business e-mail compromise",
];

/// Weekdays on which the exercises of the history begin, each once: what is usual for a weekday is
/// then still learned from weeks without one.
const EXERCISE_WEEKDAYS: [Weekday; 5] = [
    Weekday::Tue,
    Weekday::Thu,
    Weekday::Sat,
    Weekday::Mon,
    Weekday::Wed,
];

/// Draws the events of a plan. Exercises and surges run through history and replay; the replay has
/// one weekend attack and one drift, too, and right behind it begins one more exercise.
pub(crate) fn draw(plan: &Plan, random: &mut impl Rng) -> Vec<PlantedEvent> {
    if !plan.has_events {
        return Vec::new();
    }
    let span = plan.span();
    let mut events = past_exercises(plan, random);
    events.extend(surges(span.start, plan.history_days, random));
    if plan.replay_days >= REPLAY_DAYS {
        events.extend(replayed(plan, random));
    }
    events.sort_by_key(|event| event.span.start);
    events
}

fn past_exercises(plan: &Plan, random: &mut impl Rng) -> Vec<PlantedEvent> {
    let history = i64::from(plan.history_days);
    let count = EXERCISE_WEEKDAYS
        .len()
        .min((history / 14).unsigned_abs() as usize);
    let begins = |(index, weekday)| {
        let near = history * (2 * index as i64 + 1) / (2 * count as i64);
        on_or_after(plan.start + Duration::days(near - 3), weekday)
    };
    let days = EXERCISE_WEEKDAYS.into_iter().take(count).enumerate();
    days.map(|day| exercise(plan, begins(day), random))
        .collect()
}

fn replayed(plan: &Plan, random: &mut impl Rng) -> Vec<PlantedEvent> {
    let days = plan.replay_days;
    let begin = plan.replay_start();
    let end = plan.span().end;
    let day = |after: u32| begin.date_naive() + Days::new(after.into());
    let mut events = surges(begin, days, random);
    events.push(exercise(
        plan,
        day(random.random_range(1..days - 2)),
        random,
    ));
    events.push(exercise(plan, day(days + 1), random));

    let saturdays: Vec<_> = (0..days - 1)
        .map(day)
        .filter(|day| day.weekday() == Weekday::Sat)
        .collect();
    if !saturdays.is_empty() {
        let saturday = saturdays[random.random_range(0..saturdays.len())];
        let start = local(plan.time_zone, saturday, random.random_range(0..12));
        events.push(PlantedEvent {
            name: "synthetic intrusion".to_owned(),
            kind: EventKind::WeekendAttack,
            span: lasting(start, random.random_range(18..36)),
            factor: random.random_range(2.5..4.0),
            announced_at: None,
            product: any_product(random),
        });
    }
    // in the first half, so that there is time to see whether forecasts follow
    let hours = i64::from(days) * 12;
    events.push(PlantedEvent {
        name: "synthetic noisy rule".to_owned(),
        kind: EventKind::Drift,
        span: TimeSpan {
            start: begin + Duration::hours(random.random_range(0..hours)),
            end,
        },
        factor: random.random_range(1.3..1.7),
        announced_at: None,
        product: any_product(random),
    });
    events
}

/// Surges of so many days: first ones spread over them, some with further waves within days.
fn surges(begin: DateTime<Utc>, days: u32, random: &mut impl Rng) -> Vec<PlantedEvent> {
    let firsts = i64::from(days / DAYS_PER_SURGE).max(i64::from(days >= REPLAY_DAYS));
    let hours = i64::from(days) * 24;
    let end = begin + Duration::hours(hours);
    let mut surges = Vec::new();
    for index in 0..firsts {
        let part = hours * index / firsts..hours * (index + 1) / firsts;
        let mut start = begin + Duration::hours(random.random_range(part));
        let name = SURGES[random.random_range(0..SURGES.len())];
        let product = any_product(random);
        let factor = random.random_range(1.6..3.6);
        let waves = if random.random_bool(FOLLOWED) {
            random.random_range(2..5)
        } else {
            1
        };
        for _ in 0..waves {
            let span = lasting(start, random.random_range(4..20));
            if span.end > end {
                break;
            }
            surges.push(PlantedEvent {
                name: name.to_owned(),
                kind: EventKind::Surge,
                span,
                factor: f64::max(1.4, factor * random.random_range(0.75..1.25)),
                announced_at: None,
                product: product.clone(),
            });
            start = span.end + Duration::hours(random.random_range(12..84));
        }
    }
    surges
}

fn exercise(plan: &Plan, day: NaiveDate, random: &mut impl Rng) -> PlantedEvent {
    let start = local(plan.time_zone, day, 6);
    PlantedEvent {
        name: "synthetic red team exercise".to_owned(),
        kind: EventKind::Exercise,
        span: lasting(start, random.random_range(30..44)),
        factor: random.random_range(2.5..3.2),
        announced_at: Some(start - Duration::days(random.random_range(5..10))),
        product: any_product(random),
    }
}

fn lasting(start: DateTime<Utc>, hours: i64) -> TimeSpan {
    TimeSpan {
        start,
        end: start + Duration::hours(hours),
    }
}

fn any_product(random: &mut impl Rng) -> String {
    PRODUCTS[random.random_range(0..PRODUCTS.len())]
        .name
        .to_owned()
}

fn on_or_after(mut day: NaiveDate, weekday: Weekday) -> NaiveDate {
    while day.weekday() != weekday {
        day = day + Days::new(1);
    }
    day
}

/// The moment of a local hour; an hour skipped by daylight saving becomes the same hour UTC.
fn local(zone: Tz, day: NaiveDate, hour: u32) -> DateTime<Utc> {
    let time = day.and_time(NaiveTime::MIN) + Duration::hours(hour.into());
    zone.from_local_datetime(&time)
        .earliest()
        .map_or_else(|| time.and_utc(), |moment| moment.with_timezone(&Utc))
}
