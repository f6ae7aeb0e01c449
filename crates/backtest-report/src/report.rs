//! The report: which plots and tables there are, and what they say.

use crate::chart::{Band, Chart, Line, Ticks, number};
use crate::page::{Page, Table};
use crate::tally::{Backtest, Score, Sums};

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// What the report is about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct About {
    /// Headline.
    pub title: String,
    /// Facts: name and value, as they shall stand there.
    pub facts: Vec<(String, String)>,
    /// What the engine served, most frequent first.
    pub served: Vec<ServedBy>,
}

/// How many forecasts a candidate carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedBy {
    /// The candidate with the largest weight.
    pub candidate: String,
    /// Forecasts that it carried.
    pub forecasts: usize,
}

/// One forecast beside what happened, as an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Fan {
    /// Which series.
    pub series: String,
    /// The last hour known, as the history writes it.
    pub cutoff: String,
    /// The last known values, oldest first.
    pub known: Vec<f64>,
    /// Quantiles of the hours after.
    pub quantiles: Vec<[f64; 5]>,
    /// What happened then; it may end earlier.
    pub actuals: Vec<f64>,
}

impl Backtest {
    /// The report as one HTML page that needs nothing from outside and runs no script.
    #[must_use]
    pub fn html(&self, about: &About, fans: &[Fan]) -> String {
        let mut page = Page::new(&about.title);
        page.facts(&about.facts);
        self.summary(&mut page);
        served(&mut page, &about.served);
        page.section(
            "Forecasts and what happened",
            "The newest forecast of some series: median, 80% and 95% interval, and what happened.",
        );
        for (index, fan) in fans.iter().enumerate() {
            page.figure(&fan_chart(index, fan).svg(), &fan_table(fan));
        }
        self.coverage(&mut page);
        self.reliability(&mut page);
        self.error_by_horizon(&mut page);
        self.by_series(&mut page);
        page.finish()
    }

    fn summary(&self, page: &mut Page) {
        page.section(
            "Scores",
            "Lower is better for pinball loss, WQL, MAE and MASE. Coverage should be 80% and 95%.",
        );
        let rows = self.scores().into_iter().map(|score| {
            let mut row = vec![score.model.clone(), score.hours.to_string()];
            row.extend(score_cells(&score));
            row
        });
        page.table(&Table {
            caption: "All hours of all forecasts".to_owned(),
            header: header(&["model", "hours"]),
            rows: rows.collect(),
        });
    }

    fn coverage(&self, page: &mut Page) {
        page.section(
            "Coverage",
            "How often what happened lay inside the intervals. Far below the dotted lines the \
             forecast promises too much, far above it promises too little.",
        );
        let tally = &self.tallies[0];
        let by_horizon: Vec<(f64, &Sums)> = (1..)
            .map(f64::from)
            .zip(&tally.by_horizon)
            .filter(|(_, sums)| sums.hours > 0)
            .collect();
        let chart = self.coverage_chart("cov-h", "Coverage by hour ahead", &by_horizon, None);
        page.figure(
            &chart.svg(),
            &coverage_table(
                "Coverage by hour ahead",
                "hours ahead",
                &grouped(&by_horizon),
            ),
        );
        let by_weekday: Vec<(f64, &Sums)> = (0..)
            .map(f64::from)
            .zip(&tally.by_weekday)
            .filter(|(_, sums)| sums.hours > 0)
            .collect();
        let named = |at: f64| DAYS[at as usize % 7].to_owned();
        let ticks = by_weekday.iter().map(|(at, _)| (*at, named(*at)));
        let chart = self.coverage_chart(
            "cov-d",
            "Coverage by weekday",
            &by_weekday,
            Some(ticks.collect()),
        );
        let rows: Vec<(String, f64, f64)> = by_weekday
            .iter()
            .map(|(at, sums)| (named(*at), sums.coverage_80(), sums.coverage_95()))
            .collect();
        page.figure(
            &chart.svg(),
            &coverage_table("Coverage by weekday", "weekday", &rows),
        );
    }

