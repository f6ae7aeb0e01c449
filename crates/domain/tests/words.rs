//! Words keep their meaning through text and back.

use foretide_domain::{Dimension, Quantiles, SeriesId, UseCase, floor_day, floor_hour};
use proptest::prelude::*;

#[test]
fn built_in_use_cases_are_valid_and_survive_yaml() {
    for use_case in UseCase::built_in() {
        use_case.validate().unwrap();
        let yaml = serde_norway::to_string(&use_case).unwrap();
        assert_eq!(serde_norway::from_str::<UseCase>(&yaml).unwrap(), use_case);
    }
}

#[test]
fn unknown_fields_of_a_use_case_are_refused_by_name() {
    let mut yaml = serde_norway::to_string(&UseCase::built_in()[0]).unwrap();
    yaml.push_str("horizon: 3\n");
    let error = serde_norway::from_str::<UseCase>(&yaml).unwrap_err();
    assert!(error.to_string().contains("horizon"), "{error}");
}

#[test]
fn a_trigger_outside_the_horizon_is_refused() {
    let mut use_case = UseCase::built_in().remove(1);
    use_case.horizon_hours = 48;
    let error = use_case.validate().unwrap_err().to_string();
    assert!(
        error.contains("trigger") && error.contains("risk_period"),
        "{error}"
    );
}

proptest! {
    #[test]
    fn series_ids_survive_text(severity in ".{0,40}", product in ".{0,40}") {
        let id = SeriesId::of(
            "attack_volume".parse().unwrap(),
            [(Dimension::Severity, severity), (Dimension::Product, product)],
        );
        prop_assert_eq!(id.to_string().parse::<SeriesId>().unwrap(), id);
    }

    #[test]
    fn any_text_as_series_id_is_an_answer_not_a_panic(text in ".{0,80}") {
        if let Ok(id) = text.parse::<SeriesId>() {
            prop_assert_eq!(id.to_string().parse::<SeriesId>().unwrap(), id);
        }
    }

    #[test]
    fn repaired_quantiles_are_always_valid(values in prop::array::uniform5(-1e9_f64..1e9)) {
        let repaired = Quantiles::repaired(values).unwrap();
        prop_assert!(Quantiles::new(repaired.values()).is_ok());
    }

    #[test]
    fn floors_lie_at_or_before_the_moment(seconds in 0_i64..4_000_000_000, nanos in 0_u32..1_000_000_000) {
        let moment = chrono::DateTime::from_timestamp(seconds, nanos).unwrap();
        let hour = floor_hour(moment);
        prop_assert!(hour <= moment && (moment - hour).num_seconds() < 3600);
        prop_assert_eq!(hour.timestamp() % 3600, 0);
        prop_assert_eq!(floor_day(moment).timestamp() % 86400, 0);
    }
}
