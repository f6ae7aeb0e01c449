//! `google.protobuf.Timestamp`, which is written as RFC 3339 text in JSON.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

/// `google.protobuf.Timestamp`: same wire form, and readable in the JSON that the command line prints.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds within the second, 0 to 999,999,999.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl Timestamp {
    /// The moment, unless the fields are out of bounds.
    #[must_use]
    pub fn to_moment(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(self.seconds, u32::try_from(self.nanos).ok()?)
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(moment: DateTime<Utc>) -> Self {
        let nanos = moment.timestamp_subsec_nanos().min(999_999_999);
        Self {
            seconds: moment.timestamp(),
            nanos: i32::try_from(nanos).expect("below one thousand million"),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.to_moment() {
            Some(moment) => {
                serializer.serialize_str(&moment.to_rfc3339_opts(SecondsFormat::AutoSi, true))
            }
            None => serializer.serialize_none(),
        }
    }
}
