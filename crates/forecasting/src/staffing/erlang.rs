//! Erlang's formulas: how a queue with `n` people behaves under a load of `a`.
//!
//! Load is in erlangs: arrivals an hour x hours of handling each. Ten erlangs keep ten people busy.

use super::error::StaffingError;

/// Most people a queue is worked out for.
pub const MAX_SERVERS: u32 = 100_000;

/// Largest load taken, erlangs.
pub const MAX_LOAD: f64 = 90_000.0;

/// Share of arrivals that find all `servers` busy and are lost (Erlang-B; A. K. Erlang 1917), by
/// the stable recursion 1/B(n) = 1 + n/a x 1/B(n-1).
///
/// # Errors
/// When the load is not a number from 0 to [`MAX_LOAD`], or there are more than [`MAX_SERVERS`].
pub fn erlang_b(load: f64, servers: u32) -> Result<f64, StaffingError> {
    check(load, servers)?;
    Ok(blocking(load, servers))
}

/// Chance that an arrival has to wait when nobody gives up waiting (Erlang-C, M/M/n). One where
/// the load is at or above the number of people: the queue then grows without end.
///
/// # Errors
/// As [`erlang_b`].
pub fn erlang_c(load: f64, servers: u32) -> Result<f64, StaffingError> {
    check(load, servers)?;
    Ok(waiting(load, servers))
}

pub(super) fn check(load: f64, servers: u32) -> Result<(), StaffingError> {
    if !(0.0..=MAX_LOAD).contains(&load) {
        return Err(StaffingError::BadNumber {
            what: "load in erlangs",
            allowed: "from 0 to 90000",
            got: load,
        });
    }
    if servers > MAX_SERVERS {
        return Err(StaffingError::BadNumber {
            what: "number of analysts",
            allowed: "at most 100000",
            got: f64::from(servers),
        });
    }
    Ok(())
}

pub(super) fn blocking(load: f64, servers: u32) -> f64 {
    if load <= 0.0 {
        return if servers == 0 { 1.0 } else { 0.0 };
    }
    let inverse = (1..=servers).fold(1.0, |inverse, n| 1.0 + inverse * f64::from(n) / load);
    1.0 / inverse
}

pub(super) fn waiting(load: f64, servers: u32) -> f64 {
    waiting_from(blocking(load, servers), load, servers)
}

/// Erlang-C from Erlang-B: `B / (1 - rho (1 - B))`.
pub(super) fn waiting_from(blocked: f64, load: f64, servers: u32) -> f64 {
    let people = f64::from(servers);
    if load <= 0.0 {
        return if servers == 0 { 1.0 } else { 0.0 };
    }
    if load >= people {
        return 1.0;
    }
    people * blocked / (people - load * (1.0 - blocked))
}

/// Logarithm of Palm's function `A(x, y) = 1 + sum over j >= 1 of y^j / ((x+1) ... (x+j))`, that
/// is `x e^y y^-x` times the lower incomplete gamma function of (x, y). In logarithms because a
/// hopeless queue of patient people overflows it.
pub(super) fn ln_palm(x: f64, y: f64) -> f64 {
    const RESCALE: f64 = 1e280;
    let (mut sum, mut term, mut log_scale) = (1.0, 1.0, 0.0);
    let mut j = 1.0;
    loop {
        term *= y / (x + j);
        sum += term;
        // Terms rise while x + j < y and fall at least geometrically after that.
        if x + j > y && term < sum * 1e-17 {
            return sum.ln() + log_scale;
        }
        if sum > RESCALE {
            sum /= RESCALE;
            term /= RESCALE;
            log_scale += RESCALE.ln();
        }
        j += 1.0;
    }
}
