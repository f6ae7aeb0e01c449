//! What an artefact says about itself, and what it must not do.

use foretide_forecasting::{PanelSchema, SIGNATURE};
use prost::Message;

use crate::error::OnnxError;
use crate::proto::{GraphProto, ModelProto, StringStringEntryProto, TensorProto, tensor_proto};

/// Metadata key under which the signature of inputs and outputs stands.
pub const SIGNATURE_KEY: &str = "foretide.signature";

/// Metadata key under which the [`PanelSchema`] stands as JSON.
pub const SCHEMA_KEY: &str = "foretide.schema";

/// Signatures of earlier releases, which cannot be run any more.
const OLDER_SIGNATURES: [&str; 5] = [
    "foretide.panel.v1",
    "foretide.panel.v2",
    "foretide.panel.v3",
    "foretide.panel.v4",
    "foretide.panel.v5",
];

/// Largest artefact taken: what a protobuf message may hold.
const LARGEST_ARTEFACT: usize = 2 * 1024 * 1024 * 1024 - 1;

pub(crate) fn entries(schema: &PanelSchema) -> Vec<StringStringEntryProto> {
    let json = serde_json::to_string(schema).expect("a schema has only string keys");
    [
        (SIGNATURE_KEY, schema.signature.clone()),
        (SCHEMA_KEY, json),
    ]
    .map(|(key, value)| StringStringEntryProto {
        key: Some(key.to_owned()),
        value: Some(value),
    })
    .into()
}

/// Reads the schema of an artefact without running it.
///
/// # Errors
/// When the bytes are no ONNX model, when it is not one of ours or like ours, or when it would
/// read files outside itself.
pub fn read_schema(artefact: &[u8]) -> Result<PanelSchema, OnnxError> {
    if artefact.is_empty() || artefact.len() > LARGEST_ARTEFACT {
        return Err(OnnxError::Corrupt(format!(
            "it has {} bytes",
            artefact.len()
        )));
    }
    let model =
        ModelProto::decode(artefact).map_err(|error| OnnxError::Corrupt(error.to_string()))?;
    let graph = model.graph.as_ref();
    let graph = graph.ok_or_else(|| OnnxError::Corrupt("it holds no graph".to_owned()))?;
    refuse_external_data(graph)?;
    let signature = entry(&model, SIGNATURE_KEY)?;
    if signature != SIGNATURE {
        let found: String = signature.chars().take(64).collect();
        let problem = if OLDER_SIGNATURES.contains(&signature) {
            format!("it is of an older kind, {found:?}: train again to get one of {SIGNATURE:?}")
        } else {
            format!("its signature is {found:?}, not {SIGNATURE:?}")
        };
        return Err(OnnxError::Foreign(problem));
    }
    let schema: PanelSchema = serde_json::from_str(entry(&model, SCHEMA_KEY)?)
        .map_err(|error| OnnxError::Foreign(format!("its schema cannot be read: {error}")))?;
    check(&schema)?;
    Ok(schema)
}

fn entry<'a>(model: &'a ModelProto, key: &str) -> Result<&'a str, OnnxError> {
    let found = model.metadata_props.iter().find(|entry| entry.key() == key);
    let value = found.map(StringStringEntryProto::value);
    value.ok_or_else(|| OnnxError::Foreign(format!("it has no metadata entry {key:?}")))
}

/// An artefact is one file. One that names others could make the scorer read what it should not.
fn refuse_external_data(graph: &GraphProto) -> Result<(), OnnxError> {
    let attributes = graph.node.iter().flat_map(|node| &node.attribute);
    let subgraphs = attributes
        .clone()
        .flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
    for subgraph in subgraphs {
        refuse_external_data(subgraph)?;
    }
    let constants = attributes.flat_map(|attribute| attribute.t.iter().chain(&attribute.tensors));
    let is_external = |tensor: &TensorProto| {
        tensor.data_location() == tensor_proto::DataLocation::External
            || !tensor.external_data.is_empty()
    };
    match graph
        .initializer
        .iter()
        .chain(constants)
        .find(|tensor| is_external(tensor))
    {
        None => Ok(()),
        Some(tensor) => Err(OnnxError::Foreign(format!(
            "tensor {:?} lies in another file: only self-contained models are served",
            tensor.name().chars().take(64).collect::<String>()
        ))),
    }
}

fn check(schema: &PanelSchema) -> Result<(), OnnxError> {
    let series = schema.series.len();
    let columns = [
        ("kinds", schema.kinds.len()),
        ("notes", schema.notes.len()),
        ("learning", schema.learning.len()),
        ("states", schema.states.len()),
        ("counts", schema.counts.len()),
        ("window_spreads", schema.window_spreads.len()),
        ("vettings", schema.vettings.len()),
    ];
    for (column, got) in columns {
        if got != series {
            let problem = format!("its schema has {series} series but {got} {column}");
            return Err(OnnxError::Foreign(problem));
        }
    }
    Ok(())
}
