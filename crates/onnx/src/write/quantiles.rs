//! Quantiles: the weighted point with its conformal misses by horizon band, mixed with climatology.

use super::Panel;
use super::candidates::{ClimateLevel, blend};
use super::tables::Tables;
use crate::graph::{Graph, Value};

impl Panel<'_> {
    /// Quantiles `[5, N]` of rows without events whose weighted point is `mean`.
    pub(super) fn quantiles(&mut self, mean: &Value) -> Value {
        let own = self.conformal(mean);
        let shares = Tables(self.model).each(|one| one.climatology_share);
        if shares.iter().all(|&share| share == 0.0) {
            own
        } else {
            let share = self.by_series("climatology.share", &shares);
            let climate = self.climate_quantiles();
            let climate = self.calibrated(&climate);
            blend(&mut self.graph, &share, &climate, &own)
        }
    }

    /// The point and what it is usually missed by, in order and not below zero; `[5, N]`.
    fn conformal(&mut self, mean: &Value) -> Value {
        let tables = Tables(self.model);
        let exponents = tables.each(|one| one.intervals.exponent);
        let exponent = self.by_series("intervals.exponent", &exponents);
        let floors = tables.each(|one| one.intervals.floor);
        let floor = self.by_series("intervals.floor", &floors);
        let misses = self.five_by(|rows| &rows.band, "intervals.misses", &tables.misses());
        let graph = &mut self.graph;
        let zero = graph.number(0.0);
        let positive = graph.max(mean, &zero);
        let base = graph.add(&positive, &floor);
        let unit = graph.apply("Pow", &[&base, &exponent]);
        let missed = graph.mul(&misses, &unit);
        let moved = graph.add(&missed, mean);
        in_order(graph, &moved)
    }

    /// Climatology's own quantiles, `[5, N]`.
    fn climate_quantiles(&mut self) -> Value {
        let ratios = Tables(self.model).spread(|one| &one.climatology.ratios);
        let ratios = self.five_by(|rows| &rows.part, "climatology.ratios", &ratios);
        let ClimateLevel { flat, point, .. } = self.climate_level();
        let graph = &mut self.graph;
        let shaped = graph.mul(&ratios, &point);
        blend(graph, &flat, &self.rows.recent, &shaped)
    }

    /// The conformal correction and the repair outward from the median; `[5, N]`.
    fn calibrated(&mut self, quantiles: &Value) -> Value {
        let tables = Tables(self.model);
        let (shift, floor) = (tables.calibration_shift(), tables.calibration_floor());
        let shift = self.five_by(|rows| &rows.series, "calibration.shift", &shift);
        let floor = self.by_series("calibration.floor", &floor);
        let graph = &mut self.graph;
        let middle = graph.integer(2);
        let median = graph.gather(quantiles, &middle, 0);
        let difference = graph.sub(quantiles, &median);
        let distance = graph.apply("Abs", &[&difference]);
        let distance = graph.add(&distance, &floor);
        let correction = graph.mul(&shift, &distance);
        let moved = graph.add(quantiles, &correction);
        in_order(graph, &moved)
    }
}

/// Quantiles cut at zero and repaired outward from the median; `[5, N]`.
fn in_order(graph: &mut Graph, quantiles: &Value) -> Value {
    let zero = graph.number(0.0);
    let kept = graph.max(quantiles, &zero);
    let mut level = |index: i64| {
        let index = graph.integer(index);
        graph.gather(&kept, &index, 0)
    };
    let [q0, q1, median, q3, q4] = [level(0), level(1), level(2), level(3), level(4)];
    let low_80 = graph.min(&q1, &median);
    let low_95 = graph.min(&q0, &low_80);
    let high_80 = graph.max(&q3, &median);
    let high_95 = graph.max(&q4, &high_80);
    graph.stacked(&[low_95, low_80, median, high_80, high_95])
}
