//! Streaming anomaly detection for telemetry that precedes incidents: log volumes, sign-ins,
//! queue lengths, error rates.
//!
//! A [`Detector`] watches one series. For each point it measures a few features of the last points
//! (the value, the residual from what level or season predict, means, spreads, runs of the same
//! value), asks how rare each of them is among those seen before, and how rare it is for them to be
//! that rare together. That probability is the score, as in Numenta's anomaly likelihood (Lavin and
//! Ahmad 2015), but without a normal distribution: ranks in the body and a generalised Pareto tail
//! (Siffer et al. 2017, "SPOT"). So one threshold, a rate of alerts, means the same for every
//! series. One disturbance raises one alert. `docs/ANOMALIES.md` has the method and its figures.
//!
//! ```
//! use chrono::{DateTime, TimeDelta, Utc};
//! use foretide_anomalies::{Detector, DetectorOptions};
//!
//! let mut detector = Detector::new(DetectorOptions::default())?;
//! let mut at: DateTime<Utc> = "2026-01-05T00:00:00Z".parse().expect("a time");
//! for step in 0..500 {
//!     detector.observe(at, f64::from(step % 7));
//!     at += TimeDelta::minutes(5);
//! }
//! let observation = detector.observe(at, 90.0);
//! assert!(observation.alert && observation.value > observation.high);
//! # Ok::<(), foretide_anomalies::OptionsError>(())
//! ```

mod cadence;
mod detector;
mod expectation;
mod features;
mod observation;
mod options;
mod robust;
mod season;
mod suppression;
mod tail;

pub use detector::{Detector, detect};
pub use observation::{Observation, Reason};
pub use options::{DetectorOptions, OptionsError};
pub use season::Season;
