//! One object, from its bytes to its findings. Runs on a blocking thread.

use std::any::Any;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::{GetResult, GetResultPayload};
use polars::prelude::*;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;

use super::csv::{csv, judged};
use super::layout::Format;
use super::lines::next_line;
use super::plan::ReadPlan;
use super::taker::{Findings, Resume, Taker};
use crate::rows::{DateOrder, Reason, Record, Refusal, Scalar, parse_line};

/// Bytes at the beginning by which a replaced object is told from a grown one.
pub(super) const HEAD_BYTES: u64 = 1024;
const MAX_PARQUET_BYTES: u64 = 512 * 1024 * 1024;
/// Text inflates about twentyfold; far beyond that it is an attack.
const MAX_INFLATION: u64 = 250;
const INFLATION_ALLOWANCE: u64 = 16 * 1024 * 1024;

/// An object that gave no findings.
#[derive(Debug)]
pub(super) enum ObjectError {
    /// Not now: the store did not answer.
    Store(String),
    /// Never: the object itself is no good.
    Refused(Refusal),
}

/// How an object is to be read.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) format: Format,
    pub(super) gzip: bool,
    pub(super) plan: ReadPlan,
    pub(super) resume: Resume,
    /// The head found last time, `length:hash`; empty when it is new.
    pub(super) head: String,
    /// Which number of dates that end with their year is the day; judged beforehand.
    pub(super) dates: Option<DateOrder>,
    /// Whether an open last line will not be completed any more.
    pub(super) is_settled: bool,
    pub(super) size: u64,
}

/// Reads an object and tells its head.
pub(super) fn read(
    result: GetResult,
    mut task: Task,
    runtime: &Handle,
) -> Result<(Findings, String), ObjectError> {
    let mut source = Source::open(result, runtime)?;
    let beginning = source.peek(HEAD_BYTES)?;
    if !task.head.is_empty() && head_of(&beginning, length_of(&task.head)) != task.head {
        task.resume = Resume::default();
    }
    let head = head_of(&beginning, HEAD_BYTES);
    let findings = match task.format {
        Format::Parquet => parquet(source.rewound(beginning), &task),
        Format::JsonLines if !task.gzip => {
            let from = task.resume.consumed;
            let mut text = source.from(from, beginning)?;
            json_lines(&mut text, from, &task)
        }
        Format::JsonLines | Format::Csv => text(source.rewound(beginning), &task),
    }?;
    Ok((findings, head))
}

/// Judges how the dates of a CSV object are written.
pub(super) fn judge_dates(
    result: GetResult,
    task: &Task,
    runtime: &Handle,
) -> Result<Option<DateOrder>, ObjectError> {
    let source = Source::open(result, runtime)?;
    judged(&mut unpacked(source.rewound(Vec::new()), task), task)
}

fn text(raw: Box<dyn BufRead>, task: &Task) -> Result<Findings, ObjectError> {
    let mut reader = unpacked(raw, task);
    match task.format {
        Format::Csv => csv(&mut reader, task),
        _ => json_lines(&mut reader, 0, task),
    }
}

fn unpacked(raw: Box<dyn BufRead>, task: &Task) -> Box<dyn BufRead> {
    if !task.gzip {
        return raw;
    }
    let limit = task.size.saturating_mul(MAX_INFLATION) + INFLATION_ALLOWANCE;
    let inner = Limited {
        inner: MultiGzDecoder::new(raw),
        left: limit,
    };
    Box::new(BufReader::with_capacity(64 * 1024, inner))
}

fn json_lines(text: &mut dyn BufRead, start: u64, task: &Task) -> Result<Findings, ObjectError> {
    let mut taker = Taker::new(&task.plan, task.resume);
    let mut buffer = Vec::with_capacity(4096);
    let mut position = start;
    let mut lines = if start > 0 { task.resume.lines } else { 0 };
    while let Some(line) = next_line(text, &mut buffer).map_err(|error| broken(task, &error))? {
        lines += 1;
        let begin = position;
        position += line.length;
        if buffer.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if line.is_oversized {
            let refusal = Refusal::of_row(Reason::OversizedLine, &buffer);
            taker.row(begin, lines, Err(refusal), &buffer);
            continue;
        }
        let record = parse_line(&buffer, &task.plan.names);
        if !line.is_complete && record.is_err() {
            taker.incomplete(begin, lines, &buffer, task.is_settled);
            continue;
        }
        taker.row(begin, lines, record, &buffer);
    }
    Ok(taker.finish(position, lines))
}

