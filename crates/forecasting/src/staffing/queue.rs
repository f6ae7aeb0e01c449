//! A queue of incidents and the people who work on it, in steady state.

use super::erlang::{MAX_SERVERS, blocking, check, ln_palm, waiting_from};
use super::error::StaffingError;

/// What comes in and how long it takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Work {
    /// Incidents an hour.
    pub arrivals: f64,
    /// Mean hands-on time of an incident, hours.
    pub handling_hours: f64,
    /// Mean time after which an incident nobody has taken up is dropped (closed unseen, merged,
    /// overtaken by events), hours. `None`: every incident waits as long as it takes.
    pub patience_hours: Option<f64>,
}

/// What the people should achieve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// Share of incidents taken up in time: above 0, below 1.
    pub share: f64,
    /// What in time means: at most so many hours after arrival.
    pub within_hours: f64,
    /// Largest share of their time that people are busy: above 0, at most 1.
    pub most_occupancy: f64,
}

impl Default for Target {
    /// 80% within 15 minutes, nobody busy more than 85% of the time.
    fn default() -> Self {
        Self {
            share: 0.80,
            within_hours: 0.25,
            most_occupancy: 0.85,
        }
    }
}

/// How a queue does in steady state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Performance {
    /// Chance that an incident has to wait.
    pub wait_probability: f64,
    /// Share taken up within the target's time, of those that wait as long as it takes.
    pub service_level: f64,
    /// Mean wait until taken up or dropped, hours. Infinite where the queue grows without end.
    pub mean_wait_hours: f64,
    /// Share dropped before anybody took it up. Zero without patience.
    pub dropped: f64,
    /// Share of their time that people are busy.
    pub occupancy: f64,
}

impl Work {
    /// Load in erlangs.
    #[must_use]
    pub fn load(&self) -> f64 {
        self.arrivals * self.handling_hours
    }

    fn check(&self) -> Result<(), StaffingError> {
        within(
            "arrivals an hour",
            self.arrivals,
            "from 0 to 1e9",
            0.0..=1e9,
        )?;
        within(
            "handling time",
            self.handling_hours,
            "from 0.0001 to 1000 hours",
            1e-4..=1e3,
        )?;
        if let Some(patience) = self.patience_hours {
            within(
                "patience",
                patience,
                "from 0.0001 to 100000 hours",
                1e-4..=1e5,
            )?;
        }
        check(self.load(), 0)
    }
}

impl Target {
    fn check(&self) -> Result<(), StaffingError> {
        within(
            "target share",
            self.share,
            "from 0.01 to 0.9999",
            0.01..=0.9999,
        )?;
        within(
            "target time",
            self.within_hours,
            "from 0 to 1000 hours",
            0.0..=1e3,
        )?;
        within(
            "largest occupancy",
            self.most_occupancy,
            "from 0.01 to 1",
            0.01..=1.0,
        )
    }

    fn is_met_by(&self, performance: &Performance) -> bool {
        performance.service_level >= self.share && performance.occupancy <= self.most_occupancy
    }
}

pub(super) fn within(
    what: &'static str,
    got: f64,
    allowed: &'static str,
    range: std::ops::RangeInclusive<f64>,
) -> Result<(), StaffingError> {
    if range.contains(&got) {
        Ok(())
    } else {
        Err(StaffingError::BadNumber { what, allowed, got })
    }
}

/// How `servers` people do with the work: Erlang-C (M/M/n) when incidents wait as long as it takes,
/// Erlang-A (M/M/n+M) when they have patience. Formulas of Garnett, Mandelbaum and Reiman,
/// "Designing a call center with impatient customers" (M&SOM 2002), and for the wait's distribution
/// Zeltyn and Mandelbaum, "Call centers with impatient customers" (Queueing Systems 2005).
///
/// # Errors
/// When a number is out of bounds.
pub fn performance(
    work: &Work,
    servers: u32,
    within_hours: f64,
) -> Result<Performance, StaffingError> {
    work.check()?;
    check(work.load(), servers)?;
    within(
        "target time",
        within_hours,
        "from 0 to 1000 hours",
        0.0..=1e3,
    )?;
    let blocked = blocking(work.load(), servers);
    Ok(judge(work, servers, blocked, within_hours))
}

