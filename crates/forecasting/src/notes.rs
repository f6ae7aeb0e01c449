//! Plain words about what is served for a series.

use chrono::{DateTime, Utc};

use crate::candidate::CandidateKind;
use crate::contest::Decision;

/// Hours left out that are named.
const MOST_NAMED: usize = 3;

/// What is served, and why.
pub(crate) fn what_is_served(values: &[f64], decision: &Decision) -> String {
    if let Some((reason, baseline)) = nothing_learnable(values, decision) {
        return match (decision.champion, decision.counts.is_some()) {
            (CandidateKind::CountMixture, _) => format!("{reason}: the count mixture is served"),
            (_, true) => format!("{reason}: {baseline} and the count mixture are served"),
            _ => format!("{reason}: {baseline} is served"),
        };
    }
    let gain = format!(
        "pinball loss {:.0}% below the best baseline",
        100.0 * decision.gain
    );
    if decision.champion == CandidateKind::CountMixture {
        return format!("the count mixture is served: {gain}");
    }
    let weights = decision.each_weight();
    let heaviest = weights.iter().max_by(|a, b| a.1.total_cmp(&b.1));
    let kind = heaviest.map_or(CandidateKind::Ensemble, |(kind, _)| *kind);
    format!(
        "an ensemble of {} is served, {kind} weighing most: {gain}",
        weights.len()
    )
}

/// What was taken out as absurd, oldest first, if anything.
pub(crate) fn left_out(
    absurd: &[(usize, f64)],
    moment: impl Fn(usize) -> DateTime<Utc>,
) -> Option<String> {
    let mut absurd = absurd.to_vec();
    absurd.sort_by_key(|(hour, _)| *hour);
    let named = absurd.iter().take(MOST_NAMED);
    let hour =
        |(hour, value): &(usize, f64)| format!("{value} at {}", moment(*hour).format("%F %H:%M"));
    let named = named.map(hour).collect::<Vec<_>>().join(", ");
    match absurd.len() {
        0 => None,
        1 => Some(format!("an hour beyond all others is left out ({named})")),
        count => Some(format!(
            "{count} hours beyond all others are left out ({named})"
        )),
    }
}

/// Where the contest found nothing beyond a baseline: why, and which baseline.
fn nothing_learnable(values: &[f64], decision: &Decision) -> Option<(&'static str, &'static str)> {
    match decision.without_counts {
        CandidateKind::Climatology if values.iter().all(|&value| value == 0.0) => {
            Some(("nothing has happened yet", "climatology"))
        }
        CandidateKind::Climatology if decision.climatology_variant.0 >= 1.0 => {
            Some(("no learnable season", "climatology"))
        }
        CandidateKind::Climatology => Some((
            "no learnable season beyond level and hour-of-week profile",
            "climatology",
        )),
        CandidateKind::SeasonalNaive => Some((
            "nothing learnable beyond the same hour of last week",
            "seasonal naive",
        )),
        _ => None,
    }
}
