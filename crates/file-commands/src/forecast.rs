//! `forecast`: a file of histories to a file of forecasts.

use std::time::Instant;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::Quantiles;
use foretide_forecasting::counts::unit_of;
use foretide_forecasting::risk::QuantileFunction;
use foretide_forecasting::risk::learned_capacity;
use foretide_forecasting::{FEWEST_HOURS, HourlyHistory};
use foretide_series_files::{ColumnKind, SeriesFileError, TableWriter, Value};

use crate::arguments::{Capacity, ForecastArgs};
use crate::inputs::{Inputs, check_place, is_short};
use crate::rolling::{Carried, Served, carried_by, forecast_all};
use crate::terminal::{Screen, printable};

/// Hours that a threshold of mean and standard deviations looks back on: 30 days.
const THRESHOLD_HOURS: usize = 720;

/// What an hour of the week stays under, for a learned capacity: 19 times in 20.
const USUAL_SHARE: f64 = 0.95;

/// Reads, forecasts, writes, and says what was done.
pub(crate) fn run(args: &ForecastArgs) -> anyhow::Result<()> {
    let begun = Instant::now();
    check_place(&args.output, &args.history, &args.engine)?;
    let inputs = Inputs::read(&args.history, &args.engine, args.skip_short)?;
    let mut output = Output::create(args, &inputs)?;
    let mut carried = Carried::default();
    let expected = inputs.cutoffs().unwrap_or(inputs.history.series());
    let left_out = inputs.history.left_out().iter();
    let mut skipped: Vec<String> = left_out
        .map(|series| format!("{} ({})", series.id, series.reason.problem))
        .collect();
    let fitting = Instant::now();
    forecast_all(
        &inputs,
        &args.engine,
        expected,
        &mut |series| match inputs.cutoffs_of(&series.id) {
            Some(known) => Ok(known),
            None if args.skip_short && is_short(series) => {
                skipped.push(format!("{} ({} hours)", series.id, series.values.len()));
                Ok(vec![])
            }
            None => {
                inputs.check_length(series)?;
                Ok(vec![series.values.len()])
            }
        },
        &mut |served| {
            carried.add(&served.forecast);
            output.write(&served)
        },
    )?;
    let fitted = fitting.elapsed();
    if carried.forecasts() == 0 && !skipped.is_empty() {
        return Err(nothing_left(&inputs).into());
    }
    let rows = output.writer.rows();
    output.writer.finish()?;
    let screen = Screen::beside(Some(&args.output));
    carried.print(screen);
    print_skipped(&skipped, screen);
    let filled = match inputs.history.filled() {
        0 => String::new(),
        hours => format!(", {hours} missing hours filled in"),
    };
    screen.say(format_args!(
        "{rows} rows for {} forecasts of {} series in {:.1} s ({:.4} s a forecast){filled}: {}",
        carried.forecasts(),
        inputs.history.series(),
        begun.elapsed().as_secs_f64(),
        fitted.as_secs_f64() / carried.forecasts().max(1) as f64,
        args.output.display()
    ));
    Ok(())
}

fn nothing_left(inputs: &Inputs) -> SeriesFileError {
    SeriesFileError::of_file(
        inputs.history.path(),
        "has no series of 14 days or more, so --skip-short leaves nothing to forecast",
        format!("give at least {FEWEST_HOURS} hours of a series"),
    )
}

/// Names at most this many of the series that were left out.
const MOST_NAMED: usize = 10;

fn print_skipped(skipped: &[String], screen: Screen) {
    if skipped.is_empty() {
        return;
    }
    let named = skipped[..skipped.len().min(MOST_NAMED)].join(", ");
    let more = match skipped.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    screen.say(printable(&format!(
        "left out, as they cannot be forecast: {}: {named}{more}",
        skipped.len()
    )));
}

struct Output<'a> {
    args: &'a ForecastArgs,
    inputs: &'a Inputs,
    writer: TableWriter,
    drivers: Vec<String>,
}

impl<'a> Output<'a> {
    fn create(args: &'a ForecastArgs, inputs: &'a Inputs) -> anyhow::Result<Self> {
        let mut columns = vec![
            ("unique_id".to_owned(), ColumnKind::Text),
            ("ds".to_owned(), ColumnKind::Time),
        ];
        let number = |name: &str| (name.to_owned(), ColumnKind::Number);
        columns.extend(["mean", "lo80", "hi80", "lo95", "hi95"].map(number));
        if inputs.has_cutoffs() {
            columns.push(("cutoff".to_owned(), ColumnKind::Time));
        }
        columns.push(number("expected"));
        if args.capacity.is_some() || args.threshold_sd.is_some() {
            columns.push(number("p"));
        }
        let mut drivers = Vec::new();
        if args.explain {
            columns.extend(["served_by", "note"].map(|name| (name.to_owned(), ColumnKind::Text)));
            drivers.extend(foretide_forecasting::RESERVED_DRIVERS.map(str::to_owned));
            drivers.extend(inputs.regressors.iter().map(|track| track.name.clone()));
            columns.extend(drivers.iter().map(|name| number(&format!("driver_{name}"))));
        }
        Ok(Self {
            args,
            inputs,
            writer: TableWriter::create(&args.output, columns)?,
            drivers,
        })
    }

