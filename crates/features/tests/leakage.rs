//! A feature never knows what comes after it.

use std::sync::LazyLock;

use foretide_calendar::{Calendar, CalendarConfig};
use foretide_domain::{HOUR, Measure};
use foretide_features::{FeatureColumn, FeatureView, HourGrid, HourlyMeasures, compute};
use proptest::prelude::*;

static CALENDAR: LazyLock<Calendar> =
    LazyLock::new(|| Calendar::new(CalendarConfig::default()).expect("the default is valid"));

fn grid(first_hour: i32, hours: usize) -> HourGrid {
    let origin: chrono::DateTime<chrono::Utc> = "2026-03-02T00:00:00Z".parse().expect("a moment");
    HourGrid {
        start: origin + HOUR * first_hour,
        hours,
    }
}

fn columns(view: &FeatureView, grid: HourGrid, counts: &[Vec<f64>]) -> Vec<FeatureColumn> {
    let mut measures = HourlyMeasures::new(grid);
    for (measure, values) in Measure::ALL.into_iter().zip(counts) {
        measures
            .insert(measure, values.clone())
            .expect("lengths match");
    }
    let rows = HourGrid {
        hours: grid.hours + 1,
        ..grid
    };
    compute(view, &measures, &CALENDAR, rows).expect("can be computed")
}

fn counts(hours: usize) -> impl Strategy<Value = Vec<Vec<f64>>> {
    let column = prop::collection::vec((0_u32..50).prop_map(f64::from), hours);
    prop::collection::vec(column, Measure::ALL.len())
}

proptest! {
    #[test]
    fn changing_an_hour_changes_no_feature_at_or_before_it(
        first_hour in 0_i32..200,
        (before, after, cut) in (1_usize..120).prop_flat_map(|hours| {
            (counts(hours), counts(hours), 0..hours)
        }),
        view in prop::sample::select(FeatureView::all()),
    ) {
        let hours = before[0].len();
        let mixed: Vec<Vec<f64>> = before
            .iter()
            .zip(&after)
            .map(|(old, new)| [&old[..cut], &new[cut..]].concat())
            .collect();
        let grid = grid(first_hour, hours);
        let old = columns(&view, grid, &before);
        let new = columns(&view, grid, &mixed);
        for (old, new) in old.iter().zip(&new) {
            prop_assert_eq!(&old.values[..=cut], &new.values[..=cut], "{}", old.name);
        }
    }

    #[test]
    fn values_are_finite_and_not_negative_and_as_many_as_hours(
        first_hour in 0_i32..200,
        given in (0_usize..120).prop_flat_map(counts),
    ) {
        let hours = given[0].len();
        for view in FeatureView::all() {
            for column in columns(&view, grid(first_hour, hours), &given) {
                prop_assert_eq!(column.values.len(), hours + 1);
                prop_assert!(column.values.iter().all(|value| value.is_finite() && *value >= 0.0));
            }
        }
    }

    #[test]
    fn a_part_of_the_rows_equals_the_part_of_all_rows(
        given in (24_usize..96).prop_flat_map(counts),
        skipped in 0_usize..24,
    ) {
        let view = FeatureView::find("attack_volume_hourly").unwrap();
        let all = grid(5, given[0].len());
        let mut measures = HourlyMeasures::new(all);
        for (measure, values) in Measure::ALL.into_iter().zip(&given) {
            measures.insert(measure, values.clone()).unwrap();
        }
        let part = HourGrid { start: all.hour(skipped), hours: all.hours - skipped };
        let whole = compute(&view, &measures, &CALENDAR, all).unwrap();
        let rest = compute(&view, &measures, &CALENDAR, part).unwrap();
        for (whole, rest) in whole.iter().zip(&rest) {
            prop_assert_eq!(&whole.values[skipped..], &rest.values[..]);
        }
    }
}
