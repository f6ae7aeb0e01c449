//! `backtest`: the past of a file, forecast from many moments, and how good that was.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};
use chrono::TimeDelta;
use foretide_backtest_report::baselines::{Baseline, mase_scale};
use foretide_backtest_report::{About, Backtest, Fan, Path as ForecastPath, Score, ServedBy};
use foretide_forecasting::FEWEST_HOURS;
use foretide_series_files::{ColumnKind, HourlySeries, SeriesFileError, TableWriter, Value};

use crate::arguments::BacktestArgs;
use crate::inputs::{Inputs, check_place};
use crate::rolling::{Carried, Served, forecast_all};
use crate::terminal::{Screen, table};

/// Series whose newest forecast is drawn.
const FANS: usize = 8;

/// Known hours drawn before a forecast: a week.
const FAN_KNOWN: usize = 168;

/// Season of MASE's scale, as in the M competitions.
const MASE_SEASON: usize = 24;

/// Reads, forecasts the past, and reports.
pub(crate) fn run(args: &BacktestArgs) -> anyhow::Result<()> {
    let begun = Instant::now();
    for place in [&args.html, &args.output].into_iter().flatten() {
        check_place(place, &args.history, &args.engine)?;
    }
    ensure!(
        args.html.is_none() || args.html != args.output,
        "--html and --output name the same file: give each its own"
    );
    let inputs = Inputs::read(&args.history, &args.engine, false)?;
    // Taken now, so that a place that cannot be written does not cost the whole computation.
    let writer = args.output.as_deref().map(table_writer).transpose()?;
    let mut judge = Judge::new(args, &inputs);
    let expected = inputs
        .cutoffs()
        .unwrap_or(inputs.history.series() * usize::from(args.origins));
    let mut skipped = 0_usize;
    forecast_all(
        &inputs,
        &args.engine,
        expected,
        &mut |series| {
            let known = match inputs.cutoffs_of(&series.id) {
                Some(known) => known,
                None => origins(args, series),
            };
            skipped += usize::from(known.is_empty());
            Ok(known)
        },
        &mut |served| {
            judge.add(&served);
            Ok(())
        },
    )?;
    let scores = judge.backtest.scores();
    if scores[0].hours == 0 {
        return Err(nothing_to_score(args, &inputs).into());
    }
    let screen = Screen::beside(args.output.as_deref());
    print_scores(&scores, screen);
    judge.carried.print(screen);
    if let Some(writer) = writer {
        write_table(writer, &scores, &judge.backtest)?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let left_out = match skipped {
        0 => String::new(),
        series => format!("; {series} series were left out"),
    };
    screen.say(format_args!(
        "{} forecasts of {} series in {seconds:.1} s{left_out}",
        judge.carried.forecasts(),
        inputs.history.series() - skipped,
    ));
    if let Some(html) = &args.html {
        let page = judge.backtest.html(&judge.about(), &judge.fans);
        std::fs::write(html, page).with_context(|| cannot_write(html))?;
        screen.say(format_args!("report: {}", html.display()));
    }
    Ok(())
}

/// Moments from the newest back whose whole horizon is known, oldest first.
fn origins(args: &BacktestArgs, series: &HourlySeries) -> Vec<usize> {
    let horizon = usize::from(args.engine.horizon);
    let newest = series.values.len().saturating_sub(horizon);
    let mut known: Vec<usize> = (0..usize::from(args.origins))
        .map_while(|back| newest.checked_sub(back * usize::from(args.every)))
        .take_while(|known| *known >= FEWEST_HOURS)
        .collect();
    known.reverse();
    known
}

fn nothing_to_score(args: &BacktestArgs, inputs: &Inputs) -> SeriesFileError {
    let horizon = usize::from(args.engine.horizon);
    SeriesFileError::of_file(
        inputs.history.path(),
        format!("has no hour to score {horizon} hours ahead"),
        format!(
            "give more history: at least {} hours in a series, or earlier cutoffs",
            FEWEST_HOURS + horizon
        ),
    )
}

fn cannot_write(path: &Path) -> String {
    format!(
        "cannot write {}; check that the folder exists and may be written to",
        path.display()
    )
}

/// Scores forecasts as they come.
struct Judge<'a> {
    args: &'a BacktestArgs,
    inputs: &'a Inputs,
    backtest: Backtest,
    carried: Carried,
    fans: Vec<Fan>,
    scales: Option<(String, Option<f64>)>,
    first: Option<chrono::DateTime<chrono::Utc>>,
    last: Option<chrono::DateTime<chrono::Utc>>,
    seen: HashSet<String>,
}

impl<'a> Judge<'a> {
    fn new(args: &'a BacktestArgs, inputs: &'a Inputs) -> Self {
        let mut models = vec!["foretide".to_owned()];
        models.extend(Baseline::ALL.map(|baseline| baseline.name().to_owned()));
        Self {
            args,
            inputs,
            backtest: Backtest::new(models, usize::from(args.engine.horizon)),
            carried: Carried::default(),
            fans: Vec::new(),
            scales: None,
            first: None,
            last: None,
            seen: HashSet::new(),
        }
    }

