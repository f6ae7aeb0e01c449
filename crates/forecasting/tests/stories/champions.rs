//! What is served for which kind of series, and that it says so.

use crate::support::{business_week, draw, frame_after, panel_of, random_days};
use foretide_forecasting::{
    CandidateKind, ForecastError, PanelModel, TrainOptions, TrainedPanel, TrainingPanel, train,
};

fn trained(panel: &TrainingPanel) -> TrainedPanel {
    train(panel, &TrainOptions::default(), &mut |_, _| {}).unwrap()
}

fn coverage_80(model: &PanelModel, panel: &TrainingPanel, actual: &[f64]) -> f64 {
    let inputs = model
        .schema
        .inputs(&frame_after(panel, actual.len()))
        .unwrap();
    let quantiles = model.predict(&inputs).unwrap().quantiles;
    let inside = quantiles
        .iter()
        .zip(actual)
        .filter(|(q, y)| q[1] <= **y && **y <= q[3])
        .count();
    inside as f64 / actual.len() as f64
}

#[test]
fn a_business_week_is_learned_and_beats_seasonal_naive() {
    let values = draw(1, 91 * 24, |hour| business_week(hour, 20.0));
    let panel = panel_of(vec![("Defender", values)], vec![random_days(7, 91 * 24)]);
    let TrainedPanel { model, reports } = trained(&panel);
    eprintln!("{:#?}", reports[0]);
    assert_eq!(model.schema.kinds[0], reports[0].champion);
    let naive = reports[0]
        .scores
        .iter()
        .find(|s| s.kind == CandidateKind::SeasonalNaive)
        .unwrap();
    let champion = reports[0]
        .scores
        .iter()
        .find(|s| s.kind == reports[0].champion)
        .unwrap();
    assert!(champion.pinball < 0.9 * naive.pinball);
    assert!(
        (champion.coverage_80 - 0.80).abs() < 0.04,
        "{}",
        champion.coverage_80
    );
    assert!(
        (champion.coverage_95 - 0.95).abs() < 0.03,
        "{}",
        champion.coverage_95
    );
    assert!(!reports[0].learning);
    let ahead = draw(1, 94 * 24, |hour| business_week(hour, 20.0))[91 * 24..].to_vec();
    assert!(coverage_80(&model, &panel, &ahead) > 0.65);
}

#[test]
fn noise_without_a_season_is_served_no_season_and_says_so() {
    let values = draw(2, 91 * 24, |_| 3.0);
    let panel = panel_of(vec![("Noise", values)], vec![]);
    let report = &trained(&panel).reports[0];
    eprintln!("{report:#?}");
    let served: Vec<_> = report.weights.iter().map(|(kind, _)| *kind).collect();
    let without_season = [CandidateKind::Climatology, CandidateKind::CountMixture];
    assert!(
        served.iter().all(|kind| without_season.contains(kind)),
        "{served:?}"
    );
    assert!(
        report.note.contains("no learnable season"),
        "{}",
        report.note
    );
}

#[test]
fn a_campaign_effect_is_found_and_named() {
    let hours = 91 * 24;
    let campaign = random_days(5, hours);
    let flags = campaign.values.clone();
    let values = draw(3, hours, |hour| {
        business_week(hour, 30.0) * (1.0 + 1.5 * flags[hour])
    });
    let panel = panel_of(vec![("Defender", values)], vec![campaign]);
    let model = trained(&panel).model;
    let mut frame = frame_after(&panel, 48);
    let quiet = model
        .predict(&model.schema.inputs(&frame).unwrap())
        .unwrap();
    frame.regressors[0].values[hours..].fill(1.0);
    let busy = model
        .predict(&model.schema.inputs(&frame).unwrap())
        .unwrap();
    let ratio = busy.mean.iter().sum::<f64>() / quiet.mean.iter().sum::<f64>();
    assert!((1.9..3.2).contains(&ratio), "{ratio}");
    let width = model.schema.drivers.len();
    let campaign = model
        .schema
        .drivers
        .iter()
        .position(|name| name == "campaign")
        .unwrap();
    assert!(busy.drivers[10 * width + campaign] > 0.0);
    assert_eq!(quiet.drivers[10 * width + campaign], 0.0);
}

#[test]
fn new_hours_move_the_forecast_without_a_new_training() {
    let hours = 91 * 24;
    let values = draw(4, hours + 14 * 24, |hour| {
        business_week(hour, if hour < hours { 20.0 } else { 40.0 })
    });
    let panel = panel_of(vec![("Defender", values[..hours].to_vec())], vec![]);
    let model = trained(&panel).model;
    let before = model
        .predict(&model.schema.inputs(&frame_after(&panel, 72)).unwrap())
        .unwrap();
    let longer = panel_of(vec![("Defender", values)], vec![]);
    let after = model
        .predict(&model.schema.inputs(&frame_after(&longer, 72)).unwrap())
        .unwrap();
    let moved = after.mean.iter().sum::<f64>() / before.mean.iter().sum::<f64>();
    assert!(moved > 1.3, "{moved}");
}

