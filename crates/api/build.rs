//! Compiles the protocol with protox, so that no `protoc` is needed.

use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let files: Vec<PathBuf> = [
        "types/v1/types.proto",
        "ingestion/v1/ingestion.proto",
        "ingestion/v1/pseudonyms.proto",
        "features/v1/features.proto",
        "training/v1/training.proto",
        "scoring/v1/scoring.proto",
        "governance/v1/governance.proto",
        "actions/v1/actions.proto",
        "orchestration/v1/orchestration.proto",
        "outbox/v1/outbox.proto",
        "writeback/v1/writeback.proto",
    ]
    .iter()
    .map(|file| root.join("foretide").join(file))
    .collect();
    let descriptors = protox::compile(&files, [&root])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("foretide.bin");
    std::fs::write(out, prost::Message::encode_to_vec(&descriptors))?;
    tonic_prost_build::configure()
        .type_attribute(".", "#[derive(serde::Serialize)]")
        .extern_path(".google.protobuf.Timestamp", "crate::Timestamp")
        .compile_fds(descriptors)?;
    Ok(())
}
