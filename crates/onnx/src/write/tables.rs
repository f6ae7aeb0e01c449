//! Parameters of all series as flat tables.

use foretide_forecasting::{
    CandidateKind, Climatology, PanelModel, PartSpread, STATE_CANDIDATES, SeriesParameters,
    Structural,
};

/// Flattens the parameters of a model. Tables of five are quantile by quantile: `[5, ...]`.
#[derive(Clone, Copy)]
pub(super) struct Tables<'a>(pub(super) &'a PanelModel);

impl Tables<'_> {
    pub(super) fn each(self, of: impl Fn(&SeriesParameters) -> f64) -> Vec<f64> {
        self.0.series.iter().map(of).collect()
    }

    pub(super) fn weights(self, kind: CandidateKind) -> Vec<f64> {
        self.each(|parameters| parameters.weights[kind.index()])
    }

    /// Weights of the state candidates, series by series.
    pub(super) fn state_weights(self) -> Vec<f64> {
        let of = |one: &SeriesParameters| STATE_CANDIDATES.map(|kind| one.weights[kind.index()]);
        self.0.series.iter().flat_map(of).collect()
    }

    /// Misses at each level, for each series and horizon band.
    pub(super) fn misses(self) -> Vec<f64> {
        let level = |level: usize| {
            let series = self.0.series.iter();
            series.flat_map(move |one| one.intervals.misses.map(|band| band[level]))
        };
        (0..5).flat_map(level).collect()
    }

    pub(super) fn calibration_shift(self) -> Vec<f64> {
        (0..5)
            .flat_map(|level| self.each(|one| one.calibration.shift[level]))
            .collect()
    }

    pub(super) fn calibration_floor(self) -> Vec<f64> {
        self.each(|parameters| parameters.calibration.floor)
    }

    pub(super) fn climatology(self, of: fn(&Climatology) -> f64) -> Vec<f64> {
        self.each(|parameters| of(&parameters.climatology))
    }

    pub(super) fn profile(self) -> Vec<f64> {
        let profiles = self
            .0
            .series
            .iter()
            .flat_map(|one| &one.climatology.profile);
        profiles.copied().collect()
    }

    pub(super) fn spread(self, of: impl Fn(&SeriesParameters) -> &PartSpread) -> Vec<f64> {
        let level = |level: usize| {
            let of = &of;
            self.0
                .series
                .iter()
                .flat_map(move |one| of(one).0.iter().map(move |part| part[level]))
        };
        (0..5).flat_map(level).collect()
    }

    pub(super) fn structural(
        self,
        model: fn(&SeriesParameters) -> &Structural,
        of: fn(&Structural) -> f64,
    ) -> Vec<f64> {
        self.each(|parameters| of(model(parameters)))
    }

    pub(super) fn structural_list(
        self,
        model: fn(&SeriesParameters) -> &Structural,
        of: fn(&Structural) -> &Vec<f64>,
    ) -> Vec<f64> {
        self.0
            .series
            .iter()
            .flat_map(|parameters| of(model(parameters)))
            .copied()
            .collect()
    }
}