    fn coverage_chart(
        &self,
        id: &str,
        title: &str,
        places: &[(f64, &Sums)],
        named: Option<Vec<(f64, String)>>,
    ) -> Chart {
        let line = |name: &str, class: &str, of: &dyn Fn(&Sums) -> f64| Line {
            name: name.to_owned(),
            class: class.to_owned(),
            points: places.iter().map(|(at, sums)| (*at, of(sums))).collect(),
            dots: named.is_some() && class != "reference",
        };
        let lowest = places
            .iter()
            .map(|(_, sums)| sums.coverage_80())
            .fold(0.5, f64::min);
        Chart {
            id: id.to_owned(),
            title: format!("{title} of {}", self.models[0]),
            description: format!(
                "{}; 80% interval {}, 95% interval {}; dotted lines mark 80% and 95%",
                title,
                range(places.iter().map(|(_, sums)| sums.coverage_80())),
                range(places.iter().map(|(_, sums)| sums.coverage_95())),
            ),
            x_label: if named.is_some() {
                "weekday"
            } else {
                "hours ahead"
            }
            .to_owned(),
            y_label: "share inside".to_owned(),
            lines: vec![
                line("95% interval", "m1", &Sums::coverage_95),
                line("80% interval", "m0", &Sums::coverage_80),
                line("", "reference", &|_| 0.95),
                line("", "reference", &|_| 0.8),
            ],
            x_ticks: named.map_or(Ticks::Numbers, Ticks::Named),
            percent: true,
            bands: Vec::new(),
            y_range: Some((lowest, 1.0)),
        }
    }

    fn reliability(&self, page: &mut Page) {
        page.section(
            "Reliability",
            "A 10% quantile should lie above what happened in 10% of hours, and so on: points on \
             the dotted line are honest. Hours that equal a quantile count half.",
        );
        let levels = foretide_domain::LEVELS;
        let mut lines: Vec<Line> = self
            .models
            .iter()
            .zip(&self.tallies)
            .enumerate()
            .map(|(index, (model, tally))| Line {
                name: model.clone(),
                class: format!("m{}", index % 6),
                points: levels.into_iter().zip(tally.all.shares_below()).collect(),
                dots: true,
            })
            .collect();
        lines.push(Line {
            name: String::new(),
            class: "reference".to_owned(),
            points: vec![(0.0, 0.0), (1.0, 1.0)],
            dots: false,
        });
        let percent = |share: f64| format!("{:.1}%", share * 100.0);
        let rows = self.models.iter().zip(&self.tallies).map(|(model, tally)| {
            let shares = tally.all.shares_below().map(percent);
            std::iter::once(model.clone()).chain(shares).collect()
        });
        let mut columns = vec!["model".to_owned()];
        columns.extend(levels.map(|level| format!("{}% quantile", level * 100.0)));
        let table = Table {
            caption: "Share of hours below each quantile".to_owned(),
            header: columns,
            rows: rows.collect(),
        };
        let chart = Chart {
            id: "rel".to_owned(),
            title: "Reliability of the quantiles".to_owned(),
            description: "Share of hours below each quantile against its level, a line a model"
                .to_owned(),
            x_label: "level of the quantile".to_owned(),
            y_label: "share below".to_owned(),
            x_ticks: Ticks::Named(levels.map(|level| (level, format!("{level}"))).into()),
            percent: true,
            lines,
            bands: Vec::new(),
            y_range: Some((0.0, 1.0)),
        };
        page.figure(&chart.svg(), &table);
    }

