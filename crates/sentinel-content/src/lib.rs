#![doc = include_str!("../README.md")]

mod analytics;
mod automation;
mod body;
mod collection;
mod diff;
mod hunting;
mod names;
mod pack;
mod plan;
mod solution;
mod tables;
mod workbook;

pub use collection::{WayIn, way_in};
pub use diff::{Difference, differences};
pub use pack::{Delivery, HeldBack, Item, Pack, PackError, PackOptions, Playbook};
pub use plan::{Change, ContentError, Plan, PlanStep};
pub use solution::{SolutionFile, solution};
pub use tables::{ColumnDeclaration, TableDeclaration, tables};
