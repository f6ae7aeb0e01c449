//! `anomalies`: files of series to a score for every point.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use foretide_anomalies::{Detector, DetectorOptions, Observation, detect};
use foretide_series_files::{
    ColumnKind, FillGaps, HistoryOptions, SeriesFileError, TableWriter, Value, Watched,
    check_output,
};

use crate::arguments::{AnomaliesArgs, Fill};
use crate::rolling::threads;
use crate::terminal::{Screen, note, table};

/// Endings of files that are read in a folder.
const ENDINGS: [&str; 5] = [".csv", ".csv.gz", ".tsv", ".parquet", ".xlsx"];

/// Series listed on the terminal.
const LISTED: usize = 15;

/// Reads, scores, writes, and says where alerts are.
pub(crate) fn run(args: &AnomaliesArgs) -> anyhow::Result<()> {
    let begun = Instant::now();
    check_output(&args.output, &[&args.history])?;
    let mut watch = Watch::new(args)?;
    if args.history.is_dir() {
        for (name, path) in files_in(&args.history)? {
            watch.file(&name, &path)?;
        }
    } else {
        let name = args.history.file_name().unwrap_or_default();
        watch.file(&name.to_string_lossy(), &args.history)?;
    }
    watch.flush()?;
    let alert_score = Detector::new(watch.options.clone())?.alert_score();
    let Watch { writer, alerts, .. } = watch;
    let points = writer.rows();
    writer.finish()?;
    let screen = Screen::beside(Some(&args.output));
    print(alerts, screen);
    screen.say(format_args!(
        "an alert begins at a score of {alert_score:.4}\n{points} points in {:.1} s: {}",
        begun.elapsed().as_secs_f64(),
        args.output.display()
    ));
    Ok(())
}

/// Tables in a folder and the folders in it, by their path within it.
fn files_in(folder: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(inside) = folders.pop() {
        let unreadable = || format!("cannot list {}", inside.display());
        for entry in std::fs::read_dir(&inside).with_context(unreadable)? {
            let path = entry.with_context(unreadable)?.path();
            let name = path.to_string_lossy().to_ascii_lowercase();
            if path.is_dir() {
                folders.push(path);
            } else if ENDINGS.iter().any(|ending| name.ends_with(ending)) {
                let parts = path.strip_prefix(folder)?.components();
                let parts: Vec<_> = parts
                    .map(|part| part.as_os_str().to_string_lossy())
                    .collect();
                let name = parts.join("/");
                // Compression is no part of a name.
                let name = name.strip_suffix(".gz").unwrap_or(&name);
                files.push((name.to_owned(), path));
            }
        }
    }
    files.sort();
    if files.is_empty() {
        let advice = "give a folder of .csv, .csv.gz, .tsv, .parquet or .xlsx files";
        return Err(SeriesFileError::of_file(folder, "holds no table", advice).into());
    }
    Ok(files)
}

/// A series that waits to be scored.
struct Waiting {
    name: String,
    points: Vec<(DateTime<Utc>, f64)>,
    stamps: Vec<String>,
}

/// Scores series, as many at a time as there are threads, and writes them in their order.
struct Watch {
    options: DetectorOptions,
    history: HistoryOptions,
    threads: usize,
    waiting: Vec<Waiting>,
    writer: TableWriter,
    /// Series, points and alerts.
    alerts: Vec<(String, usize, usize)>,
}

impl Watch {
    fn new(args: &AnomaliesArgs) -> anyhow::Result<Self> {
        let mut options = DetectorOptions::default();
        if let Some(threshold) = args.threshold {
            // A score is minus the decimal logarithm of a tail probability, over six.
            options.alert_rate = 10_f64.powf(-6.0 * threshold);
        }
        let mut columns = vec![
            ("file".to_owned(), ColumnKind::Text),
            ("timestamp".to_owned(), ColumnKind::Time),
        ];
        let numbers = ["score", "expected", "low", "high", "alert"];
        columns.extend(numbers.map(|name| (name.to_owned(), ColumnKind::Number)));
        columns.push(("reasons".to_owned(), ColumnKind::Text));
        Ok(Self {
            options,
            history: HistoryOptions {
                fill_gaps: args.fill_gaps.map(|fill| match fill {
                    Fill::Zero => FillGaps::Zero,
                    Fill::Previous => FillGaps::Previous,
                }),
                layout: args.layout.options(),
                ..HistoryOptions::default()
            },
            threads: threads(args.jobs),
            waiting: Vec::new(),
            writer: TableWriter::create(&args.output, columns)?,
            alerts: Vec::new(),
        })
    }

    fn file(&mut self, name: &str, path: &Path) -> anyhow::Result<()> {
        let history = match Watched::open(path, self.history.clone())? {
            Watched::History(history) => history,
            Watched::Points(series) => {
                if let Some(words) = &series.note {
                    note(path, words);
                }
                let stamps = series.times.iter().map(|time| series.render(*time));
                return self.take(Waiting {
                    name: name.to_owned(),
                    stamps: stamps.collect(),
                    points: series.times.into_iter().zip(series.values).collect(),
                });
            }
        };
        if let Some(words) = history.described() {
            note(path, &words);
        }
        history.for_each::<anyhow::Error>(&mut |series| {
            let hours = (0..).map(|hour| series.start + TimeDelta::hours(hour));
            let points: Vec<_> = hours.zip(series.values).collect();
            self.take(Waiting {
                stamps: points.iter().map(|(at, _)| history.render(*at)).collect(),
                name: series.id,
                points,
            })
        })
    }

    fn take(&mut self, series: Waiting) -> anyhow::Result<()> {
        self.waiting.push(series);
        if self.waiting.len() >= self.threads {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let options = &self.options;
        let scored = std::thread::scope(|scope| {
            let running: Vec<_> = waiting
                .iter()
                .map(|series| {
                    scope.spawn(|| detect(series.points.iter().copied(), options.clone()))
                })
                .collect();
            running
                .into_iter()
                .map(|thread| thread.join().expect("a detector does not panic"))
                .collect::<Result<Vec<_>, _>>()
        })?;
        for (series, observations) in waiting.iter().zip(scored) {
            let alerts = observations.iter().filter(|point| point.alert).count();
            self.alerts
                .push((series.name.clone(), observations.len(), alerts));
            for (observation, stamp) in observations.iter().zip(&series.stamps) {
                self.write(&series.name, stamp, observation)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, name: &str, stamp: &str, point: &Observation) -> anyhow::Result<()> {
        let reasons: Vec<_> = point.reasons.iter().map(|reason| reason.name()).collect();
        self.writer.row(&[
            Value::Text(name),
            Value::Time(point.at, stamp),
            Value::Number(point.score),
            Value::Number(point.expected),
            Value::Number(point.low),
            Value::Number(point.high),
            Value::Number(f64::from(u8::from(point.alert))),
            Value::Text(&reasons.join(" ")),
        ])?;
        Ok(())
    }
}

fn print(mut alerts: Vec<(String, usize, usize)>, screen: Screen) {
    alerts.sort_by(|a, b| (b.2, &a.0).cmp(&(a.2, &b.0)));
    let (series, all): (usize, usize) = (
        alerts.len(),
        alerts.iter().map(|(_, _, alerts)| alerts).sum(),
    );
    let rows = alerts
        .into_iter()
        .take(LISTED)
        .map(|(name, points, alerts)| vec![name, points.to_string(), alerts.to_string()]);
    screen.say(table(&["series", "points", "alerts"], rows));
    screen.say(format_args!("{all} alerts in {series} series"));
}
