//! Types generated from `proto/onnx.proto`, the public ONNX format.

#![expect(
    unreachable_pub,
    clippy::all,
    reason = "generated from a schema whose comments and names are not ours"
)]

include!(concat!(env!("OUT_DIR"), "/onnx.rs"));
