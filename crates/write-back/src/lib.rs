#![doc = include_str!("../README.md")]

mod batches;
mod finder;
mod grpc;
mod read_back;
mod sink;
mod waiting;

pub use batches::{Accepted, Batch, BatchState, Batches, note_accepted};
pub use finder::{ReadBackConfig, ReadBackError, WorkspaceRows};
pub use grpc::WriteBackGrpc;
pub use read_back::{ReadBack, RowColumns};
pub use sink::{SinkChoice, SinkError, SinkKind};
pub use waiting::{Waiting, WaitingRows};