    fn write(&mut self, served: &Served<'_>) -> anyhow::Result<()> {
        let forecast = &served.forecast;
        let cutoff = forecast.start - TimeDelta::hours(1);
        let cutoff_text = self.inputs.history.render(cutoff);
        let limits = self.limits(served)?;
        let unit = unit_of(&served.history.values[..forecast.known_hours]);
        let carried = carried_by(forecast).map_or("", |kind| kind.name());
        let places = self.driver_places(&forecast.driver_names)?;
        let width = forecast.driver_names.len();
        for (hour, [low_95, low_80, median, high_80, high_95]) in
            forecast.quantiles.iter().copied().enumerate()
        {
            let at = hour_after(forecast.start, hour);
            let text = self.inputs.history.render(at);
            let mut row = vec![Value::Text(served.id), Value::Time(at, &text)];
            row.extend([median, low_80, high_80, low_95, high_95].map(Value::Number));
            if self.inputs.has_cutoffs() {
                row.push(Value::Time(cutoff, &cutoff_text));
            }
            row.push(Value::Number(forecast.mean[hour]));
            if let Some(limits) = &limits {
                let quantiles = Quantiles::repaired(forecast.quantiles[hour])?.values();
                let distribution = QuantileFunction::new(quantiles)
                    .context("repaired quantiles are in order and not negative")?;
                let p = match unit {
                    Some(unit) => {
                        distribution.exceedance_of_count(limits[hour], unit, forecast.mean[hour])
                    }
                    None => distribution.exceedance(limits[hour]),
                };
                row.push(Value::Number(p));
            }
            if self.args.explain {
                row.extend([Value::Text(carried), Value::Text(&forecast.note)]);
                let drivers = &forecast.drivers[hour * width..(hour + 1) * width];
                row.extend(
                    places
                        .iter()
                        .map(|place| Value::Number(place.map_or(0.0, |place| drivers[place]))),
                );
            }
            self.writer.row(&row)?;
        }
        Ok(())
    }

    /// Where each driver column stands among a forecast's drivers. One that a forecast does not
    /// have adds nothing to it; one that has no column would be lost, and is a mistake of ours.
    fn driver_places(&self, names: &[String]) -> anyhow::Result<Vec<Option<usize>>> {
        if self.args.explain
            && let Some(lost) = names.iter().find(|name| !self.drivers.contains(name))
        {
            anyhow::bail!("the engine gave a driver without a column: {lost}");
        }
        let place = |driver: &String| names.iter().position(|name| name == driver);
        Ok(self.drivers.iter().map(place).collect())
    }

    /// What each hour is compared with for `p`.
    fn limits(&self, served: &Served<'_>) -> anyhow::Result<Option<Vec<f64>>> {
        let forecast = &served.forecast;
        let known = &served.history.values[..forecast.known_hours];
        let hours = forecast.quantiles.len();
        if let Some(factor) = self.args.threshold_sd {
            return Ok(Some(vec![mean_plus_deviations(known, factor); hours]));
        }
        Ok(match self.args.capacity {
            None => None,
            Some(Capacity::Fixed(capacity)) => Some(vec![capacity; hours]),
            Some(Capacity::Auto) => {
                Some(self.learned_capacities(served.history, known, forecast.start, hours)?)
            }
        })
    }

    fn learned_capacities(
        &self,
        history: &HourlyHistory,
        known: &[f64],
        start: DateTime<Utc>,
        hours: usize,
    ) -> anyhow::Result<Vec<f64>> {
        let nothing_announced = vec![false; known.len()];
        let calendar = &self.inputs.calendar;
        let week = calendar.hours_of_week(history.start, known.len());
        let mut learned = [const { None }; foretide_calendar::HOURS_PER_WEEK];
        calendar
            .hours_of_week(start, hours)
            .into_iter()
            .map(|hour| {
                let capacity = learned[usize::from(hour)].get_or_insert_with(|| {
                    learned_capacity(known, &week, &nothing_announced, hour, 1, USUAL_SHARE)
                });
                capacity.ok_or_else(|| {
                    anyhow::anyhow!(
                        "a capacity cannot be learned from {} hours: give it as --capacity N, or \
                         at least four weeks of history",
                        known.len()
                    )
                })
            })
            .collect()
    }
}

fn hour_after(start: DateTime<Utc>, hours: usize) -> DateTime<Utc> {
    start + TimeDelta::hours(hours as i64)
}

/// The mean of the last 30 days plus some of their (sample) standard deviations.
fn mean_plus_deviations(known: &[f64], factor: f64) -> f64 {
    let recent = &known[known.len().saturating_sub(THRESHOLD_HOURS)..];
    let count = recent.len() as f64;
    let mean = recent.iter().sum::<f64>() / count;
    let squares: f64 = recent.iter().map(|value| (value - mean).powi(2)).sum();
    mean + factor * (squares / (count - 1.0).max(1.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_is_that_of_the_last_thirty_days() {
        let mut known = vec![1e6; 100];
        known.extend((0..THRESHOLD_HOURS).map(|hour| (hour % 2) as f64 * 2.0));
        let deviation = (THRESHOLD_HOURS as f64 / (THRESHOLD_HOURS as f64 - 1.0)).sqrt();
        assert!((mean_plus_deviations(&known, 2.0) - (1.0 + 2.0 * deviation)).abs() < 1e-9);
        assert_eq!(mean_plus_deviations(&[3.0], 2.0), 3.0);
    }
}
