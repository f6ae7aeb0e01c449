//! What is served, from every origin of a benchmark, as its scorers read it: the same call as
//! `foretide forecast` makes.
//!
//! ```sh
//! cargo run --release -p foretide-forecasting --example origins_on_bench -- HISTORY OUT.csv HORIZON \
//!     [CUTOFFS] [EVERY] [only=KIND,.. | without=KIND,..] [holidays=COUNTRY]
//! ```
//!
//! HISTORY is a `.csv.gz` of unique_id,ds,y; CUTOFFS one of unique_id,cutoff (`-`: the end of each
//! history), of which every EVERY-th is taken.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, Timelike, Utc};
use flate2::read::GzDecoder;
use foretide_calendar::{Calendar, CalendarConfig, CalendarFeature};
use foretide_forecasting::{
    CandidateKind, HourlyHistory, Origin, OriginForecast, RegressorTrack, RollingOptions,
    forecast_origins,
};

/// What a word that names a country begins with.
const HOLIDAYS: &str = "holidays=";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, history, output, horizon, rest @ ..] = arguments.as_slice() else {
        return Err("give the history, the file to write and the hours ahead".into());
    };
    let (names, histories) = read_histories(Path::new(history))?;
    let cutoffs = rest.first().filter(|path| path.as_str() != "-");
    let every: usize = rest.get(1).map_or(Ok(1), |every| every.parse())?;
    let origins = match cutoffs {
        Some(path) => read_origins(Path::new(path), &names, &histories)?,
        None => ends(&histories),
    };
    let origins: Vec<Origin> = origins.into_iter().step_by(every).collect();
    let words = rest.get(2..).unwrap_or_default();
    let countries = words.iter().filter_map(|word| word.strip_prefix(HOLIDAYS));
    let regressors = countries
        .map(|country| holidays(country, &histories))
        .collect::<Result<Vec<_>, _>>()?;
    let options = RollingOptions {
        horizon_hours: horizon.parse()?,
        threads: 1,
        candidates: words
            .iter()
            .find(|word| !word.starts_with(HOLIDAYS))
            .map_or(Ok(Vec::new()), |word| chosen(word))?,
        ..RollingOptions::default()
    };
    let hour_of_week =
        |hour: DateTime<Utc>| (hour.weekday().num_days_from_monday() * 24 + hour.hour()) as u8;
    let forecasts = forecast_origins(
        &histories,
        &hour_of_week,
        &regressors,
        &origins,
        &options,
        &|_, _| {},
    )?;
    write(Path::new(output), &names, &forecasts)?;
    report(&forecasts);
    Ok(())
}

/// The holidays of a country in every hour of the histories and two weeks beyond.
fn holidays(country: &str, histories: &[HourlyHistory]) -> Result<RegressorTrack, Box<dyn Error>> {
    let calendar = Calendar::new(CalendarConfig {
        country: country.to_owned(),
        ..CalendarConfig::default()
    })?;
    let end =
        |history: &HourlyHistory| history.start + TimeDelta::hours(history.values.len() as i64);
    let first = histories.iter().map(|history| history.start).min();
    let last = histories.iter().map(end).max();
    let (first, last) = first.zip(last).ok_or("there is no history")?;
    let hours = (last - first).num_hours() as usize + 336;
    Ok(RegressorTrack {
        name: format!("holiday_{country}"),
        start: first,
        values: calendar.column(CalendarFeature::HolidayFlag, first, hours),
    })
}

fn chosen(word: &str) -> Result<Vec<CandidateKind>, Box<dyn Error>> {
    let (only, kinds) = match word.split_once('=') {
        Some(("only", kinds)) => (true, kinds),
        Some(("without", kinds)) => (false, kinds),
        _ => return Err("candidates are only=KIND,.. or without=KIND,..".into()),
    };
    let named: Vec<&str> = kinds.split(',').collect();
    let all = CandidateKind::ALL.into_iter();
    Ok(all
        .filter(|kind| named.contains(&kind.name()) == only)
        .collect())
}

/// What the candidates weighed on average.
fn report(forecasts: &[OriginForecast]) {
    let mut weights: BTreeMap<CandidateKind, f64> = BTreeMap::new();
    for (kind, weight) in forecasts.iter().flat_map(|forecast| &forecast.weights) {
        *weights.entry(*kind).or_default() += weight / forecasts.len() as f64;
    }
    let mut weights: Vec<_> = weights.into_iter().collect();
    weights.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (kind, weight) in weights {
        eprintln!("{kind} {weight:.3}");
    }
}

fn write(
    path: &Path,
    names: &[String],
    forecasts: &[OriginForecast],
) -> Result<(), Box<dyn Error>> {
    let mut out = BufWriter::new(File::create(path)?);
    writeln!(out, "unique_id,ds,mean,lo80,hi80,lo95,hi95,expected,cutoff")?;
    for forecast in forecasts {
        let name = &names[forecast.series];
        let start = forecast.start.naive_utc();
        let cutoff = start - TimeDelta::hours(1);
        let hours = forecast.quantiles.iter().zip(&forecast.mean);
        for (ahead, (quantiles, expected)) in (0..).zip(hours) {
            let [low_95, low_80, median, high_80, high_95] = quantiles;
            let ds = start + TimeDelta::hours(ahead);
            writeln!(
                out,
                "{name},{ds},{median:?},{low_80:?},{high_80:?},{low_95:?},{high_95:?},{expected:?},{cutoff}"
            )?;
        }
    }
    Ok(out.flush()?)
}

fn lines(path: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let reader: Box<dyn Read> = if path.extension().is_some_and(|end| end == "gz") {
        Box::new(GzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let lines = BufReader::new(reader).lines().skip(1);
    Ok(lines.collect::<Result<_, _>>()?)
}

fn moment(text: &str) -> Result<DateTime<Utc>, Box<dyn Error>> {
    let midnight = || NaiveDate::parse_from_str(text, "%Y-%m-%d").map(NaiveDateTime::from);
    let found = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").or_else(|_| midnight())?;
    Ok(found.and_utc())
}

fn read_histories(path: &Path) -> Result<(Vec<String>, Vec<HourlyHistory>), Box<dyn Error>> {
    let mut series: BTreeMap<String, (DateTime<Utc>, Vec<f64>)> = BTreeMap::new();
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
    let mut names = Vec::new();
    let mut histories = Vec::new();
    for (index, (name, (start, values))) in series.into_iter().enumerate() {
        let id = format!("attack_volume/product=P{index}").parse()?;
        histories.push(HourlyHistory { id, start, values });
        names.push(name);
    }
    Ok((names, histories))
}

fn ends(histories: &[HourlyHistory]) -> Vec<Origin> {
    let end = |(series, history): (usize, &HourlyHistory)| Origin {
        series,
        known_hours: history.values.len(),
    };
    histories.iter().enumerate().map(end).collect()
}

fn read_origins(
    path: &Path,
    names: &[String],
    histories: &[HourlyHistory],
) -> Result<Vec<Origin>, Box<dyn Error>> {
    let origin = |line: String| {
        let (name, cutoff) = line.split_once(',').ok_or("expected two fields")?;
        let series = names.iter().position(|known| known == name);
        let series = series.ok_or_else(|| format!("no history of {name}"))?;
        let known = (moment(cutoff)? - histories[series].start).num_hours() + 1;
        Ok(Origin {
            series,
            known_hours: usize::try_from(known)?,
        })
    };
    lines(path)?.into_iter().map(origin).collect()
}
