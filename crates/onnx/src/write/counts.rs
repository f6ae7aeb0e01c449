//! The count mixture: its columns averaged with what the others say.

use foretide_forecasting::CandidateKind;

use super::candidates::blend;
use super::tables::Tables;
use super::{Panel, STATE_PARTS, inputs};
use crate::graph::{Element, Value};

impl Panel<'_> {
    /// Mean `[N]`, reserved drivers `[N, 6]` and quantiles `[5, N]` with the count mixture's share in them.
    pub(super) fn with_counts(
        &mut self,
        mean: Value,
        drivers: Value,
        quantiles: Value,
    ) -> (Value, Value, Value) {
        if !self.model.schema.has_counts() {
            return (mean, drivers, quantiles);
        }
        let graph = &mut self.graph;
        let parts = graph.input(inputs::COUNT_PARTS, Element::Double, &[STATE_PARTS]);
        let own_quantiles = graph.input(inputs::COUNT_QUANTILES, Element::Double, &[5]);
        let own_quantiles = graph.apply("Transpose", &[&own_quantiles]);
        let axis = graph.integers_once("column_axis", &[1]);
        let own_mean = graph.apply_with("ReduceSum", &[&parts, &axis], &[("keepdims", 0)]);
        let own_drivers = self.with_other_drivers(&parts);
        let shares = Tables(self.model).weights(CandidateKind::CountMixture);
        let share = self.by_series("counts.share", &shares);
        let graph = &mut self.graph;
        let column = graph.columns(std::slice::from_ref(&share));
        (
            blend(graph, &share, &own_mean, &mean),
            blend(graph, &column, &own_drivers, &drivers),
            blend(graph, &share, &own_quantiles, &quantiles),
        )
    }
}
