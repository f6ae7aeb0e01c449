//! Laws that hold for every series.

use foretide_anomalies::{Detector, Observation};
use proptest::prelude::*;

use crate::support::{Telemetry, monday};
use chrono::TimeDelta;

/// Small whole numbers with wild ones between, irregular steps, some of them gaps or backwards.
fn any_telemetry() -> impl Strategy<Value = Telemetry> {
    let value = prop_oneof![
        8 => (0_i32..40).prop_map(f64::from),
        1 => (-4_000_i32..4_000).prop_map(f64::from),
        1 => Just(5.0),
    ];
    let step = prop_oneof![12 => Just(300_i64), 2 => 0_i64..900, 1 => -900_i64..90_000];
    prop::collection::vec((value, step), 120..420).prop_map(|rows| {
        let mut at = monday();
        let mut points = Vec::new();
        for (value, step) in rows {
            at += TimeDelta::seconds(step);
            points.push((at, value));
        }
        Telemetry { points }
    })
}

fn verdicts(observations: &[Observation]) -> Vec<(f64, bool, bool)> {
    observations
        .iter()
        .map(|one| (one.score, one.alert, one.suppressed))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn later_points_change_nothing_said_before(telemetry in any_telemetry(), share in 0.1_f64..0.9) {
        let whole = telemetry.judged();
        let until = (share * whole.len() as f64) as usize;
        let prefix = Telemetry { points: telemetry.points[..until].to_vec() };
        prop_assert_eq!(prefix.judged(), &whole[..until]);
    }

    #[test]
    fn scores_intervals_and_flags_are_consistent(telemetry in any_telemetry()) {
        let judged = telemetry.judged();
        prop_assert_eq!(&judged, &telemetry.judged());
        for one in judged {
            prop_assert!((0.0..=1.0).contains(&one.score));
            prop_assert!((0.0..=1.0).contains(&one.tail_probability));
            prop_assert!(one.low <= one.expected && one.expected <= one.high);
            prop_assert!(!(one.alert && one.suppressed));
        }
    }

    #[test]
    fn scale_and_shift_change_no_score(telemetry in any_telemetry(), power in -3_i32..6, shift in -64_i32..64) {
        // Exact in binary, so that equality can be asked for rather than closeness.
        let scale = 2_f64.powi(power);
        let scaled = telemetry.clone().with(0..telemetry.points.len(), |value| value * scale);
        prop_assert_eq!(verdicts(&scaled.judged()), verdicts(&telemetry.judged()));
        let shifted = telemetry.clone().with(0..telemetry.points.len(), |value| value + f64::from(shift));
        for (one, other) in shifted.judged().iter().zip(telemetry.judged()) {
            prop_assert!((one.tail_probability.log10() - other.tail_probability.log10()).abs() < 0.35);
        }
    }

    #[test]
    fn a_restart_from_stored_state_goes_on_as_if_nothing_had_been(telemetry in any_telemetry(), share in 0.1_f64..0.9) {
        let expected = telemetry.judged();
        let until = (share * expected.len() as f64) as usize;
        let mut detector = Detector::new(Default::default()).unwrap();
        for (at, value) in &telemetry.points[..until] {
            detector.observe(*at, *value);
        }
        let stored = serde_json::to_string(&detector).unwrap();
        let mut restarted: Detector = serde_json::from_str(&stored).unwrap();
        prop_assert_eq!(&restarted, &detector);
        for ((at, value), expected) in telemetry.points[until..].iter().zip(&expected[until..]) {
            prop_assert_eq!(&restarted.observe(*at, *value), expected);
        }
    }
}
