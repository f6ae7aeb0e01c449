#![doc = include_str!("../README.md")]

mod answers;
mod arm;
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
mod tls;
mod tokens;

pub use arm::ArmConfig;
pub use config::{
    ClientConfig, ColumnConfig, ColumnKind, ConfigError, EmulatorConfig, FederatedCredential,
    HttpsConfig, KqlEngineConfig, ManagedIdentityConfig, RuleConfig, StreamConfig,
};
pub use faults::{Fault, FaultAction, FaultMatch};
pub use query::GeneratedConfig;
pub use record::RecordedRequest;
pub use server::{Emulator, EmulatorHandle, StartError};
pub use tls::TlsError;
