//! The files of the Numenta Anomaly Benchmark, read where they lie.

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use chrono::{DateTime, NaiveDateTime, Utc};
use flate2::read::GzDecoder;

/// One series of the benchmark.
pub(crate) struct NabFile {
    /// As the labels name it: folder/name.csv.
    pub(crate) name: String,
    /// Times (taken as UTC) and values, in file order.
    pub(crate) points: Vec<(DateTime<Utc>, f64)>,
}

/// Every `data/*/*.csv.gz` below `root`, in order of name.
pub(crate) fn read(root: &Path) -> Result<Vec<NabFile>, Box<dyn Error>> {
    let mut files = Vec::new();
    for folder in std::fs::read_dir(root.join("data"))? {
        for entry in std::fs::read_dir(folder?.path())? {
            files.push(read_file(&entry?.path())?);
        }
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}

fn read_file(path: &Path) -> Result<NabFile, Box<dyn Error>> {
    let mut text = String::new();
    GzDecoder::new(File::open(path)?).read_to_string(&mut text)?;
    let part = |part: Option<&std::ffi::OsStr>| {
        let name = part.unwrap_or_default().to_string_lossy();
        name.trim_end_matches(".gz").to_owned()
    };
    let folder = part(path.parent().and_then(Path::file_name));
    let mut points = Vec::new();
    for line in text.lines().skip(1) {
        let (at, value) = line.split_once(',').ok_or("a line without a comma")?;
        let at = NaiveDateTime::parse_from_str(at, "%Y-%m-%d %H:%M:%S")?.and_utc();
        points.push((at, value.trim().parse()?));
    }
    Ok(NabFile {
        name: format!("{folder}/{}", part(path.file_name())),
        points,
    })
}
