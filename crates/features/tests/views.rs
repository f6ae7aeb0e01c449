//! The views that come with Foretide, their values on known counts, and their hash.

use foretide_calendar::{Calendar, CalendarConfig};
use foretide_domain::{Measure, UseCase};
use foretide_features::{
    FeatureError, FeatureKind, FeatureSpec, FeatureView, HourGrid, HourlyMeasures, TrainingOptions,
    compute,
};

const OPTIONS: TrainingOptions = TrainingOptions {
    history_days: 365,
    min_series_total: 1,
    max_series: 200,
    settle_hours: 2,
};

fn calendar() -> Calendar {
    Calendar::new(CalendarConfig::default()).expect("the default is valid")
}

fn grid(hours: usize) -> HourGrid {
    HourGrid {
        start: "2026-03-02T00:00:00Z".parse().expect("a moment"),
        hours,
    }
}

fn counts(view: &FeatureView, hours: usize, given: &[(Measure, usize, f64)]) -> HourlyMeasures {
    let mut measures = HourlyMeasures::new(grid(hours));
    for measure in view.measures() {
        let mut values = vec![0.0; hours];
        for (_, hour, value) in given.iter().filter(|entry| entry.0 == measure) {
            values[*hour] = *value;
        }
        measures.insert(measure, values).expect("lengths match");
    }
    measures
}

fn column(name: &str, hours: usize, given: &[(Measure, usize, f64)]) -> Vec<f64> {
    let view = FeatureView::find("attack_volume_hourly").expect("built in");
    let measures = counts(&view, hours, given);
    let columns = compute(&view, &measures, &calendar(), grid(hours + 1)).expect("can be computed");
    let found = columns.into_iter().find(|column| column.name == name);
    found.expect("the view has the feature").values
}

#[test]
fn every_built_in_use_case_has_its_view_with_all_promised_features() {
    let promised = [
        "alerts_last_24h",
        "incident_open_count",
        "unique_attacker_ips",
        "failed_logins_per_hour",
        "unique_source_ips_per_day",
        "days_since_last_incident",
        "day_of_week",
        "is_business_hour",
        "holiday_flag",
        "patch_tuesday",
        "end_of_quarter",
        "campaign",
        "own_rule_change",
        "connector_onboarding",
        "ti_volume",
    ];
    for use_case in UseCase::built_in() {
        let view = FeatureView::find(&use_case.feature_view).unwrap();
        let names: Vec<_> = view.features.iter().map(|feature| feature.name).collect();
        assert!(
            promised.iter().all(|name| names.contains(name)),
            "{}: {names:?}",
            view.name
        );
        for feature in &view.features {
            let reads_nothing = feature.measures().is_empty();
            assert_eq!(reads_nothing, feature.kind() == FeatureKind::KnownFuture);
        }
        let regressors: Vec<_> = view
            .regressors()
            .iter()
            .map(|feature| feature.name())
            .collect();
        assert_eq!(
            regressors,
            [
                "holiday_flag",
                "patch_tuesday",
                "end_of_quarter",
                "campaign",
                "own_rule_change",
                "connector_onboarding"
            ]
        );
    }
}

#[test]
fn features_of_broken_down_counts_are_per_series_and_all_others_shared() {
    let view = FeatureView::find("attack_volume_hourly").unwrap();
    let per_series = view.only(foretide_features::Feature::is_per_series);
    let names: Vec<_> = per_series
        .features
        .iter()
        .map(|feature| feature.name)
        .collect();
    assert_eq!(
        names,
        [
            "alerts_last_24h",
            "incident_open_count",
            "days_since_last_incident",
            "incidents_last_24h"
        ]
    );
    assert!(
        per_series
            .measures()
            .into_iter()
            .all(foretide_features::carries_dimensions)
    );
    let shared = view.only(|feature| !feature.is_per_series());
    assert!(
        !shared
            .measures()
            .into_iter()
            .any(foretide_features::carries_dimensions)
    );
}

#[test]
fn a_sum_covers_the_hours_before() {
    let alerts = [(Measure::Alerts, 0, 3.0), (Measure::Alerts, 24, 5.0)];
    let column = column("alerts_last_24h", 48, &alerts);
    assert_eq!([column[0], column[1], column[24]], [0.0, 3.0, 3.0]);
    assert_eq!([column[25], column[48]], [5.0, 5.0]);
}

