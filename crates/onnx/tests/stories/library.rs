//! Loading the shared library never panics, and says what to do.

use std::path::Path;

use foretide_onnx::{OnnxError, Runtime, library};

use crate::support::{runtime, shared_library};

#[test]
fn a_missing_library_is_named_with_what_to_do() {
    let error = Runtime::load(Path::new("/nowhere/libonnxruntime.so")).unwrap_err();
    assert!(matches!(error, OnnxError::LibraryMissing(_)));
    let words = error.to_string();
    assert!(
        words.contains("/nowhere/libonnxruntime.so") && words.contains("ORT_DYLIB_PATH"),
        "{words}"
    );
}

#[test]
fn a_second_library_is_refused_and_the_first_one_again_is_fine() {
    runtime();
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("libonnxruntime.so");
    std::fs::write(&other, b"no library").unwrap();
    let error = Runtime::load(&other).unwrap_err();
    assert!(matches!(error, OnnxError::AlreadyLoaded { .. }), "{error}");
    Runtime::load(&shared_library()).unwrap();
}

#[test]
fn many_at_once_find_one_library() {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools");
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| library::ensure(&tools).unwrap()))
            .collect();
        for handle in handles {
            assert!(handle.join().unwrap().is_file());
        }
    });
}
