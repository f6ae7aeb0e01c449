//! Disturbances of invented telemetry, and quiet that must stay quiet.

use foretide_anomalies::{Detector, DetectorOptions, OptionsError, Reason};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal, Poisson};

use crate::support::{DAY, Telemetry, alerts, alerts_in};

#[test]
fn a_spike_alerts_at_once_and_only_once() {
    let judged = Telemetry::steady(3_000, 1)
        .with(2_000..2_006, |value| value * 4.0)
        .judged();
    assert_eq!(alerts_in(&judged, 2_000..2_200), [2_000]);
    assert!(judged[2_000].reasons.contains(&Reason::HighValue));
    assert!(judged[2_000].value > judged[2_000].high);
    assert!(judged[2_001].suppressed && judged[2_001].score < judged[2_000].score);
}

#[test]
fn a_level_shift_alerts_and_becomes_the_new_normal() {
    let judged = Telemetry::steady(5_000, 2)
        .with(2_000..5_000, |value| value + 60.0)
        .judged();
    let found = alerts_in(&judged, 2_000..2_020);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(alerts_in(&judged, 2_300..5_000).len() <= 2);
    assert!((judged[4_000].expected - 160.0).abs() < 5.0);
}

#[test]
fn a_drop_to_nothing_is_found_too() {
    let judged = Telemetry::steady(3_000, 3)
        .with(2_000..2_100, |_| 0.0)
        .judged();
    assert!(alerts_in(&judged, 2_000..2_010).len() == 1);
    assert!(judged[2_000].reasons.contains(&Reason::LowValue));
}

#[test]
fn a_quiet_working_day_alerts_though_its_values_are_usual_at_night() {
    let holiday = 10 * DAY + 8 * 12..10 * DAY + 18 * 12;
    let judged = Telemetry::office_hours(12 * DAY, 4)
        .with(holiday.clone(), |value| value - 160.0)
        .judged();
    let found = alerts_in(&judged, holiday);
    assert!(!found.is_empty());
    assert!(judged[found[0]].seasonal);
    assert!(
        judged[found[0]]
            .reasons
            .iter()
            .any(|reason| matches!(reason, Reason::BelowExpected | Reason::StaysBelowExpected))
    );
}

#[test]
fn a_flatline_of_a_noisy_series_is_found() {
    let judged = Telemetry::steady(3_000, 5)
        .with(2_000..2_200, |_| 101.0)
        .judged();
    let found = alerts_in(&judged, 2_000..2_100);
    assert!(!found.is_empty());
    assert!(judged[found[0]].reasons.contains(&Reason::Flatline));
}

#[test]
fn a_series_that_becomes_unsteady_is_found() {
    let judged = Telemetry::steady(3_000, 6)
        .with(2_000..2_200, |value| 100.0 + 2.5 * (value - 100.0))
        .judged();
    let found = alerts_in(&judged, 2_000..2_100);
    assert!(!found.is_empty());
}

#[test]
fn a_constant_series_never_alerts_until_it_changes() {
    let judged = Telemetry::of(3_000, |index| if index < 2_000 { 7.0 } else { 8.0 }).judged();
    assert_eq!(alerts_in(&judged, 0..2_000), [0_usize; 0]);
    assert_eq!(alerts_in(&judged, 2_000..2_002), [2_000]);
}

#[test]
fn noise_and_office_hours_alert_no_more_often_than_agreed() {
    let mut raised = 0;
    let mut points = 0;
    for seed in 10..30 {
        for telemetry in [
            Telemetry::steady(4_032, seed),
            Telemetry::office_hours(4_032, seed),
        ] {
            let judged = telemetry.judged();
            raised += alerts(&judged).len();
            points += judged.len();
        }
    }
    let rate = raised as f64 / points as f64;
    eprintln!("{rate:.5} alerts a point of quiet telemetry");
    assert!(rate <= DetectorOptions::default().alert_rate, "{rate}");
}

#[test]
fn a_stated_rate_is_kept_without_suppression() {
    for alert_rate in [0.01, 0.003] {
        let options = DetectorOptions {
            alert_rate,
            refractory_points: 0,
            fatigue: 0.0,
            ..DetectorOptions::default()
        };
        let mut raised = 0;
        for seed in 0..20 {
            raised += alerts(&Telemetry::steady(8_000, seed).judged_by(options.clone())).len();
        }
        let realised = raised as f64 / (20.0 * 8_000.0);
        eprintln!("{realised:.5} of {alert_rate} without suppression");
        assert!(
            (0.5 * alert_rate..1.5 * alert_rate).contains(&realised),
            "{realised} of {alert_rate}"
        );
    }
}

