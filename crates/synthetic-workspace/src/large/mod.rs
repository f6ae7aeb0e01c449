//! A workspace that is too large to write down: its rows are represented by their counts.
//!
//! A [`LargePlan`] says how many rows there are in all. They are shared out over the twenty tables,
//! over the hours (office hours and weekdays are busier, no two hours are alike) and over the labels,
//! each time by rounding running totals, so that no row is lost and none is added: whatever is asked
//! for hour by hour adds up exactly to what [`LargeWorkspace::total`] says without looking at the
//! hours. The same plan gives the same counts.

mod catalogue;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use foretide_domain::{HOUR, Measure, SentinelTable, TimeSpan, floor_day};

use self::catalogue::{Labels, fraction, labels, share};
use crate::PlanError;

/// Shares of tables are parts of this.
const WHOLE: u128 = 10_000;
/// Weight of the hours of a working day, by hour UTC.
const HOURS_OF_DAY: [u64; 24] = [
    30, 26, 24, 24, 26, 34, 52, 78, 100, 108, 110, 106, 98, 102, 106, 104, 96, 80, 62, 52, 46, 42,
    38, 34,
];
/// Percent of it, Monday to Sunday.
const DAYS_OF_WEEK: [u64; 7] = [104, 106, 104, 102, 96, 42, 38];

/// Describes a large workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LargePlan {
    /// Seed of what differs from hour to hour.
    pub seed: u64,
    /// First day; the workspace begins at its midnight, UTC.
    pub start: NaiveDate,
    /// Days it holds, from 1 to 730.
    pub days: u32,
    /// Rows of all tables together.
    pub rows: u64,
}

/// A count of a measure, in an hour or a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LargeCount {
    /// Start of the hour, or of the day for daily measures.
    pub at: DateTime<Utc>,
    /// Severity, or empty.
    pub severity: &'static str,
    /// Product, or empty.
    pub product: &'static str,
    /// Tactic, or empty.
    pub tactic: &'static str,
    /// How many, or how much. Never 0.
    pub value: u64,
}

/// The workspace of a plan.
#[derive(Debug, Clone)]
pub struct LargeWorkspace {
    plan: LargePlan,
    span: TimeSpan,
    /// Rows of each table before each hour, in the order of [`SentinelTable::ALL`].
    running: Vec<Vec<u64>>,
}

impl LargeWorkspace {
    /// Shares the plan's rows out.
    ///
    /// # Errors
    /// When the plan holds no day, more than two years, or days far from our time.
    pub fn new(plan: &LargePlan) -> Result<Self, PlanError> {
        let days = u64::from(plan.days);
        if !(1..=730).contains(&days) {
            return Err(PlanError::Days(days));
        }
        let near = NaiveDate::from_ymd_opt(1990, 1, 1) <= Some(plan.start)
            && Some(plan.start) <= NaiveDate::from_ymd_opt(2200, 1, 1);
        let end = plan.start.checked_add_days(Days::new(days));
        let Some(end) = end.filter(|_| near) else {
            return Err(PlanError::Start(plan.start));
        };
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        let span = TimeSpan {
            start: midnight(plan.start),
            end: midnight(end),
        };
        let mut shared = 0;
        let running = SentinelTable::ALL.map(|table| {
            let before = part(plan.rows, shared, WHOLE);
            shared += u128::from(share(table));
            running_rows(plan, span, table, part(plan.rows, shared, WHOLE) - before)
        });
        Ok(Self {
            plan: plan.clone(),
            span,
            running: running.into(),
        })
    }

    /// What the workspace holds.
    #[must_use]
    pub fn span(&self) -> TimeSpan {
        self.span
    }

    /// Rows of a table in the full hours of a span.
    #[must_use]
    pub fn rows(&self, table: SentinelTable, span: TimeSpan) -> u64 {
        let running = &self.running[place(table)];
        let (first, end) = self.hours(span);
        running[end] - running[first]
    }

    /// The sum of all counts of a measure in the full hours of a span, without looking at them.
    #[must_use]
    pub fn total(&self, measure: Measure, span: TimeSpan) -> u64 {
        let (first, end) = self.hours(span);
        self.counted_before(measure, end) - self.counted_before(measure, first)
    }

