//! A file that is no shared library is refused with its reason, and a good one loads afterwards.
//! A process of its own, because a runtime is loaded once for all.

use std::path::Path;

use foretide_onnx::{OnnxError, Runtime, library};

#[test]
fn a_file_that_is_no_library_does_not_spoil_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let fake = folder.path().join("libonnxruntime.so");
    std::fs::write(&fake, b"no library").unwrap();
    let error = Runtime::load(&fake).unwrap_err();
    assert!(
        matches!(error, OnnxError::LibraryUnusable { .. }),
        "{error}"
    );
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools");
    Runtime::load(&library::ensure(&tools).unwrap()).unwrap();
}