#[test]
fn two_weeks_ahead_of_a_steep_trend_stays_within_bounds() {
    let values = draw(6, 91 * 24, |hour| {
        business_week(hour, 5.0 * (hour as f64 / 400.0).exp())
    });
    let highest = values.iter().copied().fold(0.0, f64::max);
    let panel = panel_of(vec![("Rising", values)], vec![]);
    let options = TrainOptions {
        horizon_hours: 336,
        ..TrainOptions::default()
    };
    let model = train(&panel, &options, &mut |_, _| {}).unwrap().model;
    let inputs = model.schema.inputs(&frame_after(&panel, 336)).unwrap();
    let prediction = model.predict(&inputs).unwrap();
    assert!(
        prediction
            .mean
            .iter()
            .all(|&mean| mean <= 3.0 * highest + 1.0)
    );
}

#[test]
fn little_history_says_learning_until_when() {
    for (days, has_weeks) in [(14, false), (30, true), (59, true)] {
        let values = draw(8, days * 24, |hour| business_week(hour, 10.0));
        let panel = panel_of(vec![("New", values)], vec![]);
        let report = &trained(&panel).reports[0];
        assert!(report.learning);
        let until = (panel.start + chrono::Duration::days(60)).date_naive();
        let words = format!("learning: {days} of 60 days, until {until}");
        assert!(report.note.starts_with(&words), "{}", report.note);
        let competes = |kind| report.scores.iter().any(|score| score.kind == kind);
        assert!(competes(CandidateKind::Climatology));
        assert!(competes(CandidateKind::CountMixture));
        assert_eq!(
            competes(CandidateKind::SeasonalNaive),
            has_weeks,
            "{days} days"
        );
    }
    let panel = panel_of(vec![("New", vec![1.0; 335])], vec![]);
    let error = train(&panel, &TrainOptions::default(), &mut |_, _| {}).unwrap_err();
    assert_eq!(
        error,
        ForecastError::TooShort {
            hours: 335,
            needed: 336
        }
    );
}

#[test]
fn a_product_that_came_late_is_learning_although_the_panel_is_long() {
    let hours = 91 * 24;
    let values = draw(9, hours, |hour| {
        if hour < 61 * 24 {
            0.0
        } else {
            business_week(hour, 9.0)
        }
    });
    let old = draw(10, hours, |hour| business_week(hour, 9.0));
    let reports = trained(&panel_of(vec![("Late", values), ("Old", old)], vec![])).reports;
    assert!(
        reports[0].learning && reports[0].note.contains("30 of 60"),
        "{}",
        reports[0].note
    );
    assert!(!reports[1].learning);
}

#[test]
fn a_late_series_of_any_length_is_trained() {
    let hours = 40 * 24;
    for silent_days in 0..40 {
        let values = draw(
            11,
            hours,
            |hour| if hour < silent_days * 24 { 0.0 } else { 2.0 },
        );
        let report = &trained(&panel_of(vec![("Late", values)], vec![])).reports[0];
        assert!(
            report.learning && !report.scores.is_empty(),
            "{silent_days}: {report:?}"
        );
    }
}

#[test]
fn training_is_deterministic_on_any_number_of_threads() {
    let series = (0..5).map(|i| draw(i, 70 * 24, |hour| business_week(hour, 3.0 + i as f64)));
    let names = ["A", "B", "C", "D", "E"];
    let panel = panel_of(
        names.into_iter().zip(series).collect(),
        vec![random_days(1, 70 * 24)],
    );
    let alone = trained(&panel);
    let mut heard = Vec::new();
    let options = TrainOptions {
        threads: 2,
        ..TrainOptions::default()
    };
    let together = train(&panel, &options, &mut |done, total| {
        heard.push((done, total));
    })
    .unwrap();
    assert_eq!(alone, together);
    assert_eq!(heard, [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]);
}

#[test]
fn a_note_praises_only_what_beats_the_baselines() {
    let mut said = Vec::new();
    for seed in 0..12 {
        let level = [0.3, 2.0, 9.0][seed as usize % 3];
        let is_flat = seed % 2 == 0;
        let values = draw(60 + seed, 91 * 24, |hour| {
            if is_flat {
                level
            } else {
                business_week(hour, level)
            }
        });
        let report = &trained(&panel_of(vec![("Any", values)], vec![])).reports[0];
        let loss = |kind| {
            let score = report.scores.iter().find(|score| score.kind == kind);
            score.map_or(f64::INFINITY, |score| score.pinball)
        };
        let baseline = loss(CandidateKind::Climatology).min(loss(CandidateKind::SeasonalNaive));
        let is_praised = report.note.contains("% below");
        assert!(
            !is_praised || loss(report.champion) < baseline,
            "{report:#?}"
        );
        assert!(!report.note.contains(" -"), "{}", report.note);
        said.push(report.note.contains("% below that of climatology"));
    }
    assert!(said.contains(&true) && said.contains(&false), "{said:?}");
}

#[test]
fn a_series_that_never_changed_says_so() {
    for (value, words) in [
        (0.0, "nothing has happened yet: "),
        (37.0, "constant at 37 so far: "),
    ] {
        let report = &trained(&panel_of(vec![("Same", vec![value; 91 * 24])], vec![])).reports[0];
        assert!(report.note.starts_with(words), "{}", report.note);
        assert!(!report.note.contains('%'), "{}", report.note);
    }
}
