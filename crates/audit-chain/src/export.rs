//! The chain as a file: NDJSON that can be verified with nothing but this crate.
//!
//! First line `{"foretide_audit_chain":1}`, then one record a line, last line
//! `{"head":{"sequence":N,"hash":"…"}}`. The last line shows that the file is whole; that the chain
//! itself is whole up to a moment is shown by a checkpoint kept elsewhere.

use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, Serialize};

use crate::record::{AuditRecord, Head};
use crate::verify::{Broken, Verifier};

/// Longest line that is read, bytes. Details are limited far below this when they are recorded.
pub const MAX_LINE_BYTES: usize = 1 << 20;

const FORMAT_VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Opening {
    foretide_audit_chain: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Closing {
    head: Head,
}

/// A file that is no whole, unbroken chain.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read the file")]
    Io(#[from] io::Error),
    /// A line is not what it must be.
    #[error("line {line}: {problem}")]
    Line {
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        problem: LineProblem,
    },
    /// A record does not fit.
    #[error("line {line}: {broken}")]
    Broken {
        /// Counted from 1.
        line: u64,
        /// Which record, and why.
        broken: Broken,
    },
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum LineProblem {
    /// The first line does not say that this is an exported chain.
    #[error("not an exported audit chain: the first line must be {{\"foretide_audit_chain\":1}}")]
    NotAnExport,
    /// Made by a newer version.
    #[error("format version {0} is not known to this program")]
    UnknownVersion(u32),
    /// Longer than [`MAX_LINE_BYTES`].
    #[error("longer than {MAX_LINE_BYTES} bytes")]
    TooLong,
    /// Not a record and not the closing line.
    #[error("not an audit record: {0}")]
    NotARecord(serde_json::Error),
    /// Reads as a record, but not written the way it is exported.
    #[error("not written the way it was exported: it was edited or reformatted")]
    NotAsWritten,
    /// The file ends before its closing line.
    #[error("the file ends without its closing line: it was cut off")]
    NoClosing,
    /// There is something after the closing line.
    #[error("there is more after the closing line")]
    AfterClosing,
    /// The closing line names another head than the records have.
    #[error(
        "the closing line says that the chain ends at record {0}, which is not how the records end"
    )]
    OtherHead(u64),
}

/// Writes a chain, record by record.
#[derive(Debug)]
pub struct Exporter<W> {
    writer: W,
    head: Head,
}

impl<W: Write> Exporter<W> {
    /// Writes the opening line.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn begin(mut writer: W) -> io::Result<Self> {
        write_line(
            &mut writer,
            &Opening {
                foretide_audit_chain: FORMAT_VERSION,
            },
        )?;
        Ok(Self {
            writer,
            head: Head::genesis(),
        })
    }

    /// Writes one record.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn push(&mut self, record: &AuditRecord) -> io::Result<()> {
        self.head = record.head();
        write_line(&mut self.writer, record)
    }

    /// Writes the closing line and gives back the writer.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn finish(mut self) -> io::Result<W> {
        write_line(&mut self.writer, &Closing { head: self.head })?;
        self.writer.flush()?;
        Ok(self.writer)
    }
}

/// Whether the line is byte for byte what an export has for this entry. JSON has many texts for one
/// value; here only one is taken, so that no byte of the file can be changed unseen.
fn is_as_written(entry: &impl Serialize, line: &[u8]) -> bool {
    serde_json::to_vec(entry).is_ok_and(|written| written == line)
}

fn write_line(writer: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *writer, line)?;
    writer.write_all(b"\n")
}

/// Reads an exported chain and checks it on the way by a fresh verifier, which has what is known of it
/// from elsewhere.
///
/// # Errors
/// When the file is not a whole export, or the chain in it is broken; the line is named.
pub fn verify_file(reader: impl BufRead, mut verifier: Verifier) -> Result<Head, ImportError> {
    let mut lines = Lines {
        reader,
        number: 0,
        buffer: Vec::new(),
    };
    lines.expect_opening()?;
    loop {
        match lines.next_entry()? {
            Entry::Record(record) => {
                let line = lines.number;
                verifier
                    .push(&record)
                    .map_err(|broken| ImportError::Broken { line, broken })?;
            }
            Entry::Closing(closing) => {
                let line = lines.number;
                lines.expect_end()?;
                let head = verifier
                    .finish()
                    .map_err(|broken| ImportError::Broken { line, broken })?;
                return if head == closing {
                    Ok(head)
                } else {
                    Err(ImportError::Line {
                        line,
                        problem: LineProblem::OtherHead(closing.sequence),
                    })
                };
            }
        }
    }
}

enum Entry {
    Record(Box<AuditRecord>),
    Closing(Head),
}

struct Lines<R> {
    reader: R,
    number: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// The next line without its line break; nothing at the end of the file.
    fn read(&mut self) -> Result<Option<&[u8]>, ImportError> {
        self.number += 1;
        self.buffer.clear();
        let limit = MAX_LINE_BYTES as u64 + 1;
        let read = (&mut self.reader)
            .take(limit)
            .read_until(b'\n', &mut self.buffer)?;
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
        } else if self.buffer.len() > MAX_LINE_BYTES {
            return Err(self.problem(LineProblem::TooLong));
        }
        Ok((read > 0).then_some(self.buffer.as_slice()))
    }

    fn problem(&self, problem: LineProblem) -> ImportError {
        ImportError::Line {
            line: self.number,
            problem,
        }
    }

    fn expect_opening(&mut self) -> Result<(), ImportError> {
        let line = self.read()?.unwrap_or_default();
        let opening = serde_json::from_slice::<Opening>(line);
        match opening {
            Ok(Opening {
                foretide_audit_chain: FORMAT_VERSION,
            }) => Ok(()),
            Ok(other) => Err(self.problem(LineProblem::UnknownVersion(other.foretide_audit_chain))),
            Err(_) => Err(self.problem(LineProblem::NotAnExport)),
        }
    }

    fn next_entry(&mut self) -> Result<Entry, ImportError> {
        let Some(line) = self.read()? else {
            return Err(self.problem(LineProblem::NoClosing));
        };
        if let Ok(closing) = serde_json::from_slice::<Closing>(line) {
            return match is_as_written(&closing, line) {
                true => Ok(Entry::Closing(closing.head)),
                false => Err(self.problem(LineProblem::NotAsWritten)),
            };
        }
        match serde_json::from_slice::<AuditRecord>(line) {
            Ok(record) if is_as_written(&record, line) => Ok(Entry::Record(Box::new(record))),
            Ok(_) => Err(self.problem(LineProblem::NotAsWritten)),
            Err(error) => Err(self.problem(LineProblem::NotARecord(error))),
        }
    }

    fn expect_end(&mut self) -> Result<(), ImportError> {
        match self.read()? {
            None => Ok(()),
            Some(_) => Err(self.problem(LineProblem::AfterClosing)),
        }
    }
}
