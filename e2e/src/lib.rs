//! End-to-end stories over real binaries and real counterparts.
//!
//! [`Contoso`] is a synthetic workspace on disk; [`Installation`] is Foretide as a user installs it,
//! in one process or in eight, with the emulator standing for Azure and Teams; [`Soc`] are the people
//! who work with it. [`Backfill`] reads the history of a workspace too large to be stored. All of them
//! share one [`clock`]. The stories in `tests/` are told with these.

mod clock;
mod contoso;
mod installation;
mod scale;
mod soc;

pub use clock::{clock, now};
pub use contoso::Contoso;
pub use installation::{Installation, Setup, Shape};
pub use scale::{Backfill, Costs, Reader, Taken};
pub use soc::Soc;
