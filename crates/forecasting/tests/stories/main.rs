//! What the forecasting crate promises, as stories.

#[cfg(test)]
mod announced_events;
#[cfg(test)]
mod champions;
#[cfg(test)]
mod count_mixture;
#[cfg(test)]
mod counts;
#[cfg(test)]
mod hierarchy;
#[cfg(test)]
mod mstl_ets;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod real_attack_counts;
#[cfg(test)]
mod risk_windows;
#[cfg(test)]
mod robust_history;
#[cfg(test)]
mod rolling_origins;
#[cfg(test)]
mod staffing;
#[cfg(test)]
mod support;
#[cfg(test)]
mod trees;
#[cfg(test)]
mod weekend_surges;
