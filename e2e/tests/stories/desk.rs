//! Somebody with the binary and files, and nothing else.

use std::fmt::Write;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use foretide_test_support::{ForetideOutput, foretide, foretide_binary};
use tempfile::TempDir;

/// Seven weeks of hours from Monday, 5 January 2026 on.
pub(crate) const HOURS: usize = 7 * 168;

/// A folder with nothing but files, in which somebody sits.
pub(crate) struct Desk(TempDir);

impl Desk {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self(tempfile::tempdir()?))
    }

    pub(crate) fn put(&self, name: &str, text: impl AsRef<[u8]>) -> anyhow::Result<()> {
        Ok(std::fs::write(self.0.path().join(name), text)?)
    }

    pub(crate) fn text(&self, name: &str) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.0.path().join(name))?)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.path().join(name).exists()
    }

    pub(crate) async fn runs(&self, line: &str) -> anyhow::Result<ForetideOutput> {
        foretide(self.0.path(), line.split_whitespace()).await
    }

    /// Runs with `input` on the standard input.
    pub(crate) async fn pipes(&self, input: Vec<u8>, line: &str) -> anyhow::Result<ForetideOutput> {
        let mut command = Command::new(foretide_binary()?);
        command
            .args(line.split_whitespace())
            .current_dir(self.0.path())
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let output = tokio::task::spawn_blocking(move || {
            let mut running = command.spawn()?;
            // It reads all of it before it writes; a pipe that is dropped is at its end.
            let mut pipe = running.stdin.take().context("a pipe was asked for")?;
            pipe.write_all(&input)?;
            drop(pipe);
            anyhow::Ok(running.wait_with_output()?)
        })
        .await??;
        Ok(ForetideOutput {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    pub(crate) fn rows(&self, name: &str) -> anyhow::Result<Rows> {
        Ok(Rows::of(&self.text(name)?))
    }
}

/// The cells of a row; one with a comma stands in quotes, and none holds a quote.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut is_quoted = false;
    for c in line.chars() {
        match (c, cells.last_mut()) {
            ('"', _) => is_quoted = !is_quoted,
            (',', _) if !is_quoted => cells.push(String::new()),
            (c, Some(cell)) => cell.push(c),
            (_, None) => {}
        }
    }
    cells
}

pub(crate) struct Rows {
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Rows {
    pub(crate) fn of(text: &str) -> Self {
        let mut lines = text.lines();
        let header = lines.next().unwrap_or_default();
        Self {
            header: cells(header),
            rows: lines.map(cells).collect(),
        }
    }

    pub(crate) fn column(&self, name: &str) -> Vec<&str> {
        let place = self.header.iter().position(|column| column == name);
        let place = place.unwrap_or_else(|| panic!("no {name} in {:?}", self.header));
        self.rows.iter().map(|row| row[place].as_str()).collect()
    }

    pub(crate) fn numbers(&self, name: &str) -> Vec<f64> {
        let parse = |text: &str| text.parse().unwrap_or_else(|_| panic!("{name}: {text:?}"));
        self.column(name).into_iter().map(parse).collect()
    }
}

pub(crate) fn hour(at: usize) -> DateTime<Utc> {
    let start: DateTime<Utc> = "2026-01-05T00:00:00Z".parse().expect("a time");
    start + TimeDelta::hours(at as i64)
}

pub(crate) fn stamp(at: usize) -> String {
    hour(at).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Busy by day, quiet at night and on weekends, with a little unrest that repeats nowhere.
pub(crate) fn office(at: usize) -> f64 {
    let by_day = [
        2.0, 1.0, 1.0, 1.0, 1.0, 2.0, 5.0, 12.0, 25.0, 38.0, 42.0, 40.0,
    ];
    let of_day = at % 24;
    let level = by_day[if of_day < 12 { of_day } else { 23 - of_day }];
    let weekend = if at / 24 % 7 >= 5 { 0.3 } else { 1.0 };
    let unrest = ((at * 7919 + at * at % 1009) % 100) as f64 / 100.0;
    (level * weekend * (0.85 + 0.3 * unrest)).round()
}

pub(crate) fn history(series: &[&str], hours: usize) -> String {
    let mut text = "unique_id,ds,y\n".to_owned();
    for id in series {
        for at in 0..hours {
            writeln!(text, "{id},{},{}", stamp(at), office(at)).expect("writing to a text");
        }
    }
    text
}

/// Fails unless a command ended with `code` and named everything in `said`.
pub(crate) fn refuses(output: &ForetideOutput, code: i32, said: &[&str]) {
    assert_eq!(output.code, code, "{}", output.stderr);
    for word in said {
        assert!(
            output.stderr.contains(word),
            "no {word:?} in {}",
            output.stderr
        );
    }
}