    fn add(&mut self, served: &Served<'_>) {
        let forecast = &served.forecast;
        let horizon = forecast.quantiles.len();
        let (known, after) = served.history.values.split_at(forecast.known_hours);
        let actuals = &after[..after.len().min(horizon)];
        let week = self.inputs.calendar.hours_of_week(forecast.start, horizon);
        let weekdays: Vec<u8> = week.into_iter().map(|hour| hour / 24).collect();
        let scale = self.scale_of(served.id, known);
        let mut add = |model: usize, quantiles: &[[f64; 5]]| {
            self.backtest.add(ForecastPath {
                series: served.id,
                model,
                quantiles,
                actuals,
                weekdays: &weekdays,
                mase_scale: scale,
            });
        };
        add(0, &forecast.quantiles);
        for (place, baseline) in Baseline::ALL.into_iter().enumerate() {
            add(place + 1, &baseline.forecast(known, horizon));
        }
        self.carried.add(forecast);
        self.first = self
            .first
            .min(Some(forecast.start))
            .or(Some(forecast.start));
        self.last = self.last.max(Some(forecast.start));
        self.draw(served, known, actuals);
    }

    /// The scale of MASE of a series: from what was known at its first moment.
    fn scale_of(&mut self, id: &str, known: &[f64]) -> Option<f64> {
        match &self.scales {
            Some((of, scale)) if of == id => *scale,
            _ => {
                let scale = mase_scale(known, MASE_SEASON);
                self.scales = Some((id.to_owned(), scale));
                scale
            }
        }
    }

    /// Keeps the newest forecast of the first series.
    fn draw(&mut self, served: &Served<'_>, known: &[f64], actuals: &[f64]) {
        if self.seen.len() >= FANS && !self.seen.contains(served.id) {
            return;
        }
        let cutoff = served.forecast.start - TimeDelta::hours(1);
        let fan = Fan {
            series: served.id.to_owned(),
            cutoff: self.inputs.history.render(cutoff),
            known: known[known.len().saturating_sub(FAN_KNOWN)..].to_vec(),
            quantiles: served.forecast.quantiles.clone(),
            actuals: actuals.to_vec(),
        };
        if !self.seen.insert(served.id.to_owned()) {
            self.fans.retain(|fan| fan.series != served.id);
        }
        self.fans.push(fan);
    }

    fn about(&self) -> About {
        let show = |moment: Option<chrono::DateTime<chrono::Utc>>| {
            moment.map_or_else(String::new, |moment| {
                self.inputs.history.render(moment - TimeDelta::hours(1))
            })
        };
        let name = self.inputs.history.path().file_name().unwrap_or_default();
        let fact = |name: &str, value: String| (name.to_owned(), value);
        About {
            title: format!("Backtest of {}", name.to_string_lossy()),
            facts: vec![
                fact("series", self.inputs.history.series().to_string()),
                fact("forecasts", self.carried.forecasts().to_string()),
                fact("hours ahead", self.args.engine.horizon.to_string()),
                fact(
                    "cutoffs",
                    format!("{} to {}", show(self.first), show(self.last)),
                ),
                fact("time zone", self.args.history.time_zone.name().to_owned()),
                fact("foretide", env!("CARGO_PKG_VERSION").to_owned()),
            ],
            served: self
                .carried
                .ranked()
                .into_iter()
                .filter(|(_, forecasts, _)| *forecasts > 0)
                .map(|(kind, forecasts, _)| ServedBy {
                    candidate: kind.to_string(),
                    forecasts,
                })
                .collect(),
        }
    }
}

fn print_scores(scores: &[Score], screen: Screen) {
    let optional =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
    let rows = scores.iter().map(|score| {
        vec![
            score.model.clone(),
            figure(score.pinball),
            optional(score.wql),
            optional(score.wql_macro),
            figure(score.mae),
            optional(score.mase),
            format!("{:.1}%", score.coverage_80 * 100.0),
            format!("{:.1}%", score.coverage_95 * 100.0),
        ]
    });
    let header = [
        "model",
        "pinball",
        "WQL",
        "WQL macro",
        "MAE",
        "MASE",
        "in 80%",
        "in 95%",
    ];
    screen.say(table(&header, rows));
}

/// Errors have the size of the series: decimals only where they say something.
fn figure(value: f64) -> String {
    if value >= 1000.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}")
    }
}

fn table_writer(path: &Path) -> Result<TableWriter, SeriesFileError> {
    let text = ["series", "model"].map(|name| (name.to_owned(), ColumnKind::Text));
    let numbers = [
        "hours",
        "pinball",
        "wql",
        "wql_macro",
        "mae",
        "mase",
        "cov80",
        "cov95",
    ];
    let numbers = numbers.map(|name| (name.to_owned(), ColumnKind::Number));
    TableWriter::create(path, text.into_iter().chain(numbers).collect())
}

/// Scores over all series, in rows without a series, then of every series.
fn write_table(
    mut writer: TableWriter,
    scores: &[Score],
    backtest: &Backtest,
) -> Result<(), SeriesFileError> {
    let all = scores.iter().map(|score| (String::new(), score.clone()));
    for (series, score) in all.chain(backtest.scores_by_series()) {
        let optional = |value: Option<f64>| Value::Number(value.unwrap_or(f64::NAN));
        writer.row(&[
            Value::Text(&series),
            Value::Text(&score.model),
            Value::Number(score.hours as f64),
            Value::Number(score.pinball),
            optional(score.wql),
            optional(score.wql_macro),
            Value::Number(score.mae),
            optional(score.mase),
            Value::Number(score.coverage_80),
            Value::Number(score.coverage_95),
        ])?;
    }
    writer.finish()
}
