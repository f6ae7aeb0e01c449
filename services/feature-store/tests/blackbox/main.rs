//! The feature store behind its port: buckets in a lake on one side, gRPC on the other.

mod configuration;
mod engines;
mod hostile;
mod materialization;
mod point_in_time;
mod scoring_frame;
mod training_sets;
mod workspace;
