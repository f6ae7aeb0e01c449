//! "Contoso": a Microsoft Sentinel workspace that never was, made from a seed.
//!
//! The demo and the tests need a workspace with a past: incidents that are opened, changed,
//! closed and opened again, alerts, sign-ins, firewall events, ingested volume and threat
//! indicators, with weekdays and hours, holidays, Patch Tuesdays, planted events, rows that arrive
//! late, rows that arrive twice and a few lines that are broken. [`Workspace::generate`] makes
//! one: the same [`Plan`] gives the same bytes. [`write_export`] lays it out as Log Analytics
//! data export does, so that the real files source reads it. Of a [`LargeWorkspace`] there are only
//! counts, of tens of millions of rows.
//!
//! Everything is invented and says so: titles and descriptions contain the word "synthetic",
//! names are under `contoso.example`, addresses are from ranges that are routed nowhere.

mod blemishes;
mod catalogue;
mod events;
mod export;
mod firewall;
mod incidents;
mod indicators;
mod large;
mod plan;
mod rendering;
mod rows;
mod sign_ins;
mod usage;
mod world;

pub use events::{EventKind, PlantedEvent};
pub use export::{ExportError, ExportProgress, append_arrivals, write_export};
pub use large::{LargeCount, LargePlan, LargeWorkspace};
pub use plan::{Plan, PlanError};
pub use rows::{Row, Workspace};
