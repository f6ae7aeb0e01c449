//! Series of counts are served by the mixture made for them, young ones with what others lend.

use foretide_forecasting::counts::{CountForecaster, CountMixture, CountPrior};
use foretide_forecasting::{
    CandidateKind, PanelModel, TrainOptions, TrainedPanel, TrainingPanel, train,
};

use crate::support::{business_week, draw, frame_after, panel_of};

const HOURS: usize = 91 * 24;
const AHEAD: usize = 72;

fn trained(panel: &TrainingPanel) -> TrainedPanel {
    // Trees would learn from the others, too: only the mixture is to do so here.
    let options = TrainOptions {
        trees: false,
        ..TrainOptions::default()
    };
    train(panel, &options, &mut |_, _| {}).unwrap()
}

fn quantiles(model: &PanelModel, panel: &TrainingPanel) -> Vec<[f64; 5]> {
    let inputs = model.schema.inputs(&frame_after(panel, AHEAD)).unwrap();
    model.predict(&inputs).unwrap().quantiles
}

fn loss(quantiles: &[[f64; 5]], actual: &[f64]) -> f64 {
    let one = |(quantiles, actual): (&[f64; 5], &f64)| -> f64 {
        let levels = foretide_domain::LEVELS.iter().zip(quantiles);
        levels
            .map(|(level, quantile)| {
                let miss = actual - quantile;
                (level * miss).max((level - 1.0) * miss)
            })
            .sum()
    };
    quantiles.iter().zip(actual).map(one).sum()
}

/// A series of a business week that begins so many days before the panel's end, and goes on after.
fn begun(seed: u64, days: usize, level: f64) -> (Vec<f64>, Vec<f64>) {
    let first = HOURS - days * 24;
    let mean = |hour| {
        if hour < first {
            0.0
        } else {
            business_week(hour, level)
        }
    };
    let mut values = draw(seed, HOURS + AHEAD, mean);
    let actual = values.split_off(HOURS);
    (values, actual)
}

#[test]
fn f6_a_young_series_beside_older_ones_is_forecast_better_than_alone() {
    let names = ["A", "B", "C", "D", "E", "F"];
    let older: Vec<_> = names
        .iter()
        .zip([3.0, 5.0, 8.0, 13.0, 20.0, 40.0])
        .zip(200..)
        .map(|((name, level), seed)| (*name, begun(seed, 91, level).0))
        .collect();
    let (mut alone, mut beside) = (0.0, 0.0);
    for (seed, level) in (300..).zip([4.0, 6.0, 9.0, 12.0, 16.0, 25.0]) {
        let (young, actual) = begun(seed, 14, level);
        let panel = panel_of(vec![("Young", young.clone())], vec![]);
        alone += loss(&quantiles(&trained(&panel).model, &panel), &actual) / level;
        let mut all = older.clone();
        all.push(("Young", young));
        let panel = panel_of(all, vec![]);
        let TrainedPanel { model, reports } = trained(&panel);
        assert!(reports[6].learning, "{}", reports[6].note);
        let of_all = quantiles(&model, &panel);
        beside += loss(&of_all[6 * AHEAD..], &actual) / level;
    }
    eprintln!("14 days: loss alone {alone:.2}, beside older series {beside:.2}");
    assert!(beside < 0.97 * alone, "{beside} {alone}");
}

#[test]
fn small_counts_without_a_season_are_served_what_the_mixture_says() {
    let values = draw(
        41,
        HOURS,
        |hour| if hour / 500 % 2 == 0 { 2.0 } else { 5.0 },
    );
    let panel = panel_of(vec![("Bursts", values.clone())], vec![]);
    let TrainedPanel { model, reports } = trained(&panel);
    assert_eq!(
        reports[0].champion,
        CandidateKind::CountMixture,
        "{reports:#?}"
    );
    assert_eq!(reports[0].weights, [(CandidateKind::CountMixture, 1.0)]);
    assert!(
        reports[0].note.contains("the count mixture is served"),
        "{}",
        reports[0].note
    );
    let counts = model.schema.counts[0].as_ref().unwrap();
    let frame = frame_after(&panel, AHEAD);
    let own = counts.forecast(&values, &frame.history_hour_of_week, &frame.hour_of_week);
    let prediction = model
        .predict(&model.schema.inputs(&frame).unwrap())
        .unwrap();
    let width = model.schema.drivers.len();
    for (hour, own) in own.iter().enumerate() {
        assert_eq!(prediction.quantiles[hour], own.quantiles);
        let sum: f64 = prediction.drivers[hour * width..][..width].iter().sum();
        let mean = prediction.mean[hour];
        assert!((sum - mean).abs() < 1e-9 && (mean - own.mean()).abs() < 1e-9);
    }
}

/// All the weight on one component.
fn only(component: usize) -> CountMixture {
    let mut mixture = CountMixture::default();
    for weights in &mut mixture.weights {
        weights.fill(0.0);
        weights[component] = 1.0;
    }
    mixture
}

