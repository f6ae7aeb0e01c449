//! Count forecasts from every origin of a benchmark, as its scorers read them.
//!
//! ```sh
//! cargo run --release -p foretide-forecasting --example counts_on_bench -- FOLDER OUT.csv [HOURS]
//! ```
//!
//! FOLDER holds `hourly.csv.gz` (unique_id,ds,y: series on one common grid) and `cutoffs.csv` or
//! `cutoffs.csv.gz` (unique_id,cutoff). Parameters are learned from what was known
//! every HOURS hours (24 unless given), and kept in between;
//! column `p` is the chance of exceeding mean + 2 standard deviations of the last 30 days.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta, Timelike};
use flate2::read::GzDecoder;
use foretide_forecasting::counts::{CountForecast, CountForecaster, CountPrior};
use foretide_forecasting::risk::QuantileFunction;

const HORIZON: usize = 72;
const FEWEST_HOURS: usize = 28 * 24;
const THRESHOLD_HOURS: usize = 720;

struct Panel {
    start: NaiveDateTime,
    names: Vec<String>,
    values: Vec<Vec<f64>>,
    hour_of_week: Vec<u8>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let (folder, output, learn_every) = match arguments.as_slice() {
        [_, folder, output] => (folder, output, 24),
        [_, folder, output, hours] => (folder, output, hours.parse()?),
        _ => return Err("give the benchmark's folder and the file to write".into()),
    };
    let folder = Path::new(folder);
    let panel = read_panel(&folder.join("hourly.csv.gz"))?;
    let cutoffs = read_cutoffs(folder, &panel)?;
    let hour = cutoffs.keys().next().map_or(0, |known| known % 24);
    let forecasts = panel.forecasts(hour, learn_every);
    let mut out = BufWriter::new(File::create(output)?);
    writeln!(out, "unique_id,ds,mean,lo80,hi80,lo95,hi95,cutoff,p")?;
    for (&known, series) in &cutoffs {
        for &index in series {
            let path = &forecasts[&(index, known)];
            panel.write(&mut out, index, known, path)?;
        }
    }
    Ok(out.flush()?)
}

type Forecasts = BTreeMap<(usize, usize), Vec<CountForecast>>;

impl Panel {
    /// Forecasts of every series at the same hour of every day, parameters younger than
    /// `learn_every` hours.
    fn forecasts(&self, hour: usize, learn_every: usize) -> Forecasts {
        let mut forecasts = Forecasts::new();
        for (index, values) in self.values.iter().enumerate() {
            let mut learned: Option<(usize, CountForecaster)> = None;
            for known in (FEWEST_HOURS + hour..=values.len()).step_by(24) {
                let (past, grid) = (&values[..known], &self.hour_of_week[..known]);
                if learned
                    .as_ref()
                    .is_none_or(|(since, _)| known - since >= learn_every)
                {
                    let forecaster = CountForecaster::learn(past, grid, &CountPrior::default());
                    learned = Some((known, forecaster));
                }
                let Some((_, forecaster)) = &learned else {
                    continue;
                };
                let ahead = &self.hour_of_week[known..known + HORIZON];
                forecasts.insert((index, known), forecaster.forecast(past, grid, ahead));
            }
        }
        forecasts
    }

    fn write(
        &self,
        out: &mut impl Write,
        index: usize,
        known: usize,
        path: &[CountForecast],
    ) -> Result<(), Box<dyn Error>> {
        let past = &self.values[index][..known];
        let threshold = threshold(past);
        let cutoff = self.at(known) - TimeDelta::hours(1);
        for (ahead, hour) in (1..).zip(path) {
            let [low_95, low_80, median, high_80, high_95] = hour.quantiles;
            let quantiles =
                QuantileFunction::new(hour.quantiles).ok_or("quantiles out of order")?;
            let chance = quantiles.exceedance(threshold);
            let (name, ds) = (&self.names[index], self.at(known + ahead - 1));
            writeln!(
                out,
                "{name},{ds},{median:?},{low_80:?},{high_80:?},{low_95:?},{high_95:?},{cutoff},{chance:?}"
            )?;
        }
        Ok(())
    }

    fn at(&self, hour: usize) -> NaiveDateTime {
        self.start + TimeDelta::hours(hour as i64)
    }
}

/// Mean + 2 standard deviations of the last 30 days.
fn threshold(past: &[f64]) -> f64 {
    let window = &past[past.len().saturating_sub(THRESHOLD_HOURS)..];
    let count = window.len() as f64;
    let mean = window.iter().sum::<f64>() / count;
    let squares: f64 = window.iter().map(|value| (value - mean).powi(2)).sum();
    mean + 2.0 * (squares / (count - 1.0)).sqrt()
}

fn lines(path: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let reader: Box<dyn Read> = if path.extension().is_some_and(|end| end == "gz") {
        Box::new(GzDecoder::new(file))
    } else {
        Box::new(file)
    };
    Ok(BufReader::new(reader)
        .lines()
        .skip(1)
        .collect::<Result<_, _>>()?)
}

fn moment(text: &str) -> Result<NaiveDateTime, Box<dyn Error>> {
    let midnight = || NaiveDate::parse_from_str(text, "%Y-%m-%d").map(NaiveDateTime::from);
    Ok(NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").or_else(|_| midnight())?)
}

fn read_panel(path: &Path) -> Result<Panel, Box<dyn Error>> {
    let mut series: BTreeMap<String, (NaiveDateTime, Vec<f64>)> = BTreeMap::new();
    for line in lines(path)? {
        let [name, ds, y] = line.split(',').collect::<Vec<_>>()[..] else {
            return Err(format!("expected three fields: {line}").into());
        };
        let start = moment(ds)?;
        let entry = series
            .entry(name.to_owned())
            .or_insert_with(|| (start, Vec::new()));
        entry.1.push(y.parse()?);
    }
    let (start, hours) = series
        .values()
        .next()
        .map(|(start, values)| (*start, values.len()))
        .ok_or("no series")?;
    let hour_of_week = (0..hours + HORIZON)
        .map(|hour| {
            let at = start + TimeDelta::hours(hour as i64);
            (at.weekday().num_days_from_monday() * 24 + at.hour()) as u8
        })
        .collect();
    let (names, values) = series.into_iter().map(|(name, (_, y))| (name, y)).unzip();
    Ok(Panel {
        start,
        names,
        values,
        hour_of_week,
    })
}

/// Indices of the series by how many hours are known.
fn read_cutoffs(
    folder: &Path,
    panel: &Panel,
) -> Result<BTreeMap<usize, Vec<usize>>, Box<dyn Error>> {
    let zipped = folder.join("cutoffs.csv.gz");
    let path = if zipped.exists() {
        zipped
    } else {
        folder.join("cutoffs.csv")
    };
    let mut cutoffs: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for line in lines(&path)? {
        let (name, cutoff) = line.split_once(',').ok_or("expected two fields")?;
        let index = panel.names.iter().position(|known| known == name);
        let index = index.ok_or_else(|| format!("no history of {name}"))?;
        let known = (moment(cutoff)? - panel.start).num_hours() + 1;
        cutoffs
            .entry(usize::try_from(known)?)
            .or_default()
            .push(index);
    }
    Ok(cutoffs)
}
