//! Generated gRPC code, conversions to domain types, and the one map from errors to status codes.
//!
//! The wire never reaches a service's judgement: `grpc.rs` of each service turns messages into
//! domain types with the functions here, and every error leaves through [`into_status`].

mod convert;
mod status;
mod timestamp;

pub use convert::{
    FieldError, capacity_kind, capacity_kind_message, moment, optional_moment, phase,
    phase_message, progress, quantiles, quantiles_message, series_id, span, span_message, text,
    timestamp, use_case_id, uuid_field,
};
pub use status::{ErrorCode, ServiceError, into_status};
pub use timestamp::Timestamp;

/// All message and service descriptors, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/foretide.bin"));

/// Largest message a service accepts or sends, bytes.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

macro_rules! generated {
    ($($module:ident),*) => {$(
        #[expect(missing_docs, reason = "generated; the documentation is in proto/")]
        pub mod $module {
            pub mod v1 {
                #![allow(clippy::all, clippy::pedantic, clippy::allow_attributes, unreachable_pub, unused_qualifications, clippy::str_to_string, reason = "generated")]
                include!(concat!(env!("OUT_DIR"), "/foretide.", stringify!($module), ".v1.rs"));
            }
        }
    )*};
}

generated!(
    types,
    ingestion,
    features,
    training,
    scoring,
    governance,
    actions,
    orchestration,
    outbox,
    writeback
);
