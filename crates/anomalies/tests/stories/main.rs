//! What the detector finds, what it leaves alone, and what it promises.

mod nab_files;
mod nab_formula;
mod numenta_benchmark;
mod properties;
mod support;
mod telemetry;
