//! Feature views: which features a use case has, what they mean, and how they are computed.
//!
//! A [`FeatureView`] is a declaration. [`compute`] turns it, hourly counts and a calendar into
//! columns; [`FeatureSpec`] turns it and everything else that decides the numbers into a hash, so
//! that two training sets with the same hash and the same moment hold the same bytes.
//!
//! A history feature at hour h reads only hours before h. Nothing here does I/O.

mod compute;
mod spec;
mod view;

pub use compute::{FeatureColumn, FeatureError, HourGrid, HourlyMeasures, compute};
pub use spec::{CODE_VERSION, FeatureSpec, SpecHash, TrainingOptions};
pub use view::{Feature, FeatureKind, FeatureView, Formula, carries_dimensions};
