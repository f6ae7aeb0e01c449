//! Small counts: the negative binomial distribution, with more zeros where the history has them.

use foretide_domain::LEVELS;
use serde::{Deserialize, Serialize};

use crate::statistics::mean;

/// Mean above which the gamma distribution stands in for the negative binomial's steps.
const LARGEST_STEPPED_MEAN: f64 = 60.0;

/// Hours that a pooled dispersion weighs, beside a series' own.
const PRIOR_HOURS: f64 = 100.0;

/// Overdispersion of counts taken where nothing else is known: a spread as wide as the mean.
const UNKNOWN_OVERDISPERSION: f64 = 1.0;

/// How counts scatter around their expectation: variance = mean + overdispersion x mean^2, and a
/// share of hours in which nothing happens beyond what that explains.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Dispersion {
    /// Variance beyond a Poisson's, as a share of the squared mean.
    pub overdispersion: f64,
    /// Share of extra zeros.
    pub extra_zeros: f64,
}

impl Dispersion {
    /// By moments from (expected, seen) pairs (Cameron and Trivedi, "Regression analysis of count
    /// data", 2013, 3.3), drawn towards `prior` with the weight of `PRIOR_HOURS` hours.
    #[must_use]
    pub fn learn(observed: &[(f64, f64)], prior: Option<&Self>) -> Self {
        let squares: f64 = observed.iter().map(|(m, _)| m * m).sum();
        let own_weight = observed.len() as f64 / (observed.len() as f64 + PRIOR_HOURS);
        let assumed = prior.map_or(UNKNOWN_OVERDISPERSION, |prior| prior.overdispersion);
        if squares <= 0.0 {
            return Self {
                overdispersion: assumed,
                extra_zeros: 0.0,
            };
        }
        let excess: f64 = observed.iter().map(|(m, y)| (y - m).powi(2) - m).sum();
        let own = (excess / squares).clamp(0.0, 100.0);
        let overdispersion = match prior {
            Some(_) => own_weight * own + (1.0 - own_weight) * assumed,
            None => own,
        };
        let mut learned = Self {
            overdispersion,
            extra_zeros: 0.0,
        };
        let zeros = mean(&indicator(observed.iter().map(|(_, y)| *y == 0.0)));
        let foreseen: Vec<f64> = observed
            .iter()
            .map(|(m, _)| learned.zero_share(*m))
            .collect();
        let foreseen = mean(&foreseen);
        if foreseen < 1.0 {
            let extra = ((zeros - foreseen) / (1.0 - foreseen)).clamp(0.0, 0.95);
            // Below two standard errors more zeros are chance.
            let error = (foreseen * (1.0 - foreseen) / observed.len() as f64).sqrt();
            if extra > 2.0 * error {
                learned.extra_zeros = own_weight * extra;
            }
        }
        learned
    }

    /// What series of a panel have in common: the median of each part.
    #[must_use]
    pub fn pooled(dispersions: &[Self]) -> Option<Self> {
        if dispersions.is_empty() {
            return None;
        }
        let median = |part: fn(&Self) -> f64| {
            let mut parts: Vec<f64> = dispersions.iter().map(part).collect();
            crate::statistics::quantile(&mut parts, 0.5)
        };
        Some(Self {
            overdispersion: median(|dispersion| dispersion.overdispersion),
            extra_zeros: median(|dispersion| dispersion.extra_zeros),
        })
    }

    /// Chance of zero of the negative binomial part.
    fn zero_share(&self, mean: f64) -> f64 {
        if self.overdispersion < 1e-6 {
            (-mean).exp()
        } else {
            (1.0 + self.overdispersion * mean).powf(-1.0 / self.overdispersion)
        }
    }

    /// Quantiles around an expectation, interpolated inside a count's step so that they move
    /// smoothly with it.
    #[must_use]
    pub fn quantiles(&self, mean: f64) -> [f64; 5] {
        if mean <= 0.0 {
            return [0.0; 5];
        }
        // With extra zeros the other hours must bring more, for the mean to stay.
        let busy_mean = mean / (1.0 - self.extra_zeros);
        let busy = LEVELS.map(|level| (level - self.extra_zeros) / (1.0 - self.extra_zeros));
        if busy_mean > LARGEST_STEPPED_MEAN {
            busy.map(|level| {
                if level <= 0.0 {
                    0.0
                } else {
                    self.gamma_quantile(busy_mean, level)
                }
            })
        } else {
            self.stepped_quantiles(busy_mean, busy)
        }
    }

