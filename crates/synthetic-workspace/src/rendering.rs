//! How values are written: times, ids, addresses, arrival.

use std::net::Ipv4Addr;

use chrono::{DateTime, Duration, Utc};
use foretide_domain::SentinelTable;
use rand::Rng;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::rows::Row;

/// The tenant all rows belong to. Invented.
pub(crate) const TENANT_ID: &str = "c0470000-5e17-4e71-a000-000000000001";

/// A moment in the form of data export: UTC, milliseconds.
///
/// Written by hand because several of these stand in every row, and this crate is optimised in
/// development builds while the crates it uses are not.
#[derive(Clone, Copy)]
pub(crate) struct Stamp(pub(crate) DateTime<Utc>);

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let millis = self.0.timestamp_millis();
        let (year, month, day) = civil(millis.div_euclid(86_400_000));
        let of_day = millis.rem_euclid(86_400_000);
        digits(&mut text[0..4], year);
        digits(&mut text[5..7], month);
        digits(&mut text[8..10], day);
        digits(&mut text[11..13], of_day / 3_600_000);
        digits(&mut text[14..16], of_day / 60_000 % 60);
        digits(&mut text[17..19], of_day / 1000 % 60);
        digits(&mut text[20..23], of_day % 1000);
        serializer.serialize_str(std::str::from_utf8(&text).expect("only ASCII was written"))
    }
}

fn digits(place: &mut [u8], mut value: i64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
}

/// Year, month and day of a day number counted from 1970-01-01, in the Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    // counted from 0000-03-01 in cycles of 400 years, so that leap days come last
    let shifted = days + 719_468;
    let cycle = shifted.div_euclid(146_097);
    let of_cycle = shifted.rem_euclid(146_097);
    let year_of_cycle = (of_cycle - of_cycle / 1460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_cycle + cycle * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// A table's row before it is rendered: its columns and `_ArrivalTime`, in one flat object.
#[derive(Serialize)]
struct Envelope<'a, Columns> {
    #[serde(flatten)]
    columns: &'a Columns,
    #[serde(rename = "Type")]
    table: &'static str,
    #[serde(rename = "_ArrivalTime")]
    arrival: Stamp,
}

/// Renders one row.
pub(crate) fn row<Columns: Serialize>(
    table: SentinelTable,
    time_generated: DateTime<Utc>,
    arrived_at: DateTime<Utc>,
    columns: &Columns,
) -> Row {
    let envelope = Envelope {
        columns,
        table: table.name(),
        arrival: Stamp(arrived_at),
    };
    let line = serde_json::to_string(&envelope).expect("rows hold only strings, numbers and lists");
    Row {
        time_generated,
        arrived_at,
        line: line.into(),
    }
}

/// When a row reaches the workspace: mostly within minutes, sometimes hours or a day late.
pub(crate) fn arrival(generated: DateTime<Utc>, random: &mut impl Rng) -> DateTime<Utc> {
    const LATE_SHARE: f64 = 0.015;
    if random.random_bool(LATE_SHARE) {
        generated + Duration::minutes(random.random_range(120..36 * 60))
    } else {
        generated + Duration::seconds(random.random_range(20..240))
    }
}

/// A moment within the hour.
pub(crate) fn within_hour(hour: DateTime<Utc>, random: &mut impl Rng) -> DateTime<Utc> {
    hour + Duration::milliseconds(random.random_range(0..3_600_000))
}

pub(crate) fn id(random: &mut impl Rng) -> Uuid {
    uuid::Builder::from_random_bytes(random.random()).into_uuid()
}

/// An outside address, from the range that is reserved for benchmarks (RFC 2544) and so nobody's.
pub(crate) fn outside_address(number: u32) -> Ipv4Addr {
    const BENCHMARK_RANGE: u32 = 0xC612_0000;
    Ipv4Addr::from(BENCHMARK_RANGE | (number & 0x0001_FFFF))
}

/// An address inside Contoso.
pub(crate) fn inside_address(number: u32) -> Ipv4Addr {
    const PRIVATE_RANGE: u32 = 0x0A00_0000;
    Ipv4Addr::from(PRIVATE_RANGE | (number & 0x0000_FFFF))
}

#[cfg(test)]
mod tests {
    use chrono::SecondsFormat;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_stamp_reads_like_chrono_writes_it(millis in 0_i64..253_402_300_799_999) {
            let moment = DateTime::from_timestamp_millis(millis).expect("in range");
            let written = serde_json::to_string(&Stamp(moment)).expect("a string");
            prop_assert_eq!(written, format!("\"{}\"", moment.to_rfc3339_opts(SecondsFormat::Millis, true)));
        }
    }
}
