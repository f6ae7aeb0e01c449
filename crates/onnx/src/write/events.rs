//! What known events make of the hours ahead: one factor on mean and quantiles, apportioned to the
//! regressors.

use foretide_forecasting::EFFECT_LIMIT;

use super::Panel;
use super::candidates::logarithmic_mean;
use crate::graph::Value;

impl Panel<'_> {
    /// Mean `[N]`, quantiles `[5, N]` and all drivers `[N, D]` from those without events.
    pub(super) fn with_events(
        &mut self,
        quiet: Value,
        quantiles: Value,
        reserved: &Value,
    ) -> (Value, Value, Value) {
        let Some(effects) = self.event_effects() else {
            return (quiet, quantiles, reserved.clone());
        };
        let graph = &mut self.graph;
        let axis = graph.integers_once("column_axis", &[1]);
        let all = graph.apply_with("ReduceSum", &[&effects, &axis], &[("keepdims", 0)]);
        let logarithm = graph.clamp(&all, -EFFECT_LIMIT, EFFECT_LIMIT);
        // Effects beyond the limit share what the limit leaves.
        let (zero, one) = (graph.number(0.0), graph.number(1.0));
        let is_none = graph.apply("Equal", &[&all, &zero]);
        let divisor = graph.apply("Where", &[&is_none, &one, &all]);
        let kept = graph.div(&logarithm, &divisor);
        let kept = graph.apply("Where", &[&is_none, &one, &kept]);
        let worth = logarithmic_mean(graph, &quiet, &logarithm);
        let worth = graph.mul(&worth, &kept);
        let worth = graph.columns(&[worth]);
        let parts = graph.mul(&effects, &worth);
        let added = graph.apply_with("ReduceSum", &[&parts, &axis], &[("keepdims", 0)]);
        let mean = graph.add(&quiet, &added);
        let drivers = graph.apply_with("Concat", &[reserved, &parts], &[("axis", 1)]);
        let quantiles = self.stretched(&quantiles, &logarithm);
        (mean, quantiles, drivers)
    }

    /// Effects of the regressors as logarithms, `[N, R]`; none for a model without regressors.
    fn event_effects(&mut self) -> Option<Value> {
        let distances = self.rows.distances.clone()?;
        let schema = &self.model.schema;
        let dims = [schema.series.len(), schema.regressors.len()];
        let table = self.graph.table("effects", &dims, &schema.effects.concat());
        let effects = self.graph.gather(&table, &self.rows.series, 0);
        Some(self.graph.mul(&effects, &distances))
    }

    /// Quantiles times the factor; their spread shrinks only with its root.
    fn stretched(&mut self, quantiles: &Value, logarithm: &Value) -> Value {
        let graph = &mut self.graph;
        let factor = graph.apply("Exp", &[logarithm]);
        let root = graph.apply("Sqrt", &[&factor]);
        let spread = graph.max(&factor, &root);
        let middle = graph.integer(2);
        let median = graph.gather(quantiles, &middle, 0);
        let distance = graph.sub(quantiles, &median);
        let distance = graph.mul(&distance, &spread);
        let median = graph.mul(&median, &factor);
        let moved = graph.add(&median, &distance);
        let zero = graph.number(0.0);
        graph.max(&moved, &zero)
    }
}
