//! The time that stories are told at.

use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use foretide_domain::{Clock as _, RunningClock};

/// A Tuesday morning like many, unless `FORETIDE_STORIES_START` says another moment.
const START: &str = "2026-03-17T09:00:00Z";
const VARIABLE: &str = "FORETIDE_STORIES_START";

/// The one clock of a story: of its services, its emulator and its people. It begins at the same
/// moment whatever the machine's clock shows, and runs.
///
/// # Panics
/// When `FORETIDE_STORIES_START` is no moment.
#[must_use]
pub fn clock() -> &'static RunningClock {
    static CLOCK: OnceLock<RunningClock> = OnceLock::new();
    CLOCK.get_or_init(|| {
        let configured = std::env::var(VARIABLE);
        let start = configured.as_deref().unwrap_or(START);
        let start = start.parse();
        RunningClock::starting_at(start.expect("FORETIDE_STORIES_START is an RFC 3339 moment, UTC"))
    })
}

/// What [`clock`] shows.
#[must_use]
pub fn now() -> DateTime<Utc> {
    clock().now()
}