    /// The counts of a measure in the full hours of a span, in order of time.
    pub fn counts(
        &self,
        measure: Measure,
        span: TimeSpan,
    ) -> impl Iterator<Item = LargeCount> + use<'_> {
        let labels = labels(measure);
        self.pieces(measure, span).flat_map(move |(at, count)| {
            let phase = hash(
                self.plan.seed,
                measure as u64,
                at.timestamp().unsigned_abs(),
            );
            split(count, labels, phase).map(move |(combination, value)| LargeCount {
                at,
                severity: combination.severity,
                product: combination.product,
                tactic: combination.tactic,
                value,
            })
        })
    }

    /// The hours, or days, of a measure with their counts over all labels.
    fn pieces(
        &self,
        measure: Measure,
        span: TimeSpan,
    ) -> impl Iterator<Item = (DateTime<Utc>, u64)> + use<'_> {
        let (first, end) = self.hours(span);
        let mut hour = first;
        std::iter::from_fn(move || {
            if hour >= end {
                return None;
            }
            let start = hour;
            let at = self.moment(hour);
            hour = if measure.is_daily() {
                let next_day = floor_day(at) + TimeDelta::days(1);
                end.min(self.index(next_day))
            } else {
                hour + 1
            };
            let count = self.counted_before(measure, hour) - self.counted_before(measure, start);
            let at = if measure.is_daily() {
                floor_day(at)
            } else {
                at
            };
            Some((at, count))
        })
    }

    fn counted_before(&self, measure: Measure, hour: usize) -> u64 {
        let running = &self.running[place(measure.table())];
        let (counted, of) = fraction(measure);
        part(running[hour], counted.into(), of.into())
    }

    /// Numbers of the first full hour of a span and of the one after its last.
    fn hours(&self, span: TimeSpan) -> (usize, usize) {
        let whole = TimeDelta::seconds(3599);
        let first = self.index(span.start.checked_add_signed(whole).unwrap_or(span.start));
        (first, self.index(span.end).max(first))
    }

    /// Number of the hour that a moment lies in, within what there is.
    fn index(&self, moment: DateTime<Utc>) -> usize {
        let inside = moment.clamp(self.span.start, self.span.end);
        usize::try_from((inside - self.span.start).num_hours()).unwrap_or(0)
    }

    fn moment(&self, hour: usize) -> DateTime<Utc> {
        self.span.start + HOUR * i32::try_from(hour).unwrap_or(i32::MAX)
    }
}

/// The rows of a table before each hour.
fn running_rows(plan: &LargePlan, span: TimeSpan, table: SentinelTable, rows: u64) -> Vec<u64> {
    let mut weight = 0;
    let mut weights = vec![0];
    for hour in 0..span.hours() {
        let number = u64::try_from(hour).unwrap_or(u64::MAX);
        let of_day = HOURS_OF_DAY[hour % 24];
        let weekday = (hour / 24 + start_weekday(plan.start)) % 7;
        // from 70 to 130 percent
        let luck = 70 + hash(plan.seed, 1000 + table as u64, number) % 61;
        weight += of_day * DAYS_OF_WEEK[weekday] * luck;
        weights.push(weight);
    }
    let before = |running: &u64| part(rows, (*running).into(), weight.into());
    weights.iter().map(before).collect()
}

fn start_weekday(day: NaiveDate) -> usize {
    use chrono::Datelike as _;
    usize::try_from(day.weekday().num_days_from_monday()).unwrap_or(0)
}