#[test]
fn open_incidents_are_counted_and_never_negative() {
    let given = [
        (Measure::IncidentsClosed, 0, 4.0),
        (Measure::Incidents, 1, 3.0),
        (Measure::IncidentsClosed, 2, 1.0),
    ];
    assert_eq!(
        column("incident_open_count", 4, &given),
        [0.0, 0.0, 3.0, 2.0, 2.0]
    );
}

#[test]
fn days_since_the_last_incident_begin_anew_with_each() {
    let column = column(
        "days_since_last_incident",
        48,
        &[(Measure::Incidents, 11, 1.0)],
    );
    assert_eq!(
        [column[0], column[6], column[12], column[24]],
        [0.0, 0.25, 0.0, 0.5]
    );
}

#[test]
fn a_day_is_read_only_once_it_is_over() {
    let given = [
        (Measure::UniqueSourceIpsDaily, 0, 7.0),
        (Measure::UniqueSourceIpsDaily, 24, 9.0),
    ];
    let column = column("unique_source_ips_per_day", 72, &given);
    assert_eq!([column[0], column[23], column[24]], [0.0, 0.0, 7.0]);
    assert_eq!(
        [column[47], column[48], column[71], column[72]],
        [7.0, 9.0, 9.0, 0.0]
    );
}

#[test]
fn the_last_full_hour_is_read() {
    let column = column(
        "failed_logins_per_hour",
        3,
        &[(Measure::FailedLogins, 1, 8.0)],
    );
    assert_eq!(column, [0.0, 0.0, 8.0, 0.0]);
}

#[test]
fn rows_outside_the_counts_are_refused() {
    let view = FeatureView::find("risk_period_hourly").unwrap();
    let measures = counts(&view, 24, &[]);
    let too_long = compute(&view, &measures, &calendar(), grid(26)).unwrap_err();
    assert!(
        matches!(too_long, FeatureError::OutsideHistory { .. }),
        "{too_long}"
    );
    let mut early = grid(2);
    early.start -= foretide_domain::HOUR;
    let too_early = compute(&view, &measures, &calendar(), early).unwrap_err();
    assert!(
        matches!(too_early, FeatureError::OutsideHistory { .. }),
        "{too_early}"
    );
}

#[test]
fn a_missing_measure_is_named() {
    let view = FeatureView::find("risk_period_hourly").unwrap();
    let error = compute(&view, &HourlyMeasures::new(grid(5)), &calendar(), grid(5)).unwrap_err();
    assert_eq!(error, FeatureError::MissingMeasure(Measure::Alerts));
    let mut measures = HourlyMeasures::new(grid(5));
    let error = measures.insert(Measure::Alerts, vec![0.0; 4]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "measure alerts needs 5 hourly counts, got 4"
    );
}

#[test]
fn the_hash_changes_with_everything_that_decides_the_numbers_and_with_nothing_else() {
    let use_case = UseCase::built_in().remove(0);
    let view = FeatureView::find(&use_case.feature_view).unwrap();
    let config = CalendarConfig::default();
    let hash = |use_case: &UseCase, config: &CalendarConfig, options| {
        FeatureSpec::new(use_case, &view, config, options).hash()
    };
    let base = hash(&use_case, &config, OPTIONS);
    assert_eq!(base.as_str().len(), 64);
    assert_eq!(base, hash(&use_case, &config, OPTIONS));

    let other_horizon = UseCase {
        horizon_hours: 24,
        ..use_case.clone()
    };
    assert_eq!(
        base,
        hash(&other_horizon, &config, OPTIONS),
        "the horizon changes no feature"
    );

    let germany = CalendarConfig {
        country: "DE".to_owned(),
        ..config.clone()
    };
    let shorter = TrainingOptions {
        history_days: 30,
        ..OPTIONS
    };
    let mut total_only = use_case.clone();
    total_only.series.by.clear();
    for other in [
        hash(&use_case, &germany, OPTIONS),
        hash(&use_case, &config, shorter),
        hash(&total_only, &config, OPTIONS),
    ] {
        assert_ne!(base, other);
    }
}

#[test]
fn the_canonical_form_has_sorted_keys() {
    let use_case = UseCase::built_in().remove(0);
    let view = FeatureView::find(&use_case.feature_view).unwrap();
    let config = CalendarConfig::default();
    let json = FeatureSpec::new(&use_case, &view, &config, OPTIONS).canonical_json();
    let keys: Vec<_> = json.as_object().unwrap().keys().collect();
    assert!(keys.is_sorted(), "{keys:?}");
}