/// Alerts a point of ten fortnights of independent draws.
fn rate_of(distribution: impl Distribution<f64>) -> f64 {
    let raised = (0..10).map(|seed| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let telemetry = Telemetry::of(4_032, |_| distribution.sample(&mut rng));
        alerts(&telemetry.judged()).len()
    });
    raised.sum::<usize>() as f64 / 40_320.0
}

#[test]
fn counts_and_heavy_tails_are_no_louder_than_agreed() {
    let counts = rate_of(Poisson::new(4.0).unwrap());
    let heavy = rate_of(LogNormal::new(3.0, 1.2).unwrap());
    eprintln!("{counts:.5} alerts a point of counts, {heavy:.5} of heavy tails");
    let agreed = DetectorOptions::default().alert_rate;
    assert!(counts <= agreed && heavy <= agreed, "{counts} {heavy}");
}

#[test]
fn a_gap_is_named_and_does_not_alert() {
    let judged = Telemetry::steady(3_000, 7).without(1_500..2_000).judged();
    assert_eq!(alerts_in(&judged, 1_500..1_520), [0_usize; 0]);
    assert!(judged[1_500].reasons.contains(&Reason::AfterGap));
}

#[test]
fn what_is_not_a_number_is_neither_scored_nor_learnt() {
    let clean = Telemetry::steady(1_000, 8);
    let expected = clean.judged();
    let mut detector = Detector::new(DetectorOptions::default()).unwrap();
    for (index, (at, value)) in clean.points.iter().enumerate() {
        if index % 100 == 50 {
            for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let missing = detector.observe(*at, odd);
                assert_eq!(missing.reasons, [Reason::Missing]);
                assert!(missing.score == 0.0 && !missing.alert);
            }
        }
        assert_eq!(detector.observe(*at, *value), expected[index]);
    }
}

#[test]
fn repeated_times_and_a_clock_set_back_do_no_harm() {
    let mut telemetry = Telemetry::steady(2_000, 9);
    for index in 1_000..1_012 {
        telemetry.points[index].0 = telemetry.points[index - 12].0;
    }
    telemetry.points[1_500].0 = telemetry.points[1_499].0;
    let judged = telemetry.judged();
    assert_eq!(alerts_in(&judged, 1_000..1_013), [0_usize; 0]);
    assert!(judged.iter().all(|one| (0.0..=1.0).contains(&one.score)));
}

#[test]
fn enormous_values_overflow_nothing() {
    let judged = Telemetry::of(600, |index| match index {
        550 => f64::MAX,
        551 => f64::MIN,
        _ => f64::from(index as u32 % 9),
    })
    .judged();
    assert!(judged[550].alert);
    for one in &judged {
        assert!((0.0..=1.0).contains(&one.score), "{one:?}");
    }
}

#[test]
fn nothing_is_scored_while_learning() {
    let options = DetectorOptions::default();
    let learning = options.learning_points as usize;
    let judged = Telemetry::steady(learning, 10)
        .with(30..31, |value| value * 50.0)
        .judged();
    assert!(judged.iter().all(|one| one.score == 0.0));
}

#[test]
fn options_that_cannot_be_are_named() {
    let refuse = |options: DetectorOptions| Detector::new(options).unwrap_err();
    let usual = DetectorOptions::default;
    for alert_rate in [0.0, -1.0, 0.5, f64::NAN] {
        let error = refuse(DetectorOptions {
            alert_rate,
            ..usual()
        });
        assert!(error.to_string().starts_with("alert_rate is"));
    }
    for fatigue in [-0.1, 1.1, f64::NAN] {
        let error = refuse(DetectorOptions { fatigue, ..usual() });
        assert!(error.to_string().starts_with("fatigue is"));
    }
    let error = refuse(DetectorOptions {
        learning_points: 19,
        ..usual()
    });
    assert_eq!(error, OptionsError::LearningPoints(19));
    let error = refuse(DetectorOptions {
        history_points: 199,
        ..usual()
    });
    assert_eq!(error, OptionsError::HistoryPoints(199));
}
