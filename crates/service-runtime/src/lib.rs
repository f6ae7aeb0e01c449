//! One bootstrap for every service.
//!
//! A service is a library with `build(ctx, config) -> BuiltService`; this crate gives it a context
//! (clock, database, lake, peers, shutdown) and puts what it built behind one port: gRPC with
//! health, reflection, deadlines and size limits, `/healthz` and `/metrics` beside it, callers
//! authenticated, the trace context taken over, and a drain at the end.

mod auth;
mod build;
mod context;
mod data_folder;
mod installation;
mod peers;
mod server;
#[cfg(feature = "testing")]
pub mod testing;

pub use auth::{Authenticator, IdentityConfig, Person, caller, require};
pub use build::{BuildError, BuiltService};
pub use context::ServiceContext;
pub use data_folder::{DataFolder, DataFolderError};
pub use installation::{InstallationError, recognise};
pub use peers::{AuthedChannel, Credentials, PeerUrls, Peers};
pub use server::{ServeError, serve, serve_web};