/// `whole * numerator / denominator`, rounded down.
fn part(whole: u64, numerator: u128, denominator: u128) -> u64 {
    let part = u128::from(whole) * numerator / denominator.max(1);
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// Shares a count out by weights; a phase between hours lets rare labels have their turn.
fn split(
    count: u64,
    labels: &'static [Labels],
    phase: u64,
) -> impl Iterator<Item = (&'static Labels, u64)> {
    let whole: u64 = labels.iter().map(|labels| labels.weight).sum();
    let shift = u128::from(phase % whole.max(1));
    let mut weight = 0;
    labels.iter().filter_map(move |combination| {
        let up_to = |weight: u64| {
            (u128::from(count) * u128::from(weight) + shift) / u128::from(whole.max(1))
        };
        let before = up_to(weight);
        weight += combination.weight;
        let value = u64::try_from(up_to(weight) - before).unwrap_or(u64::MAX);
        (value > 0).then_some((combination, value))
    })
}

fn place(wanted: SentinelTable) -> usize {
    let mut all = SentinelTable::ALL.into_iter();
    let at = all.position(|table| table == wanted);
    at.expect("every table is listed")
}

/// SplitMix64 over three numbers: the same everywhere and always.
fn hash(seed: u64, kind: u64, number: u64) -> u64 {
    let mut mixed = seed
        ^ kind.wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ number.wrapping_mul(0xD1B5_4A32_D192_ED03);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plan() -> LargePlan {
        LargePlan {
            seed: 7,
            start: "2025-11-01".parse().unwrap(),
            days: 60,
            rows: 3_000_000,
        }
    }

    #[test]
    fn every_row_is_in_a_table() {
        let workspace = LargeWorkspace::new(&plan()).unwrap();
        let tables = SentinelTable::ALL.into_iter();
        let rows: u64 = tables
            .map(|table| workspace.rows(table, workspace.span()))
            .sum();
        assert_eq!(rows, 3_000_000);
        let shares: u64 = SentinelTable::ALL.into_iter().map(share).sum();
        assert_eq!(u128::from(shares), WHOLE);
    }

    #[test]
    fn counts_add_up_to_what_is_declared() {
        let workspace = LargeWorkspace::new(&plan()).unwrap();
        for measure in Measure::ALL {
            let declared = workspace.total(measure, workspace.span());
            let counts = workspace.counts(measure, workspace.span());
            let sum: u64 = counts.map(|count| count.value).sum();
            assert_eq!(sum, declared, "{measure}");
            assert!(sum > 0, "{measure}");
        }
    }

    #[test]
    fn nights_and_weekends_are_calmer() {
        let workspace = LargeWorkspace::new(&plan()).unwrap();
        let rows = |start: &str| {
            let start: DateTime<Utc> = start.parse().unwrap();
            let span = TimeSpan {
                start,
                end: start + TimeDelta::hours(6),
            };
            workspace.rows(SentinelTable::CommonSecurityLog, span)
        };
        let monday_noon = rows("2025-11-10T09:00:00Z");
        assert!(monday_noon > 2 * rows("2025-11-10T00:00:00Z"));
        assert!(monday_noon > 2 * rows("2025-11-09T09:00:00Z") - monday_noon / 4);
    }

    #[test]
    fn plans_that_cannot_be_are_refused() {
        for days in [0, 731] {
            let plan = LargePlan { days, ..plan() };
            assert!(matches!(
                LargeWorkspace::new(&plan),
                Err(PlanError::Days(_))
            ));
        }
        let start = "9999-12-31".parse().unwrap();
        let far = LargePlan { start, ..plan() };
        assert!(matches!(
            LargeWorkspace::new(&far),
            Err(PlanError::Start(_))
        ));
    }

    proptest! {
        #[test]
        fn halves_of_a_span_hold_what_the_span_holds(
            first in -30_i64..70, length in 0_i64..70, cut in 0_i64..70, measure in 0..Measure::ALL.len(),
        ) {
            let workspace = LargeWorkspace::new(&plan()).unwrap();
            let measure = Measure::ALL[measure];
            let moment = |days: i64| workspace.span().start + TimeDelta::days(days);
            let (start, end) = (moment(first), moment(first + length));
            let middle = moment(first + cut.min(length));
            let counts = |start, end| -> Vec<LargeCount> {
                workspace.counts(measure, TimeSpan { start, end }).collect()
            };
            let whole = counts(start, end);
            let halves = [counts(start, middle), counts(middle, end)].concat();
            prop_assert_eq!(&whole, &halves);
            let sum: u64 = whole.iter().map(|count| count.value).sum();
            prop_assert_eq!(sum, workspace.total(measure, TimeSpan { start, end }));
        }
    }
}
