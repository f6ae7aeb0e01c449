//! Rows of series that stand interleaved, sorted into buckets on disk so that only one bucket is
//! held at a time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::assemble::Row;
use crate::error::{Place, SeriesFileError};

/// Rows of a bucket, on average.
const BUCKET_ROWS: u64 = 500_000;

/// Most buckets: each is an open file.
const MOST_BUCKETS: u64 = 128;

/// Bytes of a row: series, seconds, value, whether it is a line, line or row.
const RECORD: usize = 4 + 8 + 8 + 1 + 8;

/// What is done with the rows of a series, known by its place.
type EachGroup<'a, E> = &'a mut dyn FnMut(usize, &mut [Row]) -> Result<(), E>;

/// Rows sorted by series into buckets.
pub(crate) struct Spill {
    history: PathBuf,
    buckets: Vec<BufWriter<File>>,
}

impl Spill {
    /// Buckets for that many rows, in temporary files that vanish with the process.
    pub(crate) fn new(history: &Path, rows: u64) -> Result<Self, SeriesFileError> {
        let count = rows.div_ceil(BUCKET_ROWS).clamp(1, MOST_BUCKETS);
        let buckets = (0..count)
            .map(|_| Ok(BufWriter::new(tempfile::tempfile()?)))
            .collect::<std::io::Result<_>>()
            .map_err(|error| no_room(&error))?;
        Ok(Self {
            history: history.to_path_buf(),
            buckets,
        })
    }

    pub(crate) fn push(&mut self, series: usize, row: Row) -> Result<(), SeriesFileError> {
        let count = self.buckets.len();
        let series = u32::try_from(series).map_err(|_| {
            SeriesFileError::of_file(
                &self.history,
                "has more than four thousand million series",
                "split it",
            )
        })?;
        let (is_line, number) = match row.place {
            Place::Row(row) => (0, row),
            Place::Line(line) => (1, line),
            Place::File => (1, 0),
        };
        let mut record = [0; RECORD];
        record[..4].copy_from_slice(&series.to_le_bytes());
        record[4..12].copy_from_slice(&row.seconds.to_le_bytes());
        record[12..20].copy_from_slice(&row.value.to_le_bytes());
        record[20] = is_line;
        record[21..].copy_from_slice(&number.to_le_bytes());
        self.buckets[series as usize % count]
            .write_all(&record)
            .map_err(|error| no_room(&error))
    }

    /// Calls `each` with the rows of every series.
    pub(crate) fn for_each_group<E: From<SeriesFileError>>(
        self,
        each: EachGroup<'_, E>,
    ) -> Result<(), E> {
        for bucket in self.buckets {
            for (series, mut rows) in read_bucket(bucket).map_err(|error| no_room(&error))? {
                each(series, &mut rows)?;
            }
        }
        Ok(())
    }
}

fn read_bucket(bucket: BufWriter<File>) -> std::io::Result<BTreeMap<usize, Vec<Row>>> {
    let mut file = bucket
        .into_inner()
        .map_err(std::io::IntoInnerError::into_error)?;
    let records = file.stream_position()? / RECORD as u64;
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::new(file);
    let mut record = [0; RECORD];
    let mut groups: BTreeMap<usize, Vec<Row>> = BTreeMap::new();
    for _ in 0..records {
        reader.read_exact(&mut record)?;
        let number = u64::from_le_bytes(part(&record[21..]));
        let row = Row {
            seconds: i64::from_le_bytes(part(&record[4..12])),
            value: f64::from_le_bytes(part(&record[12..20])),
            place: if record[20] == 1 {
                Place::Line(number)
            } else {
                Place::Row(number)
            },
        };
        let series = u32::from_le_bytes(part(&record[..4]));
        groups.entry(series as usize).or_default().push(row);
    }
    Ok(groups)
}

fn part<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(bytes);
    part
}

fn no_room(error: &std::io::Error) -> SeriesFileError {
    SeriesFileError::unwritable(&std::env::temp_dir(), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_comes_back_whole_from_several_buckets() {
        let mut spill = Spill::new(Path::new("h.csv"), 4 * BUCKET_ROWS).unwrap();
        assert_eq!(spill.buckets.len(), 4);
        let row = |series: usize, hour: usize| Row {
            seconds: hour as i64 * 3600,
            value: (series * 100 + hour) as f64,
            place: Place::Line((hour * 7 + series) as u64 + 2),
        };
        for hour in 0..50 {
            for series in 0..7 {
                spill.push(series, row(series, hour)).unwrap();
            }
        }
        let mut seen = Vec::new();
        spill
            .for_each_group::<SeriesFileError>(&mut |series, rows| {
                let expected: Vec<Row> = (0..50).map(|hour| row(series, hour)).collect();
                assert_eq!(rows, expected);
                seen.push(series);
                Ok(())
            })
            .unwrap();
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6]);
    }
}
