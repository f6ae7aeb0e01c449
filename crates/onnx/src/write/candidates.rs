//! The formulas of the candidates, one for one with `foretide-forecasting`.

use foretide_forecasting::{
    ANCHOR_SHARE, CandidateKind, DAMPING_DAYS, HOURS_OF_WEEK, LOG_LIMIT, Link, RESERVED_DRIVERS,
    SERIES_LIMIT, STATE_LAG_DAYS, STATE_LIMIT, SeriesParameters, Structural, TREND_PAST_DAYS,
};

use super::Panel;
use super::tables::Tables;
use crate::graph::{Graph, Value};

/// What one candidate says about all rows.
pub(super) struct Candidate {
    /// `[N]`
    pub(super) mean: Value,
    /// The reserved drivers, `[N, 6]`.
    pub(super) drivers: Value,
}

/// Where climatology stands in each row.
#[derive(Clone)]
pub(super) struct ClimateLevel {
    /// Share of the flat form.
    pub(super) flat: Value,
    pub(super) level: Value,
    /// Level x profile.
    pub(super) point: Value,
}

/// The reserved drivers that a candidate fills; the others are zero.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) level: Option<Value>,
    pub(super) trend: Option<Value>,
    pub(super) daily: Option<Value>,
    pub(super) weekly: Option<Value>,
    pub(super) recent: Option<Value>,
    pub(super) bounds: Option<Value>,
}

/// Where a structural model stands in the parameters, and under which name in the graph.
struct Place {
    link: Link,
    name: &'static str,
    of: fn(&SeriesParameters) -> &Structural,
}

const ADDITIVE: Place = Place {
    link: Link::Identity,
    name: "additive",
    of: |parameters| &parameters.additive,
};
const MULTIPLICATIVE: Place = Place {
    link: Link::Log,
    name: "multiplicative",
    of: |parameters| &parameters.multiplicative,
};

/// Parts on the scale of the link, before they are counts.
struct Moves {
    trend: Value,
    daily: Value,
    weekly: Value,
    recent: Value,
    /// All together.
    moved: Value,
}

