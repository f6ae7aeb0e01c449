//! Places that results go to.

use std::path::Path;

use crate::error::SeriesFileError;

/// Checks that a result can go to a place and takes nothing away there: its folder exists, it is no
/// folder itself, and it is neither one of the files read nor in a folder that is read.
///
/// # Errors
/// When one of these is not so.
pub fn check_output(output: &Path, inputs: &[&Path]) -> Result<(), SeriesFileError> {
    let refuse =
        |problem: String, advice: &str| Err(SeriesFileError::of_file(output, problem, advice));
    if is_standard(output) {
        return Ok(());
    }
    let folder = folder_of(output);
    if !folder.is_dir() {
        let problem = format!("cannot be written: there is no folder {}", folder.display());
        return refuse(problem, "make the folder first, or name another place");
    }
    if output.is_dir() {
        return refuse("is a folder".to_owned(), "name a file in it");
    }
    let unwritable = |error| SeriesFileError::unwritable(output, &error);
    let place = match output.canonicalize() {
        Ok(place) => place,
        Err(_) => folder
            .canonicalize()
            .map_err(unwritable)?
            .join(output.file_name().unwrap_or_default()),
    };
    // An input that is not there is the matter of whoever reads it.
    let read = |input: &&&Path| input.canonicalize().is_ok_and(|at| place.starts_with(at));
    match inputs.iter().find(read) {
        None => Ok(()),
        Some(input) if input.is_dir() => refuse(
            format!("lies in {}, which is read", input.display()),
            "name a place outside it, so that no result is taken for a history",
        ),
        Some(_) => refuse(
            "is read, and would be written over".to_owned(),
            "name another file",
        ),
    }
}

/// Whether `-` is given for the standard output.
#[must_use]
pub fn is_standard(output: &Path) -> bool {
    output == Path::new("-")
}

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
