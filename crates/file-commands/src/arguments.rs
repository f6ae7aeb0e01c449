//! Arguments of the commands that work on files alone.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use chrono_tz::Tz;
use clap::{Args, ValueEnum};
use foretide_calendar::known_countries;
use foretide_forecasting::CandidateKind;
use foretide_series_files::{
    DateOrder, Decimal, FillGaps, HistoryOptions, LayoutOptions, StampClock,
};

const FORECAST_HELP: &str = "\
Output: a row an hour: unique_id,ds,mean,lo80,hi80,lo95,hi95[,cutoff],expected[,p]. The column `mean` \
holds the MEDIAN, which is what scorers take it for (the 0.5 quantile); the expected value stands in \
`expected`. `p` is the probability of exceeding --capacity or --threshold-sd.

Exit codes: 0 done, 2 wrong usage, 65 data that cannot be used (the message names file, line, column \
and what to do), 1 anything else.

To run the six steps on a workspace, see `foretide run`.";

const LAYOUT: &str = "Layout of the history (judged by the file where it is not given)";

/// How a history is laid out.
#[derive(Debug, Args)]
#[command(next_help_heading = LAYOUT)]
pub(crate) struct LayoutArgs {
    /// The column of time stamps.
    #[arg(long, value_name = "NAME")]
    time_column: Option<String>,
    /// The column of values.
    #[arg(long, value_name = "NAME")]
    value_column: Option<String>,
    /// Columns that together name the series, e.g. Severity,ProductName.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    id_columns: Vec<String>,
    /// What parts the values of a row: one character, or tab.
    #[arg(long, value_name = "C", value_parser = separator)]
    separator: Option<u8>,
    /// What parts whole numbers from their fraction.
    #[arg(long, value_enum, value_name = "SIGN")]
    decimal: Option<DecimalSign>,
    /// Which number of dates such as 06/01/2026 is the day.
    #[arg(long, value_enum, value_name = "ORDER")]
    date_order: Option<Order>,
    /// The sheet of a workbook; the first otherwise.
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
}

impl LayoutArgs {
    pub(crate) fn options(&self) -> LayoutOptions {
        LayoutOptions {
            time_column: self.time_column.clone(),
            value_column: self.value_column.clone(),
            id_columns: self.id_columns.clone(),
            separator: self.separator,
            decimal: self.decimal.map(|sign| match sign {
                DecimalSign::Point => Decimal::Point,
                DecimalSign::Comma => Decimal::Comma,
            }),
            date_order: self.date_order.map(|order| match order {
                Order::Dmy => DateOrder::DayFirst,
                Order::Mdy => DateOrder::MonthFirst,
            }),
            sheet: self.sheet.clone(),
        }
    }
}

/// What parts whole numbers from their fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DecimalSign {
    /// 12.5
    #[value(alias = ".")]
    Point,
    /// 12,5
    #[value(alias = ",")]
    Comma,
}

/// Which number of a date that ends with its year is the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    /// The first: 23/11/2026.
    Dmy,
    /// The second: 11/23/2026.
    Mdy,
}

fn separator(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && *byte != b'"' => Ok(*byte),
        _ => Err("give one character that is no letter, digit or quote, or tab".to_owned()),
    }
}

/// What is read, and how.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// Hourly series: columns unique_id,ds,y or others that hold these, as CSV (also gzipped), Parquet
    /// or a workbook, in any order; - reads the standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) history: PathBuf,
    /// What hours without a row had. Without it a gap is an error.
    #[arg(long, value_enum, value_name = "WITH")]
    pub(crate) fill_gaps: Option<Fill>,
    /// Time zone people work in: hours of the week, weekdays and holidays are local there.
    #[arg(long, default_value = "UTC", value_name = "TZ", value_parser = time_zone)]
    pub(crate) time_zone: Tz,
    /// Time stamps without an offset are on the clock of --time-zone; they are UTC otherwise.
    #[arg(long)]
    pub(crate) local_stamps: bool,
    #[command(flatten)]
    layout: LayoutArgs,
}

