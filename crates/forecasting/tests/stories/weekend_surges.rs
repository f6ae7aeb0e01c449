//! F3: the rule "mean + 2 SD of the trailing 30 days" is blind on weekends, the default is not.
//!
//! A five-day SOC over 2,210 days: negative binomial days (k = 12), weekends at a fifth, 3% of days
//! surge by 2.5. Both rules see the true load, so only the rules differ.

use chrono::Duration;
use foretide_domain::Trigger;
use foretide_forecasting::risk::{
    JudgedWindow, RiskInput, WindowSpread, rolling_2sd, weekday_conformal,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::support::{count, hours_of_week, monday};

const DAYS: usize = 2_210;
/// Weeks a capacity is learned from at most, and days before which no rule is judged.
const HISTORY_DAYS: usize = 29 * 7;

struct Workspace {
    /// All of a day's incidents at noon: only daily sums matter here.
    hours: Vec<f64>,
    is_surge: Vec<bool>,
}

fn five_day_soc(seed: u64, factor: f64) -> Workspace {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut workspace = Workspace {
        hours: vec![0.0; DAYS * 24],
        is_surge: Vec::new(),
    };
    for day in 0..DAYS {
        let usual = if day % 7 >= 5 { 0.22 * 60.0 } else { 60.0 };
        let is_surge = rng.random_bool(0.03);
        let mean = if is_surge { factor * usual } else { usual };
        workspace.hours[day * 24 + 12] = count(&mut rng, mean, 12.0);
        workspace.is_surge.push(is_surge);
    }
    workspace
}

#[derive(Default, Debug)]
struct Tally {
    surges: f64,
    found: f64,
    weekend_surges: f64,
    weekend_found: f64,
    usual_days: f64,
    false_alarms: f64,
}

impl Tally {
    fn add(&mut self, day: usize, is_surge: bool, is_raised: bool) {
        let raised = f64::from(u8::from(is_raised));
        if !is_surge {
            self.usual_days += 1.0;
            self.false_alarms += raised;
            return;
        }
        self.surges += 1.0;
        self.found += raised;
        if day % 7 >= 5 {
            self.weekend_surges += 1.0;
            self.weekend_found += raised;
        }
    }

    fn recall(&self) -> f64 {
        self.found / self.surges
    }

    fn weekend_recall(&self) -> f64 {
        self.weekend_found / self.weekend_surges
    }

    fn false_alarm_rate(&self) -> f64 {
        self.false_alarms / self.usual_days
    }
}

type Rule = fn(&RiskInput<'_>, &Trigger) -> Vec<JudgedWindow>;

fn judge(rule: Rule, factor: f64, usual_share: f64) -> Tally {
    let trigger = Trigger {
        from_hours: 0,
        to_hours: 24,
        window_hours: 24,
        probability: 0.5,
        capacity: None,
        usual_share,
    };
    let certain = [
        -1e-6, -8e-7, -6e-7, -4e-7, -2e-7, 0.0, 2e-7, 4e-7, 6e-7, 8e-7, 1e-6,
    ];
    let spreads = [WindowSpread {
        hours: 24,
        overdispersion: 0.0,
        deviations: certain,
    }];
    let hours = hours_of_week(0, DAYS * 24);
    let mut tally = Tally::default();
    for seed in 0..5 {
        let workspace = five_day_soc(seed, factor);
        for day in HISTORY_DAYS..DAYS {
            let (known, now, end) = ((day - HISTORY_DAYS) * 24, day * 24, (day + 1) * 24);
            let input = RiskInput {
                start: monday() + Duration::days(day as i64),
                hour_of_week: &hours[now..end],
                mean: &workspace.hours[now..end],
                drivers: &[],
                driver_names: &[],
                spreads: &spreads,
                history: &workspace.hours[known..now],
                history_hour_of_week: &hours[known..now],
                history_announced: &vec![false; now - known],
            };
            let is_raised = |window: &JudgedWindow| window.is_raised;
            let warned = rule(&input, &trigger).iter().any(is_raised);
            tally.add(day, workspace.is_surge[day], warned);
        }
    }
    tally
}

#[test]
fn the_default_finds_weekend_surges_that_the_rolling_rule_cannot_see() {
    for (factor, least_weekend_recall) in [(1.8, 0.2), (2.5, 0.45)] {
        let rolling = judge(rolling_2sd, factor, 0.95);
        let weekday = (950..995)
            .step_by(4)
            .map(|share| judge(weekday_conformal, factor, f64::from(share) / 1000.0))
            .find(|tally| tally.false_alarm_rate() <= rolling.false_alarm_rate())
            .expect("a stricter share raises fewer false alarms");
        for (rule, tally) in [("rolling_2sd", &rolling), ("weekday_conformal", &weekday)] {
            eprintln!(
                "surge x{factor} {rule}: recall {:.2}, weekend recall {:.2}, false alarms {:.3}",
                tally.recall(),
                tally.weekend_recall(),
                tally.false_alarm_rate()
            );
        }
        assert!(rolling.weekend_recall() < 0.02, "{rolling:?}");
        assert!(
            weekday.weekend_recall() >= least_weekend_recall,
            "{weekday:?}"
        );
        assert!(weekday.weekend_recall() >= 2.0 * rolling.weekend_recall());
        assert!(weekday.recall() >= 0.9 * rolling.recall(), "{weekday:?}");
    }
}
