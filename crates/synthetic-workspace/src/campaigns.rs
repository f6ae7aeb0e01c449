//! Campaigns: periods in which more happens than the season explains.

use chrono::{DateTime, Datelike, Days, Duration, NaiveDate, NaiveTime, TimeZone, Utc, Weekday};
use chrono_tz::Tz;
use foretide_domain::TimeSpan;
use rand::Rng;

use crate::catalogue::{PRODUCTS, Product};
use crate::plan::Plan;

/// One campaign, as it really was.
#[derive(Debug, Clone, PartialEq)]
pub struct Campaign {
    /// Its name; says that it is synthetic.
    pub name: String,
    /// When it raised the counts.
    pub span: TimeSpan,
    /// Incidents in the span, as a multiple of what the season alone would have brought.
    pub factor: f64,
    /// When the SOC heard that it was coming; nothing for one that came unannounced.
    pub announced_at: Option<DateTime<Utc>>,
    /// Product whose alerts it raised.
    pub product: String,
}

impl Campaign {
    /// Whether the SOC knew of it before it began, so that a calendar can hold it.
    #[must_use]
    pub fn is_announced(&self) -> bool {
        self.announced_at.is_some()
    }
}

const NAMES: [&str; 6] = [
    "synthetic credential phishing wave",
    "synthetic red team exercise",
    "synthetic ransomware precursor wave",
    "synthetic password spray campaign",
    "synthetic exploit wave after disclosure",
    "synthetic business e-mail compromise wave",
];

/// Weekdays on which the announced campaigns of the history begin, each once: what is usual for a
/// weekday is then still learned from weeks without one.
const ANNOUNCED_WEEKDAYS: [Weekday; 5] = [
    Weekday::Tue,
    Weekday::Thu,
    Weekday::Sat,
    Weekday::Mon,
    Weekday::Wed,
];

/// Draws the campaigns of a plan: announced ones through the history, short unannounced ones, and
/// in the replay one announced weekend, one unannounced afternoon and, where it is long enough, an
/// announced campaign right at its end.
pub(crate) fn draw(plan: &Plan, random: &mut impl Rng) -> Vec<Campaign> {
    let mut campaigns = Vec::new();
    let history = i64::from(plan.history_days);
    let count = ANNOUNCED_WEEKDAYS
        .len()
        .min((history / 14).unsigned_abs() as usize);
    for (index, weekday) in ANNOUNCED_WEEKDAYS.into_iter().take(count).enumerate() {
        let near = history * (2 * index as i64 + 1) / (2 * count as i64);
        let first = on_or_after(plan.start + Duration::days(near - 3), weekday);
        let hours = random.random_range(30..44);
        let factor = random.random_range(2.5..3.2);
        campaigns.push(announced(plan, random, index, first, hours, factor));
        let surprise = first + Duration::days(random.random_range(5..9));
        campaigns.push(unannounced(plan, random, index, surprise));
    }
    if plan.replay_days >= 7 {
        let replay = plan.start + Days::new(plan.history_days.into());
        let saturday = on_or_after(replay + Duration::days(3), Weekday::Sat);
        campaigns.push(announced(plan, random, NAMES.len() - 1, saturday, 40, 3.6));
        campaigns.push(unannounced(plan, random, 3, saturday + Duration::days(4)));
    }
    if plan.replay_days >= 14 {
        let end = plan.start + Days::new((plan.history_days + plan.replay_days).into());
        let two_days_before = end - Duration::days(2);
        campaigns.push(announced(plan, random, 1, two_days_before, 36, 3.2));
    }
    campaigns.retain(|campaign| campaign.span.end <= plan.span().end);
    campaigns.sort_by_key(|campaign| campaign.span.start);
    campaigns
}

fn announced(
    plan: &Plan,
    random: &mut impl Rng,
    name: usize,
    day: NaiveDate,
    hours: i64,
    factor: f64,
) -> Campaign {
    let start = local(plan.time_zone, day, 6);
    Campaign {
        name: NAMES[name % NAMES.len()].to_owned(),
        span: TimeSpan {
            start,
            end: start + Duration::hours(hours),
        },
        factor,
        announced_at: Some(start - Duration::days(random.random_range(5..10))),
        product: any_product(random).name.to_owned(),
    }
}

fn unannounced(plan: &Plan, random: &mut impl Rng, name: usize, day: NaiveDate) -> Campaign {
    let start = local(plan.time_zone, day, random.random_range(9..16));
    Campaign {
        name: NAMES[(name + 3) % NAMES.len()].to_owned(),
        span: TimeSpan {
            start,
            end: start + Duration::hours(random.random_range(5..9)),
        },
        factor: random.random_range(1.8..2.6),
        announced_at: None,
        product: any_product(random).name.to_owned(),
    }
}

fn any_product(random: &mut impl Rng) -> &'static Product {
    &PRODUCTS[random.random_range(0..PRODUCTS.len())]
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