impl HistoryArgs {
    pub(crate) fn options(&self) -> HistoryOptions {
        HistoryOptions {
            fill_gaps: self.fill_gaps.map(|fill| match fill {
                Fill::Zero => FillGaps::Zero,
                Fill::Previous => FillGaps::Previous,
            }),
            clock: if self.local_stamps {
                StampClock::Local(self.time_zone)
            } else {
                StampClock::Utc
            },
            layout: self.layout.options(),
            leave_out: false,
        }
    }
}

/// What fills a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fill {
    /// Nothing happened.
    Zero,
    /// The same as in the hour before.
    Previous,
}

/// How it is forecast.
#[derive(Debug, Args)]
pub(crate) struct EngineArgs {
    /// Hours ahead.
    #[arg(long, default_value_t = 72, value_parser = clap::value_parser!(u16).range(1..=336))]
    pub(crate) horizon: u16,
    /// Moments to forecast from: columns unique_id,cutoff; the cutoff is the last hour known.
    #[arg(long, value_name = "FILE")]
    pub(crate) cutoffs: Option<PathBuf>,
    /// Countries whose public holidays count, by ISO code, e.g. DE,US.
    #[arg(long, value_name = "CODES", value_delimiter = ',', value_parser = country)]
    pub(crate) holidays: Vec<String>,
    /// Quantities known ahead, shared by all series: ds and a column each, or ds,name,value.
    #[arg(long, value_name = "FILE")]
    pub(crate) regressors: Option<PathBuf>,
    /// Seasons that candidates may have.
    #[arg(long, value_enum, default_value_t = Season::Auto)]
    pub(crate) season: Season,
    /// Hours for which a fit is kept while new hours only move its state; each cutoff is fitted
    /// anew otherwise.
    #[arg(long, value_name = "HOURS")]
    pub(crate) refit_every: Option<NonZeroUsize>,
    /// Threads; all cores otherwise. The result does not depend on it.
    #[arg(long, short, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
}

/// Seasons that candidates may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Season {
    /// Any; the backtest inside each history decides.
    Auto,
    /// The day only: every weekday is alike.
    #[value(name = "24")]
    Day,
    /// The week, and with it the day; no candidate that knows the day alone.
    #[value(name = "168")]
    Week,
    /// None: the level of the last weeks and its spread.
    None,
}

impl Season {
    /// Candidates that know no more than this season; all when empty.
    pub(crate) fn candidates(self) -> Vec<CandidateKind> {
        let knows_day_alone = |kind: &CandidateKind| {
            matches!(
                kind,
                CandidateKind::DailyNaive | CandidateKind::Ets | CandidateKind::EtsLog
            )
        };
        // What these learn of the week, they learn from the hour of the week they are told.
        let learns_from_clock = |kind: &CandidateKind| {
            matches!(
                kind,
                CandidateKind::Climatology
                    | CandidateKind::ProphetAdditive
                    | CandidateKind::ProphetMultiplicative
                    | CandidateKind::CountMixture
            )
        };
        let all = CandidateKind::ALL.into_iter();
        match self {
            Self::Auto => Vec::new(),
            Self::Day => all
                .filter(|kind| knows_day_alone(kind) || learns_from_clock(kind))
                .collect(),
            Self::Week => all.filter(|kind| !knows_day_alone(kind)).collect(),
            Self::None => vec![CandidateKind::Climatology],
        }
    }

    /// The hour of the week that candidates are told.
    pub(crate) fn told(self, hour_of_week: u8) -> u8 {
        match self {
            Self::Auto | Self::Week => hour_of_week,
            Self::Day => hour_of_week % 24,
            Self::None => 0,
        }
    }
}

/// Arguments of `forecast`.
#[derive(Debug, Args)]
#[command(after_help = FORECAST_HELP)]
pub struct ForecastArgs {
    #[command(flatten)]
    pub(crate) history: HistoryArgs,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    /// Where to: .csv, .csv.gz or .parquet; - writes CSV to the standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Adds what carried each forecast, a note in words, and additive drivers that sum to
    /// `expected`.
    #[arg(long)]
    pub(crate) explain: bool,
    /// Adds `p`, the probability that an hour exceeds this; `auto` learns from the history what an
    /// hour of the week stays under 19 times in 20.
    #[arg(long, value_name = "N|auto", value_parser = capacity, allow_negative_numbers = true, conflicts_with = "threshold_sd")]
    pub(crate) capacity: Option<Capacity>,
    /// Adds `p`, the probability that an hour exceeds the mean of the last 30 known days plus so
    /// many standard deviations.
    #[arg(long, value_name = "K", value_parser = factor, allow_negative_numbers = true)]
    pub(crate) threshold_sd: Option<f64>,
    /// Leaves out series that cannot be forecast and names them, instead of refusing the file: under 14
    /// days, without values, with gaps or copies.
    #[arg(long, conflicts_with = "cutoffs")]
    pub(crate) skip_short: bool,
}