#[test]
fn fitted_to_all_hours_it_takes_the_newest_weights_of_many_series_but_not_of_few() {
    let values = draw(29, HOURS, |hour| business_week(hour, 6.0));
    let week: Vec<u8> = (0..HOURS).map(|hour| (hour % 168) as u8).collect();
    let learned = CountForecaster::learn(&values, &week, &CountPrior::default());
    assert_ne!(learned.mixture, only(1));
    let few = CountPrior::default().with_mixtures(&[only(1); 2]);
    let many = CountPrior::default().with_mixtures(&[only(1); 8]);
    let beside_few = learned.clone().reshaped(&values, &week, &few);
    let beside_many = learned.clone().reshaped(&values, &week, &many);
    assert_eq!(beside_few.mixture, learned.mixture);
    assert_eq!(beside_many.mixture, only(1));
}

#[test]
fn what_is_no_count_is_never_served_it() {
    let measured: Vec<f64> = draw(42, HOURS, |hour| business_week(hour, 20.0))
        .iter()
        .zip(0..)
        .map(|(value, hour)| value + (f64::from(hour) * 0.618_033_988_749_895).fract())
        .collect();
    let steady: Vec<f64> = (0..HOURS)
        .map(|hour| (1e6 * business_week(hour, 1.0)).round() + (hour * 7919 % 10_007) as f64)
        .collect();
    let panel = panel_of(vec![("Measured", measured), ("Steady", steady)], vec![]);
    let TrainedPanel { model, reports } = trained(&panel);
    assert!(!model.schema.has_counts());
    for report in reports {
        let competes = |kind| report.scores.iter().any(|score| score.kind == kind);
        assert!(!competes(CandidateKind::CountMixture), "{report:#?}");
    }
}

#[test]
fn a_week_with_the_wrong_number_of_hours_is_refused_when_read() {
    let values = draw(43, HOURS, |hour| business_week(hour, 5.0));
    let panel = panel_of(vec![("A", values.clone())], vec![]);
    let learned = CountForecaster::learn(&values, &panel.hour_of_week, &CountPrior::default());
    let json = serde_json::to_value(&learned).unwrap();
    let again: CountForecaster = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(again, learned);
    for wrong in [vec![], vec![1.0; 167], vec![0.0; 168], vec![-1.0; 168]] {
        let mut hostile = json.clone();
        hostile["shape"]["profile"]["factors"] = serde_json::json!(wrong);
        let error = serde_json::from_value::<CountForecaster>(hostile).unwrap_err();
        assert!(error.to_string().contains("168"), "{error}");
    }
}

#[test]
fn workdays_and_weekends_of_few_incidents_have_their_own_level() {
    // Twelve a workday, five a weekend day.
    let mean = |hour: usize| {
        let day = if hour / 24 % 7 >= 5 { 5.0 } else { 12.0 };
        day * (0.5 + f64::from(u8::from((8..20).contains(&(hour % 24))))) / 24.0
    };
    let (mut workdays, mut weekends) = (0.0, 0.0);
    let all = 60;
    for seed in 0..all {
        let values = draw(900 + seed, 13 * 168, mean);
        let panel = panel_of(vec![("Incidents", values)], vec![]);
        let options = TrainOptions {
            horizon_hours: 168,
            ..TrainOptions::default()
        };
        let model = train(&panel, &options, &mut |_, _| {}).unwrap().model;
        let inputs = model.schema.inputs(&frame_after(&panel, 168)).unwrap();
        let means = model.predict(&inputs).unwrap().mean;
        workdays += means[..120].iter().sum::<f64>() / (5.0 * all as f64);
        weekends += means[120..].iter().sum::<f64>() / (2.0 * all as f64);
    }
    assert!((workdays / 12.0 - 1.0).abs() < 0.05, "{workdays}");
    assert!((weekends / 5.0 - 1.0).abs() < 0.07, "{weekends}");
}

#[test]
fn f2_what_is_served_of_counts_never_loses_to_the_same_hour_of_last_week() {
    // the same week again and again, as noisy in itself as counts are: nothing beats repeating it
    let week = draw(77, 168, |hour| business_week(hour, 3.0));
    let repeated: Vec<f64> = (0..HOURS).map(|hour| week[hour % 168]).collect();
    let noise = draw(78, HOURS, |hour| business_week(hour, 3.0));
    let panel = panel_of(vec![("Repeated", repeated), ("Noise", noise)], vec![]);
    for report in trained(&panel).reports {
        let pinball = |kind| {
            let score = report.scores.iter().find(|score| score.kind == kind);
            score.map(|score| score.pinball).unwrap()
        };
        let naive = pinball(CandidateKind::SeasonalNaive);
        let served = pinball(report.champion);
        assert!(served <= naive + 1e-9, "{served} {naive}: {}", report.note);
    }
}
