#![doc = include_str!("../README.md")]

mod answers;
mod config;
mod connection;
mod control;
mod entra;
mod faults;
mod ingestion;
mod query;
mod record;
mod server;
mod state;
mod teams;
mod tokens;

pub use config::{ClientConfig, ConfigError, EmulatorConfig, KqlEngineConfig, RuleConfig};
pub use faults::{Fault, FaultAction, FaultMatch};
pub use record::RecordedRequest;
pub use server::{Emulator, EmulatorHandle, StartError};