/// Load that an hour can carry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Capacity {
    /// Learned from the history, by hour of the week.
    Auto,
    /// The same for every hour.
    Fixed(f64),
}

/// Arguments of `backtest`.
#[derive(Debug, Args)]
pub struct BacktestArgs {
    #[command(flatten)]
    pub(crate) history: HistoryArgs,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    /// Moments to forecast from in every series, the newest first, when no cutoffs are given.
    #[arg(long, default_value_t = 20, conflicts_with = "cutoffs",
          value_parser = clap::value_parser!(u16).range(1..=2000))]
    pub(crate) origins: u16,
    /// Hours between them.
    #[arg(long, default_value_t = 24, conflicts_with = "cutoffs",
          value_parser = clap::value_parser!(u16).range(1..=2000))]
    pub(crate) every: u16,
    /// Report as one HTML page.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Scores of every series by every model: .csv, .csv.gz or .parquet.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Arguments of `anomalies`.
#[derive(Debug, Args)]
pub struct AnomaliesArgs {
    /// A history (unique_id,ds,y), a file of timestamp,value rows, or a folder of such files; - reads
    /// the standard input.
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) history: PathBuf,
    /// Where to: .csv, .csv.gz or .parquet; - writes CSV to the standard output. Columns: file,timestamp,score,expected,low,high,alert,
    /// reasons.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Score from which a point is an alert, 0.1 to 1; the detector's own rate of alerts
    /// decides otherwise.
    #[arg(long, value_name = "SCORE", value_parser = threshold, allow_negative_numbers = true)]
    pub(crate) threshold: Option<f64>,
    /// What hours without a row had, in a history.
    #[arg(long, value_enum, value_name = "WITH")]
    pub(crate) fill_gaps: Option<Fill>,
    /// Threads; all cores otherwise.
    #[arg(long, short, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(crate) layout: LayoutArgs,
}

/// Arguments of `staffing`.
#[derive(Debug, Args)]
pub struct StaffingArgs {
    /// What `foretide forecast` wrote; of several cutoffs the latest counts.
    #[arg(long, value_name = "FILE", required_unless_present = "arrivals")]
    pub(crate) forecast: Option<PathBuf>,
    /// Which series of the file, when there are several.
    #[arg(long, value_name = "ID", requires = "forecast")]
    pub(crate) series: Option<String>,
    /// Incidents an hour, instead of a forecast.
    #[arg(
        long,
        value_name = "N",
        conflicts_with = "forecast",
        allow_negative_numbers = true
    )]
    pub(crate) arrivals: Option<f64>,
    /// Mean hands-on time of an incident, minutes.
    #[arg(long, value_name = "MINUTES", allow_negative_numbers = true)]
    pub(crate) handling_minutes: f64,
    /// Share of incidents that shall be taken up in time.
    #[arg(
        long,
        default_value_t = 0.8,
        value_name = "SHARE",
        allow_negative_numbers = true
    )]
    pub(crate) answered: f64,
    /// What in time means.
    #[arg(
        long,
        default_value_t = 15.0,
        value_name = "MINUTES",
        allow_negative_numbers = true
    )]
    pub(crate) within_minutes: f64,
    /// Largest share of their time that people are busy.
    #[arg(
        long,
        default_value_t = 0.85,
        value_name = "SHARE",
        allow_negative_numbers = true
    )]
    pub(crate) occupancy: f64,
    /// Mean time after which an incident nobody took up is dropped (Erlang-A); without it all wait
    /// (Erlang-C).
    #[arg(long, value_name = "MINUTES", allow_negative_numbers = true)]
    pub(crate) patience_minutes: Option<f64>,
    /// Quantile of the forecast that is planned for: 0.8 is enough in four hours of five.
    #[arg(
        long,
        default_value_t = 0.8,
        value_name = "LEVEL",
        allow_negative_numbers = true
    )]
    pub(crate) covering: f64,
    /// Shifts on the local clock: NAME=HH-HH, separated by commas.
    #[arg(long, value_name = "SHIFTS", value_delimiter = ',', value_parser = shift,
          default_value = "early=06-14,late=14-22,night=22-06")]
    pub(crate) shifts: Vec<Shift>,
    /// Time zone of the shifts.
    #[arg(long, default_value = "UTC", value_name = "TZ", value_parser = time_zone)]
    pub(crate) time_zone: Tz,
    /// Where to write arrivals, load, analysts needed and planned, hour by hour.
    #[arg(long, short, value_name = "FILE", requires = "forecast")]
    pub(crate) output: Option<PathBuf>,
}

