//! Line charts as SVG, drawn so that they can be read without colour.

use std::fmt::Write;

/// Size of a chart in SVG units.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 44.0;

/// A line with a name.
pub(crate) struct Line {
    pub(crate) name: String,
    /// Class of the style sheet: `m0` to `m5` for models, `actual`, `reference`.
    pub(crate) class: String,
    pub(crate) points: Vec<(f64, f64)>,
    /// Whether points are marked by dots, as categories are.
    pub(crate) dots: bool,
}

/// An area between two lines.
pub(crate) struct Band {
    pub(crate) class: &'static str,
    /// Place, low end, high end.
    pub(crate) points: Vec<(f64, f64, f64)>,
}

/// Ticks of the horizontal axis.
pub(crate) enum Ticks {
    /// Chosen here.
    Numbers,
    /// Given.
    Named(Vec<(f64, String)>),
}

pub(crate) struct Chart {
    /// Unique on the page.
    pub(crate) id: String,
    pub(crate) title: String,
    /// What one sees, in words.
    pub(crate) description: String,
    pub(crate) x_label: String,
    pub(crate) y_label: String,
    pub(crate) x_ticks: Ticks,
    /// Shows shares as percentages.
    pub(crate) percent: bool,
    pub(crate) lines: Vec<Line>,
    pub(crate) bands: Vec<Band>,
    /// Range of the vertical axis, if not that of the data from 0.
    pub(crate) y_range: Option<(f64, f64)>,
}

impl Chart {
    pub(crate) fn svg(&self) -> String {
        let (x, y) = (self.x_scale(), self.y_scale());
        let mut out = String::new();
        let id = &self.id;
        push(
            &mut out,
            format_args!(
                "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\
                 <title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>",
                escape(&self.title),
                escape(&self.description)
            ),
        );
        self.draw_axes(&mut out, &x, &y);
        for band in &self.bands {
            draw_band(&mut out, band, &x, &y);
        }
        for line in &self.lines {
            draw_line(&mut out, line, &x, &y);
        }
        self.draw_names(&mut out, &y);
        out.push_str("</svg>");
        out
    }

    fn x_scale(&self) -> Scale {
        let lines = self.lines.iter().flat_map(|line| &line.points);
        let bands = self.bands.iter().flat_map(|band| &band.points);
        let places = lines.map(|point| point.0).chain(bands.map(|point| point.0));
        Scale::over(places, LEFT, WIDTH - RIGHT)
    }

    fn y_scale(&self) -> Scale {
        if let Some((low, high)) = self.y_range {
            return Scale::new(low, high, HEIGHT - BOTTOM, TOP);
        }
        let lines = self.lines.iter().flat_map(|line| &line.points);
        let bands = self.bands.iter().flat_map(|band| &band.points);
        let highest = lines
            .map(|point| point.1)
            .chain(bands.map(|point| point.2))
            .filter(|value| value.is_finite())
            .fold(0.0, f64::max);
        let high = if highest > 0.0 { highest * 1.05 } else { 1.0 };
        Scale::new(0.0, high, HEIGHT - BOTTOM, TOP)
    }