pub(super) fn require(plan: &ReadPlan, has: impl Fn(usize) -> bool) -> Result<(), ObjectError> {
    if has(plan.required) {
        return Ok(());
    }
    let name = &plan.names[plan.required];
    Err(ObjectError::Refused(Refusal::of_object(
        Reason::MissingColumn,
        &format!("the column {name} is not there"),
    )))
}

/// Checks that an export job has written all the columns that are read, and times as times.
fn require_whole(plan: &ReadPlan, columns: &[Option<&Column>]) -> Result<(), ObjectError> {
    let refused =
        |reason, problem: String| ObjectError::Refused(Refusal::of_object(reason, &problem));
    let missing: Vec<&str> = plan
        .expected
        .iter()
        .filter(|column| columns[**column].is_none())
        .map(|column| plan.names[*column].as_str())
        .collect();
    if !missing.is_empty() {
        let names = missing.join(", ");
        let problem = format!("the job has not exported {names}: export the table without project");
        return Err(refused(Reason::MissingColumn, problem));
    }
    let time = columns[plan.required].filter(|column| {
        !matches!(
            column.dtype(),
            DataType::Datetime(..) | DataType::Date | DataType::String
        )
    });
    match time {
        Some(time) => {
            let problem = format!("{} is {}, not a time", time.name(), time.dtype());
            Err(refused(Reason::WrongType, problem))
        }
        None => Ok(()),
    }
}

fn parquet(mut raw: Box<dyn BufRead>, task: &Task) -> Result<Findings, ObjectError> {
    if task.size > MAX_PARQUET_BYTES {
        let problem = format!("{} bytes, at most {MAX_PARQUET_BYTES} are read", task.size);
        return Err(ObjectError::Refused(Refusal::of_object(
            Reason::OversizedObject,
            &problem,
        )));
    }
    let mut bytes = Vec::new();
    raw.read_to_end(&mut bytes)
        .map_err(|error| broken(task, &error))?;
    let read = || ParquetReader::new(Cursor::new(Bytes::from(bytes))).finish();
    let refused =
        |problem: &str| ObjectError::Refused(Refusal::of_object(Reason::BrokenObject, problem));
    let frame = match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(frame)) => frame,
        Ok(Err(error)) => return Err(refused(&error.to_string())),
        Err(panic) => return Err(refused(&panic_text(panic.as_ref()))),
    };
    let columns: Vec<Option<&Column>> = task
        .plan
        .names
        .iter()
        .map(|name| frame.column(name).ok())
        .collect();
    require(&task.plan, |column| columns[column].is_some())?;
    require_whole(&task.plan, &columns)?;
    let mut taker = Taker::new(&task.plan, task.resume);
    let mut identity = String::new();
    let mut row = 0_u64;
    for at in 0..frame.height() {
        if task.plan.needs_whole_rows() {
            write_row(&mut identity, &frame, at);
        }
        let mut record = Record::default();
        for (place, column) in record.values.iter_mut().zip(&columns) {
            if let Some(column) = column {
                *place = column.get(at).map_or(Scalar::Null, to_scalar);
            }
        }
        taker.row(row, row + 1, Ok(record), identity.as_bytes());
        row += 1;
    }
    Ok(taker.finish(row, row))
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("the reader gave up").to_owned()
}

/// All columns of a row as one text, by which it is told from others.
fn write_row(identity: &mut String, frame: &DataFrame, at: usize) {
    identity.clear();
    for column in frame.columns() {
        let value = column.get(at).unwrap_or(AnyValue::Null);
        write!(identity, "{value}\u{1f}").expect("writing to a text");
    }
}

fn to_scalar(value: AnyValue<'_>) -> Scalar<'_> {
    match value {
        AnyValue::Null => Scalar::Null,
        AnyValue::Boolean(flag) => Scalar::Bool(flag),
        AnyValue::String(text) => Scalar::Text(Cow::Borrowed(text)),
        AnyValue::StringOwned(text) => Scalar::Text(Cow::Owned(text.to_string())),
        AnyValue::Float32(number) => Scalar::Real(number.into()),
        AnyValue::Float64(number) => Scalar::Real(number),
        AnyValue::Date(days) => Scalar::Moment(i64::from(days) * crate::tables::DAY_MS),
        AnyValue::Datetime(moment, unit, _) => Scalar::Moment(to_millis(moment, unit)),
        AnyValue::DatetimeOwned(moment, unit, _) => Scalar::Moment(to_millis(moment, unit)),
        AnyValue::List(list) => match list.get(0) {
            Ok(AnyValue::String(text)) => Scalar::Text(Cow::Owned(text.to_owned())),
            _ => Scalar::Null,
        },
        other => other.extract::<i64>().map_or(Scalar::Null, Scalar::Integer),
    }
}

fn to_millis(moment: i64, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Nanoseconds => moment.div_euclid(1_000_000),
        TimeUnit::Microseconds => moment.div_euclid(1000),
        TimeUnit::Milliseconds => moment,
    }
}

