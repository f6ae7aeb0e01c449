//! Local regression on a regular grid (loess: Cleveland 1979), as a decomposition needs it.
//!
//! Where points lie evenly, what a smoothed value is made of depends on nothing but its place. So the
//! weights of each place are found once and serve every cycle, season and round, and all places that
//! are far enough from both ends share theirs.

use super::least_absolute::dot;

/// Smoothers evaluate one in so many places of their span and draw lines between, as STL does.
const JUMPS_IN_SPAN: usize = 10;

/// Spread of points, as a share of their range, below which no line is fitted to them.
const LEAST_SPREAD: f64 = 0.001;

/// What is fitted to the points around a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Degree {
    /// Their weighted mean.
    Mean,
    /// A line.
    Line,
}

/// Weights of the points around each of some places.
pub(super) struct Loess {
    /// First point and kernel of each place.
    places: Vec<(usize, usize)>,
    kernels: Vec<Vec<f64>>,
}

impl Loess {
    /// Fits to the `span` points nearest to each of `places`, of `count` points numbered from zero.
    /// Places may lie beyond the points.
    pub(super) fn new(
        count: usize,
        span: usize,
        degree: Degree,
        places: impl Iterator<Item = i64>,
    ) -> Self {
        let (mut kernels, mut last_offset) = (Vec::new(), None);
        let most = count.saturating_sub(span) as i64;
        let found = places.map(|place| {
            let first = (place - span as i64 / 2).clamp(0, most);
            let offset = place - first;
            if last_offset != Some(offset) {
                kernels.push(kernel(count, span, degree, offset as f64));
                last_offset = Some(offset);
            }
            (first as usize, kernels.len() - 1)
        });
        Self {
            places: found.collect(),
            kernels,
        }
    }

    fn rows(&self) -> impl Iterator<Item = (usize, &[f64])> {
        let row = |&(first, kernel): &(usize, usize)| (first, self.kernels[kernel].as_slice());
        self.places.iter().map(row)
    }

    /// The smoothed value of each place.
    fn smooth<'a>(&'a self, values: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        self.rows()
            .map(|(first, kernel)| dot(&values[first..first + kernel.len()], kernel))
    }

    /// Points that are whole rows of `width` values each, smoothed across rows, place by place.
    pub(super) fn smooth_rows(&self, rows: &[f64], width: usize) -> Vec<f64> {
        let mut smoothed = vec![0.0; self.places.len() * width];
        for ((first, kernel), sums) in self.rows().zip(smoothed.chunks_exact_mut(width)) {
            for (row, weight) in rows[first * width..].chunks_exact(width).zip(kernel) {
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum += weight * value;
                }
            }
        }
        smoothed
    }
}

/// Weights of the first `span` points in the value at `at` of what is fitted to them by least squares
/// with tricube weights.
fn kernel(count: usize, span: usize, degree: Degree, at: f64) -> Vec<f64> {
    let points = span.min(count);
    let last = points as f64 - 1.0;
    // A span that is longer than what there is flattens the weights.
    let reach = at.abs().max((last - at).abs()) + ((span - points) / 2) as f64;
    let tricube = |point: usize| {
        let distance = (point as f64 - at).abs() / reach;
        (1.0 - distance.powi(3)).max(0.0).powi(3)
    };
    let mut weights: Vec<f64> = (0..points).map(tricube).collect();
    let total: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= total);
    if degree == Degree::Mean {
        return weights;
    }
    let places = || (0..points).map(|point| point as f64);
    let centre = dot(&weights, &places().collect::<Vec<_>>());
    let squares: Vec<f64> = places().map(|place| (place - centre).powi(2)).collect();
    let spread = dot(&weights, &squares);
    if spread.sqrt() > LEAST_SPREAD * (count as f64 - 1.0) {
        for (weight, place) in weights.iter_mut().zip(places()) {
            *weight *= 1.0 + (at - centre) * (place - centre) / spread;
        }
    }
    weights
}

/// Smooths a whole series.
pub(super) struct Smoother {
    loess: Loess,
    count: usize,
    jump: usize,
}

impl Smoother {
    /// Of `count` values, each seen among the `span` nearest.
    pub(super) fn new(count: usize, span: usize) -> Self {
        let jump = span.div_ceil(JUMPS_IN_SPAN);
        let end = count.saturating_sub(1);
        let knots = (0..end).step_by(jump).chain([end]);
        Self {
            loess: Loess::new(count, span, Degree::Line, knots.map(|knot| knot as i64)),
            count,
            jump,
        }
    }

    /// The smoothed values.
    pub(super) fn smooth(&self, values: &[f64]) -> Vec<f64> {
        let mut all = Vec::with_capacity(self.count);
        let mut knots = self.loess.smooth(&values[..self.count]);
        let mut before = knots.next().unwrap_or(0.0);
        all.push(before);
        for knot in knots {
            let steps = self.jump.min(self.count - all.len());
            let slope = (knot - before) / steps as f64;
            all.extend((1..steps).map(|step| before + slope * step as f64));
            all.push(knot);
            before = knot;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_its_own_smooth_inside_and_beyond_the_points() {
        for (count, span) in [(40, 11), (5, 15), (2, 15), (7, 7)] {
            let line: Vec<f64> = (0..count).map(|at| 3.0 - 0.5 * at as f64).collect();
            let loess = Loess::new(count, span, Degree::Line, -1..=count as i64);
            for (place, value) in (-1..).zip(loess.smooth(&line)) {
                let expected = 3.0 - 0.5 * f64::from(place);
                assert!((value - expected).abs() < 1e-9, "{count} {span} {place}");
            }
        }
    }

    #[test]
    fn a_smoother_passes_its_knots_and_is_as_long_as_what_it_smooths() {
        for count in [1, 2, 99, 100, 101, 102] {
            let values: Vec<f64> = (0..count).map(|at| f64::from(at * at % 17)).collect();
            let smoothed = Smoother::new(values.len(), 25).smooth(&values);
            assert_eq!(smoothed.len(), values.len());
            let knots = (0..i64::from(count)).step_by(3);
            let at_knots = Loess::new(values.len(), 25, Degree::Line, knots.clone());
            for (knot, value) in knots.zip(at_knots.smooth(&values)) {
                assert!((smoothed[knot as usize] - value).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn rows_are_smoothed_column_by_column() {
        let rows: Vec<f64> = (0..60).map(|at| f64::from(at * 7 % 31)).collect();
        let loess = Loess::new(12, 7, Degree::Mean, -1..=12);
        let smoothed = loess.smooth_rows(&rows, 5);
        for column in 0..5 {
            let alone: Vec<f64> = rows[column..].iter().step_by(5).copied().collect();
            for (row, value) in loess.smooth(&alone).enumerate() {
                assert!((smoothed[row * 5 + column] - value).abs() < 1e-9);
            }
        }
    }
}
