//! Events that are known ahead: campaigns that were in the calendar before, and one that is to come.

use std::ops::Range;

use foretide_domain::LEVELS;
use foretide_forecasting::risk::QuantileFunction;
use foretide_forecasting::{
    PanelModel, PanelPrediction, Regressor, ScoringFrame, TrainOptions, TrainingPanel, train,
};

use crate::support::{business_week, draw, frame_after, panel_of};

const DAYS: usize = 56;
const HOURS: usize = DAYS * 24;
const HORIZON: usize = 72;

/// Hours of the two past campaigns: a Tuesday and a Thursday, from six in the morning on.
const PAST: [Range<usize>; 2] = [15 * 24 + 6..16 * 24 + 18, 38 * 24 + 6..39 * 24 + 18];

/// The announced one begins a day after the history ends.
const AHEAD: Range<usize> = 24..60;

const LEVELS_OF_SERIES: [f64; 4] = [25.0, 12.0, 6.0, 2.0];

fn campaign(past: &[Range<usize>], hours: usize) -> Regressor {
    let runs = |hour: usize| past.iter().any(|campaign| campaign.contains(&hour));
    Regressor {
        name: "campaign".to_owned(),
        values: (0..hours)
            .map(|hour| f64::from(u8::from(runs(hour))))
            .collect(),
    }
}

/// Four series of a business week; campaigns multiply all of them by `factor`.
fn workspace(past: &[Range<usize>], factor: f64, seed: u64) -> TrainingPanel {
    let flags = campaign(past, HOURS);
    let names = ["Total", "Defender", "Entra", "Firewall"];
    let series = names.into_iter().zip(LEVELS_OF_SERIES).enumerate();
    let drawn = series.map(|(index, (name, level))| {
        let mean = |hour: usize| {
            business_week(hour, level)
                * if flags.values[hour] > 0.0 {
                    factor
                } else {
                    1.0
                }
        };
        (name, draw(10 * seed + index as u64, HOURS, mean))
    });
    panel_of(drawn.collect(), vec![flags.clone()])
}

fn trained(panel: &TrainingPanel) -> PanelModel {
    train(panel, &TrainOptions::default(), &mut |_, _| {})
        .unwrap()
        .model
}

fn announcing(panel: &TrainingPanel, hours: Range<usize>) -> ScoringFrame {
    let mut frame = frame_after(panel, HORIZON);
    for hour in hours {
        frame.regressors[0].values[panel.hours() + hour] = 1.0;
    }
    frame
}

fn foreseen(model: &PanelModel, frame: &ScoringFrame) -> PanelPrediction {
    model.predict(&model.schema.inputs(frame).unwrap()).unwrap()
}

/// Sum of the medians of one series over the announced hours.
fn medians(prediction: &PanelPrediction, series: usize) -> f64 {
    let hours = AHEAD.map(|hour| prediction.quantiles[series * HORIZON + hour][2]);
    hours.sum()
}

/// How much an announced campaign raises the medians of each series.
fn raised(panel: &TrainingPanel) -> Vec<f64> {
    let model = trained(panel);
    let announced = foreseen(&model, &announcing(panel, AHEAD));
    let plain = foreseen(&model, &announcing(panel, 0..0));
    (0..panel.series.len())
        .map(|series| medians(&announced, series) / medians(&plain, series))
        .collect()
}

#[test]
fn eight_weeks_with_two_campaigns_are_enough_to_foresee_a_third() {
    for seed in 1..4 {
        let factors = raised(&workspace(&PAST, 2.5, seed));
        eprintln!("seed {seed}: {factors:?}");
        for factor in factors {
            assert!((1.6..3.4).contains(&factor), "seed {seed}: {factor}");
        }
    }
}

#[test]
fn a_campaign_that_did_nothing_does_nothing() {
    for seed in 1..7 {
        let factors = raised(&workspace(&PAST, 1.0, seed));
        eprintln!("seed {seed}: {factors:?}");
        for factor in factors {
            assert!((0.9..1.1).contains(&factor), "seed {seed}: {factor}");
        }
    }
}

#[test]
fn an_announced_campaign_makes_too_much_work_likely() {
    let panel = workspace(&PAST, 2.5, 5);
    let model = trained(&panel);
    let busy = foreseen(&model, &announcing(&panel, AHEAD));
    let quiet = foreseen(&model, &announcing(&panel, 0..0));
    let noon = AHEAD.start + 12;
    assert_eq!(LEVELS.len(), 5);
    let capacity = 1.5 * quiet.mean[noon];
    let risk = |prediction: &PanelPrediction| {
        let quantiles = QuantileFunction::new(prediction.quantiles[noon]).unwrap();
        quantiles.exceedance(capacity)
    };
    let (before, after) = (risk(&quiet), risk(&busy));
    assert!(before < 0.25 && after > 0.7, "{before} {after}");
    let width = model.schema.drivers.len();
    let parts = &busy.drivers[noon * width..(noon + 1) * width];
    assert!((parts.iter().sum::<f64>() - busy.mean[noon]).abs() < 1e-9);
    assert!(parts[width - 1] > 0.3 * busy.mean[noon], "{parts:?}");
}

#[test]
fn a_campaign_in_the_last_week_does_not_colour_the_next() {
    let recent = 50 * 24 + 6..51 * 24 + 18;
    let [first, second] = PAST;
    let panel = workspace(&[first, second, recent], 2.5, 7);
    let model = trained(&panel);
    let known = foreseen(&model, &announcing(&panel, 0..0));
    let total: f64 = known.mean[..HORIZON].iter().sum();
    let true_total: f64 = (HOURS..HOURS + HORIZON)
        .map(|hour| business_week(hour, LEVELS_OF_SERIES[0]))
        .sum();
    assert!(
        (0.85..1.15).contains(&(total / true_total)),
        "{total} {true_total}"
    );
}

#[test]
fn a_single_past_campaign_is_believed_when_all_series_saw_it() {
    let [_, only] = PAST;
    let factors = raised(&workspace(&[only], 2.5, 9));
    // What came after the first origin is learned when all hours are.
    assert!(
        factors[..3].iter().all(|&factor| factor > 1.5),
        "{factors:?}"
    );
}

#[test]
fn bytes_are_moved_by_an_event_as_counts_are() {
    let counts = workspace(&PAST, 0.35, 11);
    let mut bytes = counts.clone();
    for series in &mut bytes.series {
        for value in &mut series.values {
            *value *= 1e9;
        }
    }
    for (bytes, counts) in raised(&bytes).into_iter().zip(raised(&counts)) {
        assert!((0.2..0.6).contains(&bytes), "{bytes} {counts}");
    }
}

#[test]
fn quieter_holidays_are_foreseen() {
    let factors = raised(&workspace(&PAST, 0.35, 11));
    for factor in &factors[..3] {
        assert!((0.25..0.6).contains(factor), "{factors:?}");
    }
}
