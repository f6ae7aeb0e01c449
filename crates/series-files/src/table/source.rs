//! What a file is by its first bytes, and a form of it that can be read several times.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use encoding_rs::{CoderResult, Encoding, UTF_16BE, UTF_16LE};
use flate2::read::MultiGzDecoder;
use tempfile::{NamedTempFile, TempPath};

use super::{empty, workbook};
use crate::error::SeriesFileError;
use crate::layout::LayoutOptions;

const BUFFER: usize = 128 * 1024;

/// Bytes that tell what a file is.
const HEAD: usize = 512;

/// Formats that are known but not read, by how they begin.
const OTHERS: [(&[u8], &str); 10] = [
    (b"{", "JSON"),
    (b"[", "JSON"),
    (b"<", "XML or HTML"),
    (b"%PDF", "PDF"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd"),
    (b"BZh", "packed by bzip2"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"ARROW1", "Arrow IPC"),
    (b"Obj\x01", "Avro"),
    (b"ORC", "ORC"),
];

/// A file, or a temporary copy of it that is plain to read.
#[derive(Debug)]
pub(super) struct Source {
    shown: PathBuf,
    copy: Option<TempPath>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    GzippedText,
    Sheet,
    Parquet,
}

impl Source {
    /// Takes the standard input for `-`; turns UTF-16 and workbooks into plain text.
    pub(super) fn open(path: &Path, options: &LayoutOptions) -> Result<Self, SeriesFileError> {
        let mut source = Self {
            shown: path.to_path_buf(),
            copy: None,
            kind: Kind::Text,
        };
        if path == Path::new("-") {
            source.shown = PathBuf::from("standard input");
            source.copy = Some(spool(&source.shown, &mut std::io::stdin().lock())?);
        }
        let head = source.first_bytes(false)?;
        source.kind = match head.as_slice() {
            [] => return Err(empty(&source.shown)),
            [0x1f, 0x8b, ..] => Kind::GzippedText,
            [b'P', b'A', b'R', b'1', ..] => Kind::Parquet,
            [b'P', b'K', 3, 4, ..] | [0xd0, 0xcf, 0x11, 0xe0, ..] => Kind::Sheet,
            _ => Kind::Text,
        };
        match source.kind {
            Kind::Parquet => {}
            Kind::Sheet => {
                let text = workbook::text_of(&source, options.sheet.as_deref())?;
                source.copy = Some(spool(&source.shown, &mut text.as_slice())?);
            }
            Kind::Text | Kind::GzippedText => source.take_text()?,
        }
        Ok(source)
    }

    pub(super) fn shown(&self) -> &Path {
        &self.shown
    }

    pub(super) fn is_parquet(&self) -> bool {
        self.kind == Kind::Parquet
    }

    /// Whether its lines are the rows of a sheet.
    pub(super) fn is_sheet(&self) -> bool {
        self.kind == Kind::Sheet
    }

    pub(super) fn file(&self) -> Result<File, SeriesFileError> {
        let path = self.copy.as_deref().unwrap_or(&self.shown);
        File::open(path).map_err(|error| SeriesFileError::unreadable(&self.shown, &error))
    }

    /// Its text, unpacked.
    pub(super) fn text(&self) -> Result<Box<dyn Read>, SeriesFileError> {
        let buffered = BufReader::with_capacity(BUFFER, self.file()?);
        Ok(if self.kind == Kind::GzippedText {
            Box::new(MultiGzDecoder::new(buffered))
        } else {
            Box::new(buffered)
        })
    }

    fn first_bytes(&self, unpacked: bool) -> Result<Vec<u8>, SeriesFileError> {
        let mut head = Vec::new();
        let mut reader: Box<dyn Read> = if unpacked {
            self.text()?
        } else {
            Box::new(self.file()?)
        };
        reader
            .by_ref()
            .take(HEAD as u64)
            .read_to_end(&mut head)
            .map_err(|error| SeriesFileError::unreadable(&self.shown, &error))?;
        Ok(head)
    }

    /// Sees to it that it is text, in UTF-8.
    fn take_text(&mut self) -> Result<(), SeriesFileError> {
        let head = self.first_bytes(true)?;
        if let Some(encoding) = utf_16(&head) {
            let text = self.text()?;
            self.copy = Some(recoded(&self.shown, text, encoding)?);
            self.kind = Kind::Text;
            return Ok(());
        }
        let advice = "export it as CSV, Parquet or an Excel workbook";
        let begin = head.trim_ascii_start();
        if let Some((_, format)) = OTHERS.iter().find(|(mark, _)| begin.starts_with(mark)) {
            let problem = format!("is {format}, which is not read");
            return Err(SeriesFileError::of_file(&self.shown, problem, advice));
        }
        if head.contains(&0) {
            let problem = "holds NUL bytes, so it is no text table";
            return Err(SeriesFileError::of_file(&self.shown, problem, advice));
        }
        Ok(())
    }
}

/// What UTF-16 begins with, and how its Latin letters look without a mark.
fn utf_16(head: &[u8]) -> Option<&'static Encoding> {
    let nuls_at = |odd: usize| {
        let pairs = head.chunks_exact(2).take(16);
        head.len() >= 8
            && pairs
                .into_iter()
                .all(|pair| pair[odd] == 0 && pair[1 - odd] != 0)
    };
    match head {
        [0xff, 0xfe, ..] => Some(UTF_16LE),
        [0xfe, 0xff, ..] => Some(UTF_16BE),
        _ if nuls_at(1) => Some(UTF_16LE),
        _ if nuls_at(0) => Some(UTF_16BE),
        _ => None,
    }
}

/// A temporary copy; it vanishes with the table.
fn spool(shown: &Path, from: &mut dyn Read) -> Result<TempPath, SeriesFileError> {
    let unreadable = |error: &dyn std::fmt::Display| SeriesFileError::unreadable(shown, error);
    let mut copy = NamedTempFile::new().map_err(|error| unreadable(&error))?;
    std::io::copy(from, copy.as_file_mut()).map_err(|error| unreadable(&error))?;
    Ok(copy.into_temp_path())
}

/// A copy in UTF-8.
fn recoded(
    shown: &Path,
    mut from: Box<dyn Read>,
    encoding: &'static Encoding,
) -> Result<TempPath, SeriesFileError> {
    let unreadable = |error: &dyn std::fmt::Display| SeriesFileError::unreadable(shown, error);
    let mut copy = NamedTempFile::new().map_err(|error| unreadable(&error))?;
    let mut decoder = encoding.new_decoder_with_bom_removal();
    let mut bytes = vec![0; BUFFER];
    let mut text = vec![0; 4 * BUFFER];
    loop {
        let count = from.read(&mut bytes).map_err(|error| unreadable(&error))?;
        let mut rest = &bytes[..count];
        loop {
            let (result, read, written, is_damaged) =
                decoder.decode_to_utf8(rest, &mut text, count == 0);
            if is_damaged {
                return Err(SeriesFileError::of_file(
                    shown,
                    format!("is damaged {} text", encoding.name()),
                    "export it again, as CSV in UTF-8",
                ));
            }
            copy.write_all(&text[..written])
                .map_err(|error| unreadable(&error))?;
            rest = &rest[read..];
            if result == CoderResult::InputEmpty {
                break;
            }
        }
        if count == 0 {
            return Ok(copy.into_temp_path());
        }
    }
}
