//! Paths inside the lake.

use object_store::path::Path;

use crate::LakeError;

const MAX_PATH_BYTES: usize = 900;

/// Checks that a path stays inside the lake and can be stored everywhere: relative, no empty, `.`
/// or `..` segment, no backslash, no control character, at most 900 bytes.
///
/// # Errors
/// [`LakeError::InvalidPath`] names the problem.
pub fn check_path(path: &str) -> Result<(), LakeError> {
    parse(path).map(drop)
}

pub(crate) fn parse(path: &str) -> Result<Path, LakeError> {
    match problem_of(path) {
        Some(problem) => Err(refused(path, problem)),
        None => {
            Path::parse(path).map_err(|_| refused(path, "it has characters that cannot be stored"))
        }
    }
}

fn problem_of(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return Some("it is empty");
    }
    if path.len() > MAX_PATH_BYTES {
        return Some("it is longer than 900 bytes");
    }
    if path.starts_with('/') {
        return Some("it is absolute");
    }
    if path.contains('\\') || path.contains(':') {
        return Some("it has a backslash or a colon");
    }
    if path.chars().any(char::is_control) {
        return Some("it has a control character");
    }
    for segment in path.split('/') {
        match segment {
            "" => return Some("it has an empty segment"),
            "." | ".." => return Some("it has a . or .. segment"),
            _ => {}
        }
    }
    None
}

fn refused(path: &str, problem: &'static str) -> LakeError {
    LakeError::InvalidPath {
        path: path.chars().take(256).collect(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_paths_pass() {
        for path in [
            "a",
            "buckets/incidents/2026-11-23/1.parquet",
            "models/a b/c=d/é.onnx",
        ] {
            check_path(path).unwrap();
        }
    }

    #[test]
    fn hostile_paths_are_refused() {
        let long = "a".repeat(901);
        let hostile = [
            "",
            "/etc/passwd",
            "..",
            "a/../b",
            "a/./b",
            "a//b",
            "a/",
            "a\\b",
            "c:/x",
            "a\0b",
            "a\nb",
            "a/..",
            long.as_str(),
        ];
        for path in hostile {
            assert!(check_path(path).is_err(), "{path:?} must be refused");
        }
    }

    proptest! {
        #[test]
        fn no_accepted_path_leaves_the_root(path in "[a./\\\\%:\u{0}-\u{1f}b]{0,24}") {
            if check_path(&path).is_ok() {
                prop_assert!(!path.starts_with('/'));
                prop_assert!(path.split('/').all(|segment| !segment.is_empty() && segment != ".." && segment != "."));
                let root = std::path::Path::new("/lake");
                prop_assert!(root.join(&path).starts_with(root));
            }
        }
    }
}