impl Panel<'_> {
    /// A candidate that is computed from the tables of the series.
    pub(super) fn candidate(&mut self, kind: CandidateKind) -> Candidate {
        match kind {
            CandidateKind::ProphetAdditive => self.additive(),
            CandidateKind::ProphetMultiplicative => self.multiplicative(),
            _ => self.climatology(),
        }
    }

    fn climatology(&mut self) -> Candidate {
        let ClimateLevel { flat, level, point } = self.climate_level();
        let rows = &self.rows;
        let graph = &mut self.graph;
        let base = blend(graph, &flat, &rows.week_level, &level);
        let one = graph.number(1.0);
        let shaped = graph.sub(&one, &flat);
        let swing = graph.sub(&point, &level);
        let season = graph.mul(&shaped, &swing);
        let mean = graph.add(&base, &season);
        let parts = Parts {
            level: Some(base),
            weekly: Some(season),
            ..Parts::default()
        };
        let drivers = self.drivers(parts);
        Candidate { mean, drivers }
    }

    /// Where climatology stands, computed once however many ask.
    pub(super) fn climate_level(&mut self) -> ClimateLevel {
        if let Some(known) = &self.climate {
            return known.clone();
        }
        let tables = Tables(self.model);
        let flat = self.by_series("climatology.flat", &tables.climatology(|one| one.flat));
        let recency = self.by_series(
            "climatology.recency",
            &tables.climatology(|one| one.recency),
        );
        let anchor = self.by_series("climatology.anchor", &tables.climatology(|one| one.anchor));
        let profile = self.by_hour("climatology.profile", HOURS_OF_WEEK, &tables.profile());
        let rows = &self.rows;
        let graph = &mut self.graph;
        let level = blend(graph, &recency, &rows.week_level, &rows.month_level);
        let share = graph.number(ANCHOR_SHARE);
        let level = blend(graph, &share, &anchor, &level);
        let point = graph.mul(&level, &profile);
        let found = ClimateLevel { flat, level, point };
        self.climate = Some(found.clone());
        found
    }

    fn additive(&mut self) -> Candidate {
        let level = self.of_series(&ADDITIVE, "level", |one| one.level);
        let bound = self.of_series(&ADDITIVE, "bound", |one| one.bound);
        let moves = self.moves(&ADDITIVE, &level);
        let graph = &mut self.graph;
        let sum = graph.add(&level, &moves.moved);
        let zero = graph.number(0.0);
        let raised = graph.max(&sum, &zero);
        let mean = graph.min(&raised, &bound);
        let bounds = graph.sub(&mean, &sum);
        let parts = Parts {
            level: Some(level),
            trend: Some(moves.trend),
            daily: Some(moves.daily),
            weekly: Some(moves.weekly),
            recent: Some(moves.recent),
            bounds: Some(bounds),
        };
        let drivers = self.drivers(parts);
        Candidate { mean, drivers }
    }

    fn multiplicative(&mut self) -> Candidate {
        let level = self.of_series(&MULTIPLICATIVE, "level", |one| one.level);
        let base = self.of_series(&MULTIPLICATIVE, "base", |one| one.level.exp());
        let bound = self.of_series(&MULTIPLICATIVE, "bound", |one| one.bound);
        let moves = self.moves(&MULTIPLICATIVE, &level);
        let graph = &mut self.graph;
        let limited = graph.clamp(&moves.moved, -LOG_LIMIT, LOG_LIMIT);
        let log = graph.add(&level, &limited);
        let unbounded = graph.apply("Exp", &[&log]);
        let mean = graph.min(&unbounded, &bound);
        let share = logarithmic_mean(graph, &base, &limited);
        let mut counts = |part: &Value| graph.mul(part, &share);
        let (trend, daily) = (counts(&moves.trend), counts(&moves.daily));
        let (weekly, recent) = (counts(&moves.weekly), counts(&moves.recent));
        let all = counts(&moves.moved);
        let above_base = graph.sub(&mean, &base);
        let bounds = graph.sub(&above_base, &all);
        let parts = Parts {
            level: Some(base),
            trend: Some(trend),
            daily: Some(daily),
            weekly: Some(weekly),
            recent: Some(recent),
            bounds: Some(bounds),
        };
        let drivers = self.drivers(parts);
        Candidate { mean, drivers }
    }

    /// Everything that moves a structural model from its level, on the scale of its link.
    fn moves(&mut self, place: &Place, level: &Value) -> Moves {
        let slope = self.of_series(place, "slope", |one| one.slope);
        let days = damped(&mut self.graph, &self.rows.days);
        let trend = self.graph.mul(&slope, &days);
        let tables = Tables(self.model);
        let daily = tables.structural_list(place.of, |one| &one.daily);
        let daily = self.by_hour(&format!("{}.daily", place.name), 24, &daily);
        let weekly = tables.structural_list(place.of, |one| &one.weekly);
        let weekly = self.by_hour(&format!("{}.weekly", place.name), HOURS_OF_WEEK, &weekly);
        let recent = self.state_step(place, level, &slope);
        let moved = self.graph.sum(&[&trend, &daily, &weekly, &recent]);
        Moves {
            trend,
            daily,
            weekly,
            recent,
            moved,
        }
    }

    /// How far the newest week moves the level, against what the model expected of it.
    fn state_step(&mut self, place: &Place, level: &Value, slope: &Value) -> Value {
        let gain = self.of_series(place, "state_gain", |one| one.state_gain);
        let season_mean = self.of_series(place, "season_mean", |one| one.season_mean);
        let lag = self.graph.number(STATE_LAG_DAYS);
        let centre = self.graph.sub(&self.rows.issue_days, &lag);
        let days = damped(&mut self.graph, &centre);
        let change = self.graph.mul(slope, &days);
        let trend = self.graph.add(level, &change);
        let week_level = self.rows.week_level.clone();
        let surprise = match place.link {
            Link::Identity => {
                let expected = self.graph.add(&trend, &season_mean);
                self.graph.sub(&week_level, &expected)
            }
            Link::Log => {
                let pseudo = self.of_series(place, "pseudo_level", |one| one.pseudo_level);
                let graph = &mut self.graph;
                let factor = graph.apply("Exp", &[&trend]);
                let expected = graph.mul(&factor, &season_mean);
                let expected = graph.add(&expected, &pseudo);
                let seen = graph.add(&week_level, &pseudo);
                let ratio = graph.div(&seen, &expected);
                let surprise = graph.apply("Log", &[&ratio]);
                graph.clamp(&surprise, -STATE_LIMIT, STATE_LIMIT)
            }
        };
        self.graph.mul(&gain, &surprise)
    }

    fn of_series(&mut self, place: &Place, name: &str, of: fn(&Structural) -> f64) -> Value {
        let values = Tables(self.model).structural(place.of, of);
        self.by_series(&format!("{}.{name}", place.name), &values)
    }

    /// The reserved drivers as columns.
    pub(super) fn drivers(&mut self, parts: Parts) -> Value {
        let zero = self.graph.number(0.0);
        let none = self.graph.mul(&self.rows.days, &zero);
        let Parts {
            level,
            trend,
            daily,
            weekly,
            recent,
            bounds,
        } = parts;
        let reserved: [Option<Value>; RESERVED_DRIVERS.len()] =
            [level, trend, daily, weekly, recent, bounds];
        let columns = reserved.map(|part| part.unwrap_or_else(|| none.clone()));
        self.graph.columns(&columns)
    }
}

/// `share` of one and the rest of the other.
pub(super) fn blend(graph: &mut Graph, share: &Value, one: &Value, other: &Value) -> Value {
    let whole = graph.number(1.0);
    let rest = graph.sub(&whole, share);
    let first = graph.mul(share, one);
    let second = graph.mul(&rest, other);
    graph.add(&first, &second)
}

/// The trend's days, damped ahead and limited behind.
fn damped(graph: &mut Graph, days: &Value) -> Value {
    let (zero, one) = (graph.number(0.0), graph.number(1.0));
    let damping = graph.number(DAMPING_DAYS);
    let rate = graph.number(-1.0 / DAMPING_DAYS);
    let ahead = graph.max(days, &zero);
    let exponent = graph.mul(&ahead, &rate);
    let decay = graph.apply("Exp", &[&exponent]);
    let gone = graph.sub(&one, &decay);
    let ahead = graph.mul(&gone, &damping);
    let behind = graph.clamp(days, -TREND_PAST_DAYS, 0.0);
    graph.add(&ahead, &behind)
}

/// What one unit on the log scale is worth in counts.
pub(super) fn logarithmic_mean(graph: &mut Graph, base: &Value, moved: &Value) -> Value {
    let (one, half, sixth) = (
        graph.number(1.0),
        graph.number(0.5),
        graph.number(1.0 / 6.0),
    );
    let size = graph.apply("Abs", &[moved]);
    let limit = graph.number(SERIES_LIMIT);
    let is_small = graph.apply("Less", &[&size, &limit]);
    let first = graph.mul(moved, &half);
    let square = graph.mul(moved, moved);
    let second = graph.mul(&square, &sixth);
    let near = graph.sum(&[&one, &first, &second]);
    let factor = graph.apply("Exp", &[moved]);
    let change = graph.sub(&factor, &one);
    let far = graph.div(&change, moved);
    let factor = graph.apply("Where", &[&is_small, &near, &far]);
    graph.mul(base, &factor)
}