    /// Quantiles at rising levels of the mid-distribution: linear between the middles of the
    /// counts' steps.
    fn stepped_quantiles(&self, mean: f64, levels: [f64; 5]) -> [f64; 5] {
        let mut quantiles = [0.0; 5];
        let mut share = self.zero_share(mean);
        let mut middle = 0.5 * share;
        let mut at = levels.iter().filter(|level| **level <= middle).count();
        let mut count = 0.0;
        // p(k+1) / p(k) of the negative binomial with mean m and overdispersion v is
        // m (1 + v k) / ((k + 1) (1 + v m)).
        let odds = mean / (1.0 + self.overdispersion * mean);
        while at < levels.len() {
            let next = share * odds * (1.0 + self.overdispersion * count) / (count + 1.0);
            let next_middle = middle + 0.5 * (share + next);
            while at < levels.len() && (levels[at] <= next_middle || next < 1e-300) {
                let step = (levels[at] - middle) / (next_middle - middle);
                quantiles[at] = count + step.clamp(0.0, 1.0);
                at += 1;
            }
            (share, middle) = (next, next_middle);
            count += 1.0;
        }
        quantiles
    }

    /// Wilson and Hilferty's cube-root normal approximation (1931) of a gamma distribution with
    /// the same mean and variance.
    fn gamma_quantile(&self, mean: f64, level: f64) -> f64 {
        let relative_variance = 1.0 / mean + self.overdispersion;
        let ninth = relative_variance / 9.0;
        let z = crate::risk::normal_quantile(level);
        mean * (1.0 - ninth + z * ninth.sqrt()).max(0.0).powi(3)
    }
}

fn indicator(hits: impl Iterator<Item = bool>) -> Vec<f64> {
    hits.map(|hit| f64::from(u8::from(hit))).collect()
}

#[cfg(test)]
mod tests {
    use super::Dispersion;

    fn dispersion(overdispersion: f64, extra_zeros: f64) -> Dispersion {
        Dispersion {
            overdispersion,
            extra_zeros,
        }
    }

    #[test]
    fn a_poisson_has_its_textbook_quantiles() {
        // Poisson(10): P(<=4) = 0.029, P(<=5) = 0.067, P(<=6) = 0.130, P(<=14) = 0.917, P(<=16) =
        // 0.973, P(<=17) = 0.986.
        let q = dispersion(0.0, 0.0).quantiles(10.0);
        assert!(
            (4.0..5.0).contains(&q[0]) && (5.5..6.5).contains(&q[1]),
            "{q:?}"
        );
        assert!((9.5..10.2).contains(&q[2]), "{q:?}");
        assert!(
            (13.5..14.5).contains(&q[3]) && (16.0..17.0).contains(&q[4]),
            "{q:?}"
        );
    }

    #[test]
    fn both_ways_agree_where_they_meet() {
        for overdispersion in [0.0, 0.05, 0.3] {
            let wide = dispersion(overdispersion, 0.0);
            let (below, above) = (wide.quantiles(59.999), wide.quantiles(60.001));
            for (a, b) in below.into_iter().zip(above) {
                assert!((a - b).abs() / b < 0.03, "{below:?} {above:?}");
            }
        }
    }

    #[test]
    fn extra_zeros_are_found_and_pull_the_lower_quantiles_to_zero() {
        let mut observed = vec![(5.0, 0.0); 400];
        observed.extend(
            [3.0, 5.0, 6.0, 8.0, 12.0, 16.0]
                .map(|y| (5.0, y))
                .repeat(100),
        );
        let learned = Dispersion::learn(&observed, None);
        assert!(learned.extra_zeros > 0.2, "{learned:?}");
        assert_eq!(learned.quantiles(5.0)[1], 0.0);
    }

    #[test]
    fn few_hours_lean_on_the_others() {
        let prior = dispersion(0.5, 0.0);
        let observed = [(4.0, 4.0); 20];
        let learned = Dispersion::learn(&observed, Some(&prior));
        assert!((0.4..0.45).contains(&learned.overdispersion), "{learned:?}");
        let alone = Dispersion::learn(&[], None);
        assert!((alone.overdispersion - 1.0).abs() < 1e-12);
    }
}
