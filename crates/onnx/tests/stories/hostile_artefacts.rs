//! Bytes that are not what they should be end in an error that says what is wrong.

use foretide_forecasting::{PanelModel, PanelSchema};
use foretide_onnx::{OnnxError, OnnxForecaster, metadata, write};
use proptest::prelude::*;

use crate::support::{random_panel, runtime, trained};

fn model() -> PanelModel {
    trained(&random_panel(1, 1, 20, 0))
}

fn refusal(artefact: &[u8]) -> OnnxError {
    OnnxForecaster::load(&runtime(), artefact).unwrap_err()
}

fn replaced(artefact: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(
        from.len(),
        to.len(),
        "so that the lengths in the protobuf stay true"
    );
    let at = artefact
        .windows(from.len())
        .position(|window| window == from.as_bytes())
        .unwrap();
    let mut changed = artefact.to_vec();
    changed[at..at + to.len()].copy_from_slice(to.as_bytes());
    changed
}

#[test]
fn nothing_and_garbage_are_no_models() {
    assert!(matches!(refusal(b""), OnnxError::Corrupt(_)));
    assert!(matches!(
        refusal(b"\x7fELF and so on"),
        OnnxError::Corrupt(_)
    ));
}

#[test]
fn an_artefact_cut_anywhere_is_refused() {
    let artefact = write(&model()).unwrap();
    for share in [1, 10, 50, 90, 99] {
        let cut = &artefact[..artefact.len() * share / 100];
        OnnxForecaster::load(&runtime(), cut).unwrap_err();
    }
}

#[test]
fn a_model_with_another_signature_is_foreign() {
    let artefact = write(&model()).unwrap();
    let other = replaced(&artefact, "foretide.panel.v6", "foretide.panel.v9");
    let error = refusal(&other).to_string();
    assert!(error.contains("\"foretide.panel.v9\""), "{error}");
}

#[test]
fn a_model_of_an_earlier_release_is_refused_with_what_to_do() {
    let artefact = write(&model()).unwrap();
    let older = replaced(&artefact, "foretide.panel.v6", "foretide.panel.v3");
    let error = refusal(&older).to_string();
    assert!(
        error.contains("older kind") && error.contains("train again"),
        "{error}"
    );
}

#[test]
fn a_model_without_our_metadata_is_foreign() {
    let artefact = write(&model()).unwrap();
    let other = replaced(&artefact, metadata::SCHEMA_KEY, "sometide.schema");
    let error = refusal(&other).to_string();
    assert!(
        error.contains("no metadata entry \"foretide.schema\""),
        "{error}"
    );
}

#[test]
fn a_schema_that_contradicts_itself_is_refused() {
    let good = model();
    let schema = PanelSchema {
        notes: vec![],
        ..good.schema.clone()
    };
    let error = refusal(&write(&PanelModel { schema, ..good }).unwrap()).to_string();
    assert!(error.contains("1 series but 0 notes"), "{error}");
}

#[test]
fn a_schema_without_the_state_of_a_series_is_refused() {
    let good = model();
    let schema = PanelSchema {
        states: vec![],
        ..good.schema.clone()
    };
    let error = refusal(&write(&PanelModel { schema, ..good }).unwrap()).to_string();
    assert!(error.contains("1 series but 0 states"), "{error}");
}

#[test]
fn a_graph_with_an_unknown_operator_is_refused_by_the_runtime() {
    let artefact = write(&model()).unwrap();
    let error = refusal(&replaced(&artefact, "Transpose", "Teleports"));
    assert!(matches!(error, OnnxError::Refused(_)), "{error}");
}

#[test]
fn a_model_whose_schema_and_parameters_differ_is_not_written() {
    let mut model = model();
    model.series.clear();
    assert!(write(&model).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn reading_any_bytes_is_an_answer_not_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(metadata::read_schema(&bytes).is_err());
    }

    #[test]
    fn reading_a_damaged_artefact_is_an_answer_not_a_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut artefact = write(&model()).unwrap();
        let at = at.index(artefact.len());
        artefact[at] = byte;
        let _answer: Result<_, _> = metadata::read_schema(&artefact);
    }
}