    fn draw_axes(&self, out: &mut String, x: &Scale, y: &Scale) {
        let (base, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        for tick in y.ticks(5) {
            let at = y.at(tick);
            let text = if self.percent {
                format!("{:.0}%", tick * 100.0)
            } else {
                short(tick)
            };
            push(
                out,
                format_args!(
                    "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                     <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
                    LEFT - 6.0,
                    at + 4.0
                ),
            );
        }
        let ticks = match &self.x_ticks {
            Ticks::Numbers => x.ticks(8).map(|tick| (tick, number(tick))).collect(),
            Ticks::Named(ticks) => ticks.clone(),
        };
        for (tick, text) in ticks {
            push(
                out,
                format_args!(
                    "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                    x.at(tick),
                    base + 16.0,
                    escape(&text)
                ),
            );
        }
        push(
            out,
            format_args!(
                "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{base}\" y2=\"{base}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
                 <text transform=\"translate(12 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
                f64::midpoint(LEFT, right),
                HEIGHT - 8.0,
                escape(&self.x_label),
                f64::midpoint(TOP, base),
                escape(&self.y_label)
            ),
        );
    }

    /// Names at the ends of the lines, moved apart where they would overlap.
    fn draw_names(&self, out: &mut String, y: &Scale) {
        let mut names: Vec<(f64, &Line)> = self
            .lines
            .iter()
            .filter(|line| !line.name.is_empty())
            .filter_map(|line| Some((y.at(line.points.last()?.1), line)))
            .collect();
        names.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut lowest = TOP;
        for (at, line) in names {
            let place = at.max(lowest);
            lowest = place + 14.0;
            push(
                out,
                format_args!(
                    "<text class=\"name {}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                    line.class,
                    WIDTH - RIGHT + 6.0,
                    place + 4.0,
                    escape(&line.name)
                ),
            );
        }
    }
}

fn draw_line(out: &mut String, line: &Line, x: &Scale, y: &Scale) {
    let points: Vec<(f64, f64)> = line
        .points
        .iter()
        .filter(|point| point.1.is_finite())
        .map(|point| (x.at(point.0), y.at(point.1)))
        .collect();
    let joined = joined(points.iter().copied());
    push(
        out,
        format_args!("<polyline class=\"{}\" points=\"{joined}\"/>", line.class),
    );
    if line.dots {
        for (x, y) in points {
            push(
                out,
                format_args!(
                    "<circle class=\"{}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>",
                    line.class
                ),
            );
        }
    }
}

fn draw_band(out: &mut String, band: &Band, x: &Scale, y: &Scale) {
    let high = band
        .points
        .iter()
        .map(|point| (x.at(point.0), y.at(point.2)));
    let low = band
        .points
        .iter()
        .rev()
        .map(|point| (x.at(point.0), y.at(point.1)));
    push(
        out,
        format_args!(
            "<polygon class=\"{}\" points=\"{}\"/>",
            band.class,
            joined(high.chain(low))
        ),
    );
}

fn joined(points: impl Iterator<Item = (f64, f64)>) -> String {
    let points: Vec<String> = points.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    points.join(" ")
}

/// From values to places on the page.
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    fn new(low: f64, high: f64, from: f64, to: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self {
            low,
            high,
            from,
            to,
        }
    }

    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high {
            return Self::new(0.0, 1.0, from, to);
        }
        Self::new(low, high, from, to)
    }

    fn at(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.from + share * (self.to - self.from)
    }

    /// About `count` round numbers.
    fn ticks(&self, count: usize) -> impl Iterator<Item = f64> + use<> {
        let rough = (self.high - self.low) / count as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|factor| factor * power)
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        let first = (self.low / step).ceil();
        let last = ((self.high + step * 1e-9) / step).floor();
        (0..=(last - first).max(0.0) as usize).map(move |index| (first + index as f64) * step)
    }
}

/// A number for an axis, with a letter for thousands, millions and so on.
fn short(value: f64) -> String {
    [(1e9, "G"), (1e6, "M"), (1e3, "k")]
        .into_iter()
        .find(|(size, _)| value.abs() >= 10.0 * size)
        .map_or_else(
            || number(value),
            |(size, letter)| format!("{}{letter}", number(value / size)),
        )
}

/// A number for people: as many digits as matter.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if size >= 100.0 || (size - size.round()).abs() < 1e-9 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else if size >= 0.1 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

/// Text as it may stand in HTML and SVG, without control characters.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() && c != '\n' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

pub(crate) fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a text");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let ticks: Vec<f64> = Scale::new(0.0, 97.0, 0.0, 1.0).ticks(5).collect();
        assert_eq!(ticks, [0.0, 20.0, 40.0, 60.0, 80.0]);
        let ticks: Vec<f64> = Scale::new(0.5, 1.0, 0.0, 1.0).ticks(5).collect();
        assert_eq!(ticks.len(), 6);
    }

    #[test]
    fn large_numbers_fit_on_an_axis() {
        let shown = [0.0, 0.25, 9000.0, 20_000.0, 15e6, 4e10].map(short);
        assert_eq!(shown, ["0", "0.25", "9000", "20k", "15M", "40G"]);
    }

    #[test]
    fn a_flat_or_empty_chart_can_be_drawn() {
        for points in [vec![], vec![(0.0, 0.0)], vec![(1.0, f64::NAN), (2.0, 5.0)]] {
            let chart = Chart {
                id: "c".to_owned(),
                title: "<t>".to_owned(),
                description: String::new(),
                x_label: String::new(),
                y_label: String::new(),
                x_ticks: Ticks::Numbers,
                percent: false,
                lines: vec![Line {
                    name: "n".to_owned(),
                    class: "m0".to_owned(),
                    points,
                    dots: true,
                }],
                bands: Vec::new(),
                y_range: None,
            };
            let svg = chart.svg();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            assert!(svg.contains("&lt;t&gt;"));
        }
    }
}