/// Fewest people who meet the target.
///
/// # Errors
/// When a number is out of bounds, or no number of people up to [`MAX_SERVERS`] meets the target.
pub fn analysts_needed(work: &Work, target: &Target) -> Result<u32, StaffingError> {
    work.check()?;
    target.check()?;
    if work.arrivals == 0.0 {
        return Ok(0);
    }
    let meets = |servers: u32| {
        let blocked = blocking(work.load(), servers);
        target.is_met_by(&judge(work, servers, blocked, target.within_hours))
    };
    // More people never do worse, so the fewest can be found by doubling and halving.
    let mut enough = 1;
    while !meets(enough) {
        if enough == MAX_SERVERS {
            return Err(StaffingError::Unreachable);
        }
        enough = (enough * 2).min(MAX_SERVERS);
    }
    let mut too_few = enough / 2;
    while enough - too_few > 1 {
        let middle = too_few.midpoint(enough);
        if meets(middle) {
            enough = middle;
        } else {
            too_few = middle;
        }
    }
    Ok(enough)
}

fn judge(work: &Work, servers: u32, blocked: f64, within_hours: f64) -> Performance {
    if work.arrivals == 0.0 {
        return Performance {
            wait_probability: 0.0,
            service_level: 1.0,
            mean_wait_hours: 0.0,
            dropped: 0.0,
            occupancy: 0.0,
        };
    }
    match work.patience_hours {
        None => patient(work, servers, blocked, within_hours),
        Some(_) if servers == 0 => nobody_there(work),
        Some(patience) => impatient(work, servers, blocked, patience, within_hours),
    }
}

fn patient(work: &Work, servers: u32, blocked: f64, within_hours: f64) -> Performance {
    let load = work.load();
    let people = f64::from(servers);
    let wait_probability = waiting_from(blocked, load, servers);
    let spare = people - load;
    let (service_level, mean_wait_hours) = if spare > 0.0 {
        let late = (-spare * within_hours / work.handling_hours).exp();
        (
            1.0 - wait_probability * late,
            wait_probability * work.handling_hours / spare,
        )
    } else {
        (0.0, f64::INFINITY)
    };
    Performance {
        wait_probability,
        service_level,
        mean_wait_hours,
        dropped: 0.0,
        occupancy: if servers == 0 {
            1.0
        } else {
            (load / people).min(1.0)
        },
    }
}

fn nobody_there(work: &Work) -> Performance {
    Performance {
        wait_probability: 1.0,
        service_level: 0.0,
        mean_wait_hours: work.patience_hours.unwrap_or(f64::INFINITY),
        dropped: 1.0,
        occupancy: 1.0,
    }
}

fn impatient(
    work: &Work,
    servers: u32,
    blocked: f64,
    patience: f64,
    within_hours: f64,
) -> Performance {
    let people = f64::from(servers);
    // In units of the patience: rate at which the busy finish, and rate of arrivals.
    let finishing = people * patience / work.handling_hours;
    let arriving = work.arrivals * patience;
    let ln_now = ln_palm(finishing, arriving);
    // Logarithm of odds that an arrival waits: A B / (1 - B).
    let ln_odds = ln_now + blocked.ln() - (-blocked).ln_1p();
    let wait_probability = 1.0 / (1.0 + (-ln_odds).exp());
    let elapsed = within_hours / patience;
    let left = arriving * (-elapsed).exp();
    // Of those who wait, the share whose wait would outlast the time allowed.
    let ln_late = (arriving - left) - finishing * elapsed + ln_palm(finishing, left) - ln_now;
    let utilisation = arriving / finishing;
    let dropped_of_waiting = (((-ln_now).exp() - 1.0) / utilisation + 1.0).clamp(0.0, 1.0);
    let dropped = dropped_of_waiting * wait_probability;
    Performance {
        wait_probability,
        service_level: (1.0 - wait_probability * ln_late.exp()).clamp(0.0, 1.0),
        mean_wait_hours: dropped * patience,
        dropped,
        occupancy: (utilisation * (1.0 - dropped)).min(1.0),
    }
}