/// A failure while reading: of the compressed text itself, or of the store.
pub(super) fn broken(task: &Task, error: &io::Error) -> ObjectError {
    let of_the_text = matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof
    );
    if error.kind() == io::ErrorKind::FileTooLarge {
        return ObjectError::Refused(Refusal::of_object(
            Reason::OversizedObject,
            &error.to_string(),
        ));
    }
    if task.gzip && of_the_text {
        return ObjectError::Refused(Refusal::of_object(
            Reason::BrokenObject,
            &format!("gzip: {error}"),
        ));
    }
    ObjectError::Store(error.to_string())
}

fn head_of(beginning: &[u8], length: u64) -> String {
    let length = beginning.len().min(usize::try_from(length).unwrap_or(0));
    let hash = Sha256::digest(&beginning[..length]);
    format!("{length}:{}", hex::encode(&hash[..8]))
}

fn length_of(head: &str) -> u64 {
    head.split_once(':')
        .and_then(|(length, _)| length.parse().ok())
        .unwrap_or(0)
}

/// The raw bytes of an object.
enum Source {
    File(std::fs::File),
    Stream(ChunkReader),
}

impl Source {
    fn open(result: GetResult, runtime: &Handle) -> Result<Self, ObjectError> {
        Ok(match result.payload {
            GetResultPayload::File(file, _) => Self::File(file),
            GetResultPayload::Stream(stream) => Self::Stream(ChunkReader {
                stream: stream.map_err(io::Error::other).boxed(),
                chunk: Bytes::new(),
                runtime: runtime.clone(),
            }),
        })
    }

    fn peek(&mut self, length: u64) -> Result<Vec<u8>, ObjectError> {
        let mut beginning = Vec::new();
        let read = match self {
            Self::File(file) => file.take(length).read_to_end(&mut beginning),
            Self::Stream(stream) => stream.take(length).read_to_end(&mut beginning),
        };
        read.map_err(|error| ObjectError::Store(error.to_string()))?;
        Ok(beginning)
    }

    /// Everything, with what was peeked at before it.
    fn rewound(self, beginning: Vec<u8>) -> Box<dyn BufRead> {
        match self {
            Self::File(file) => {
                Box::new(Cursor::new(beginning).chain(BufReader::with_capacity(64 * 1024, file)))
            }
            Self::Stream(stream) => Box::new(Cursor::new(beginning).chain(stream)),
        }
    }

    /// Everything from the position on.
    fn from(self, position: u64, beginning: Vec<u8>) -> Result<Box<dyn BufRead>, ObjectError> {
        if position == 0 {
            return Ok(self.rewound(beginning));
        }
        let failed = |error: io::Error| ObjectError::Store(error.to_string());
        if let Self::File(mut file) = self {
            file.seek(SeekFrom::Start(position)).map_err(failed)?;
            return Ok(Box::new(BufReader::with_capacity(64 * 1024, file)));
        }
        let mut rest = self.rewound(beginning);
        io::copy(&mut rest.by_ref().take(position), &mut io::sink()).map_err(failed)?;
        Ok(rest)
    }
}

/// Reads a stream of chunks as bytes, on a thread that may block.
struct ChunkReader {
    stream: BoxStream<'static, io::Result<Bytes>>,
    chunk: Bytes,
    runtime: Handle,
}

impl BufRead for ChunkReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.chunk.is_empty() {
            match self.runtime.block_on(self.stream.next()) {
                Some(chunk) => self.chunk = chunk?,
                None => break,
            }
        }
        Ok(&self.chunk)
    }

    fn consume(&mut self, amount: usize) {
        self.chunk = self.chunk.slice(amount..);
    }
}

impl Read for ChunkReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

/// Stops a text that inflates beyond measure.
struct Limited<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(u64::try_from(length).unwrap_or(u64::MAX))
            .ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    "the text inflates more than 250-fold",
                )
            })?;
        Ok(length)
    }
}