    fn error_by_horizon(&self, page: &mut Page) {
        page.section(
            "Error by hour ahead",
            "Weighted quantile loss of every hour ahead, beside the baselines. Lower is better.",
        );
        let lines: Vec<Line> = self
            .models
            .iter()
            .zip(&self.tallies)
            .enumerate()
            .map(|(index, (model, tally))| Line {
                name: model.clone(),
                class: format!("m{}", index % 6),
                points: (1..)
                    .map(f64::from)
                    .zip(&tally.by_horizon)
                    .filter_map(|(hour, sums)| Some((hour, sums.wql()?)))
                    .collect(),
                dots: false,
            })
            .collect();
        let hours: Vec<usize> = (0..self.horizon)
            .filter(|hour| self.horizon <= 12 || (hour + 1) % 6 == 0)
            .collect();
        let rows = hours.iter().map(|hour| {
            let cells = self
                .tallies
                .iter()
                .map(|tally| optional(tally.by_horizon[*hour].wql()));
            std::iter::once((hour + 1).to_string())
                .chain(cells)
                .collect()
        });
        let mut columns = vec!["hours ahead".to_owned()];
        columns.extend(self.models.iter().cloned());
        let table = Table {
            caption: "WQL by hour ahead".to_owned(),
            header: columns,
            rows: rows.collect(),
        };
        let chart = Chart {
            id: "err".to_owned(),
            title: "Weighted quantile loss by hour ahead".to_owned(),
            description: "A line a model over the hours ahead".to_owned(),
            x_label: "hours ahead".to_owned(),
            y_label: "WQL".to_owned(),
            x_ticks: Ticks::Numbers,
            percent: false,
            lines,
            bands: Vec::new(),
            y_range: None,
        };
        page.figure(&chart.svg(), &table);
    }

    fn by_series(&self, page: &mut Page) {
        /// Rows beyond which the page would be too long to read.
        const MOST: usize = 400;
        page.section("Series", "The same scores for every series.");
        let scores = self.scores_by_series();
        let all = scores.len();
        let rows = scores.into_iter().take(MOST).map(|(series, score)| {
            let mut row = vec![series, score.model.clone(), score.hours.to_string()];
            row.extend(score_cells(&score));
            row
        });
        let rest = if all > MOST {
            format!(" (the first {MOST} of {all} rows; all are in the table file)")
        } else {
            String::new()
        };
        page.table(&Table {
            caption: format!("Scores by series{rest}"),
            header: header(&["series", "model", "hours"]),
            rows: rows.collect(),
        });
    }
}

fn header(first: &[&str]) -> Vec<String> {
    let rest = [
        "pinball",
        "WQL",
        "WQL macro",
        "MAE",
        "MASE",
        "in 80%",
        "in 95%",
    ];
    first.iter().chain(&rest).map(ToString::to_string).collect()
}

fn score_cells(score: &Score) -> [String; 7] {
    [
        number(score.pinball),
        optional(score.wql),
        optional(score.wql_macro),
        number(score.mae),
        optional(score.mase),
        format!("{:.1}%", score.coverage_80 * 100.0),
        format!("{:.1}%", score.coverage_95 * 100.0),
    ]
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"))
}

fn served(page: &mut Page, served: &[ServedBy]) {
    if served.is_empty() {
        return;
    }
    let all: usize = served.iter().map(|by| by.forecasts).sum();
    page.table(&Table {
        caption: "What carried the forecasts: the candidate with the largest weight".to_owned(),
        header: ["candidate", "forecasts", "share"]
            .map(str::to_owned)
            .into(),
        rows: served
            .iter()
            .map(|by| {
                let share = 100.0 * by.forecasts as f64 / all as f64;
                vec![
                    by.candidate.clone(),
                    by.forecasts.to_string(),
                    format!("{share:.0}%"),
                ]
            })
            .collect(),
    });
}