/// A shift by its hours on the local clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shift {
    pub(crate) name: String,
    pub(crate) start_hour: u8,
    pub(crate) hours: u8,
}

fn shift(text: &str) -> Result<Shift, String> {
    let parsed = || {
        let (name, span) = text.split_once('=').unwrap_or((text, text));
        let (from, to) = span.split_once('-')?;
        let (from, to): (u8, u8) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        (from < 24 && to <= 24).then(|| Shift {
            name: name.trim().to_owned(),
            start_hour: from,
            hours: if to > from { to - from } else { to + 24 - from },
        })
    };
    parsed().ok_or_else(|| "give NAME=HH-HH, e.g. night=22-06".to_owned())
}

fn time_zone(text: &str) -> Result<Tz, String> {
    text.parse()
        .map_err(|_| "give an IANA time zone such as UTC or Europe/Berlin".to_owned())
}

fn country(text: &str) -> Result<String, String> {
    let code = text.trim().to_ascii_uppercase();
    let known = known_countries();
    if known.contains(&code.as_str()) {
        Ok(code)
    } else {
        Err(format!("holidays are known for {}", known.join(", ")))
    }
}

fn capacity(text: &str) -> Result<Capacity, String> {
    if text == "auto" {
        return Ok(Capacity::Auto);
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(Capacity::Fixed(number)),
        _ => Err("give a number from 0 on, or auto".to_owned()),
    }
}

fn factor(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.0..=100.0).contains(&number) => Ok(number),
        _ => Err("give a number from 0 to 100, e.g. 2".to_owned()),
    }
}

fn threshold(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.1..=1.0).contains(&number) => Ok(number),
        _ => Err("give a score from 0.1 up to 1, e.g. 0.5".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifts_may_pass_midnight() {
        let night = shift("night=22-06").unwrap();
        assert_eq!((night.start_hour, night.hours), (22, 8));
        assert_eq!(shift("0-24").unwrap().hours, 24);
        for text in [
            "",
            "night",
            "a=25-3",
            "a=3-25",
            "a=x-y",
            "a=-1-5",
            "a=255-255",
        ] {
            assert!(shift(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_season_keeps_out_who_knows_another() {
        let named = |season: Season| season.candidates();
        assert!(named(Season::Auto).is_empty(), "all");
        for kind in [CandidateKind::MstlEts, CandidateKind::DoubleSeasonalLog] {
            assert!(!named(Season::Day).contains(&kind), "{kind}");
            assert!(named(Season::Week).contains(&kind), "{kind}");
        }
        assert!(named(Season::Day).contains(&CandidateKind::EtsLog));
        assert!(!named(Season::Week).contains(&CandidateKind::EtsLog));
        assert_eq!(named(Season::None), [CandidateKind::Climatology]);
    }

    #[test]
    fn a_capacity_is_a_number_or_learned() {
        assert_eq!(capacity("auto"), Ok(Capacity::Auto));
        assert_eq!(capacity("12.5"), Ok(Capacity::Fixed(12.5)));
        for text in ["", "-1", "inf", "NaN", "many"] {
            assert!(capacity(text).is_err(), "{text}");
        }
    }
}
