//! The wire is refused by field, errors leave with one code, and their causes stay inside.

use foretide_api::types::v1 as types;
use foretide_api::{
    ErrorCode, FieldError, ServiceError, Timestamp, into_status, moment, phase, quantiles,
    quantiles_message, span, text, timestamp,
};
use proptest::prelude::*;
use tonic::Code;

#[test]
fn a_missing_or_absurd_moment_names_its_field() {
    assert_eq!(
        moment("as_of", None).unwrap_err().to_string(),
        "field as_of is missing"
    );
    for (seconds, nanos) in [
        (i64::MAX, 0),
        (0, 0),
        (1_700_000_000, -1),
        (1_700_000_000, i32::MAX),
    ] {
        let error = moment("as_of", Some(Timestamp { seconds, nanos })).unwrap_err();
        assert_eq!(error.field, "as_of");
    }
}

#[test]
fn a_span_that_ends_before_it_starts_is_refused() {
    let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
    let backwards = types::TimeSpan {
        start: at(1_700_000_000),
        end: at(1_600_000_000),
    };
    assert!(span("span", Some(backwards)).is_err());
}

#[test]
fn crossing_quantiles_are_refused() {
    let crossing = types::Quantiles {
        q025: 1.0,
        q100: 0.5,
        q500: 2.0,
        q900: 3.0,
        q975: 4.0,
    };
    assert!(quantiles("quantiles", Some(crossing)).is_err());
}

#[test]
fn an_unspecified_phase_is_refused() {
    assert!(phase("phase", 0).is_err());
    assert!(phase("phase", 99).is_err());
}

#[test]
fn a_timestamp_reads_as_text_in_json() {
    let json = serde_json::to_string(&Timestamp {
        seconds: 1_700_000_000,
        nanos: 0,
    })
    .unwrap();
    assert_eq!(json, "\"2023-11-14T22:13:20Z\"");
}

#[derive(Debug, thiserror::Error)]
#[error("database said: password=hunter2")]
struct Leaky;

impl ServiceError for Leaky {
    fn code(&self) -> ErrorCode {
        ErrorCode::Internal
    }
}

#[test]
fn an_internal_error_keeps_its_details_inside() {
    let status = into_status(Leaky);
    assert_eq!(status.code(), Code::Internal);
    assert!(!status.message().contains("hunter2"), "{status}");
    let status = into_status(FieldError::new("run_id", "is empty"));
    assert_eq!(
        (status.code(), status.message()),
        (Code::InvalidArgument, "field run_id is empty")
    );
}

proptest! {
    #[test]
    fn moments_survive_the_wire(seconds in 946_684_800_i64..4_102_444_800, nanos in 0_u32..1_000_000_000) {
        let at = chrono::DateTime::from_timestamp(seconds, nanos).unwrap();
        prop_assert_eq!(moment("at", timestamp(at)).unwrap(), at);
    }

    #[test]
    fn quantiles_survive_the_wire(mut values in prop::array::uniform5(0.0_f64..1e9)) {
        values.sort_by(f64::total_cmp);
        let valid = foretide_domain::Quantiles::new(values).unwrap();
        prop_assert_eq!(quantiles("q", quantiles_message(&valid)).unwrap(), valid);
    }

    #[test]
    fn accepted_text_holds_no_control_characters(raw in any::<String>()) {
        if let Ok(kept) = text("comment", &raw, 100) {
            prop_assert!(kept.chars().count() <= 100);
            prop_assert!(kept.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
        }
    }
}