fn range(values: impl Iterator<Item = f64>) -> String {
    let (low, high) = values.fold((1.0_f64, 0.0_f64), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    format!("from {:.0}% to {:.0}%", low * 100.0, high * 100.0)
}

/// Groups of six hours, for a table that can be read.
fn grouped(by_horizon: &[(f64, &Sums)]) -> Vec<(String, f64, f64)> {
    by_horizon
        .chunks(6)
        .map(|hours| {
            let mean = |of: &dyn Fn(&Sums) -> f64| {
                let weight: f64 = hours.iter().map(|(_, sums)| sums.hours as f64).sum();
                let sum: f64 = hours
                    .iter()
                    .map(|(_, sums)| of(sums) * sums.hours as f64)
                    .sum();
                sum / weight
            };
            let (first, last) = (hours[0].0, hours[hours.len() - 1].0);
            (
                format!("{first} to {last}"),
                mean(&Sums::coverage_80),
                mean(&Sums::coverage_95),
            )
        })
        .collect()
}

fn coverage_table(caption: &str, first: &str, rows: &[(String, f64, f64)]) -> Table {
    Table {
        caption: caption.to_owned(),
        header: [first, "in 80%", "in 95%"].map(str::to_owned).into(),
        rows: rows
            .iter()
            .map(|(name, c80, c95)| {
                vec![
                    name.clone(),
                    format!("{:.1}%", c80 * 100.0),
                    format!("{:.1}%", c95 * 100.0),
                ]
            })
            .collect(),
    }
}

fn fan_chart(index: usize, fan: &Fan) -> Chart {
    let known = fan.known.len() as f64;
    let ahead = |hour: usize| hour as f64 + 1.0;
    let before = fan
        .known
        .iter()
        .enumerate()
        .map(|(hour, value)| (hour as f64 - known + 1.0, *value));
    let after = fan
        .actuals
        .iter()
        .enumerate()
        .map(|(hour, value)| (ahead(hour), *value));
    let band = |class, low: usize, high: usize| Band {
        class,
        points: (fan.quantiles.iter().enumerate())
            .map(|(hour, quantiles)| (ahead(hour), quantiles[low], quantiles[high]))
            .collect(),
    };
    let medians = fan.quantiles.iter().enumerate();
    Chart {
        id: format!("fan{index}"),
        title: format!("{}, forecast after {}", fan.series, fan.cutoff),
        description: format!(
            "The last {} known hours, then median, 80% and 95% interval of {} hours ahead, and \
             what happened in {} of them",
            fan.known.len(),
            fan.quantiles.len(),
            fan.actuals.len()
        ),
        x_label: "hours after the cutoff".to_owned(),
        y_label: "per hour".to_owned(),
        x_ticks: Ticks::Numbers,
        percent: false,
        lines: vec![
            Line {
                name: "what happened".to_owned(),
                class: "actual".to_owned(),
                points: before.chain(after).collect(),
                dots: false,
            },
            Line {
                name: "median".to_owned(),
                class: "m0".to_owned(),
                points: medians
                    .map(|(hour, quantiles)| (ahead(hour), quantiles[2]))
                    .collect(),
                dots: false,
            },
        ],
        bands: vec![band("band95", 0, 4), band("band80", 1, 3)],
        y_range: None,
    }
}

fn fan_table(fan: &Fan) -> Table {
    let rows = fan.quantiles.iter().enumerate().filter(|(hour, _)| {
        let every = fan.quantiles.len().div_ceil(24).max(1);
        (hour + 1) % every == 0
    });
    Table {
        caption: format!("{} after {}", fan.series, fan.cutoff),
        header: [
            "hours ahead",
            "low 95%",
            "low 80%",
            "median",
            "high 80%",
            "high 95%",
            "happened",
        ]
        .map(str::to_owned)
        .into(),
        rows: rows
            .map(|(hour, quantiles)| {
                let mut row = vec![(hour + 1).to_string()];
                row.extend(quantiles.map(number));
                row.push(
                    fan.actuals
                        .get(hour)
                        .map_or_else(|| "–".to_owned(), |y| number(*y)),
                );
                row
            })
            .collect(),
    }
}
