//! What a query has cost.

use std::time::Duration;

use serde_json::Value;

/// What a query has cost, as far as the service tells.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Statistics {
    /// Time the service has worked.
    pub execution: Option<Duration>,
    /// Rows that were looked at.
    pub rows_scanned: Option<u64>,
    /// Bytes that were looked at.
    pub bytes_scanned: Option<u64>,
    /// Bytes of the answer.
    pub bytes_answered: u64,
}

impl Statistics {
    /// Reads the `statistics` of an answer (asked for by `Prefer: include-statistics=true`). What is
    /// missing or of another shape is left out: it is never a reason to refuse an answer. The time
    /// and `inputDatasetStatistics` are those of Kusto; the service names bytes in more than one
    /// way.
    pub(crate) fn read(statistics: Option<&Value>, bytes_answered: u64) -> Self {
        let query = statistics.map_or(&Value::Null, |all| all.get("query").unwrap_or(all));
        let input = &query["inputDatasetStatistics"];
        let execution = query["executionTime"]
            .as_f64()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let kilobytes = number(&query["dataProcessedKB"]).map(|kilobytes| kilobytes * 1024.0);
        let gigabytes = number(&query["scannedGB"]).map(|gigabytes| gigabytes * 1e9);
        let bytes = number(&input["rowstores"]["scannedValuesSize"])
            .filter(|bytes| *bytes > 0.0)
            .or(kilobytes)
            .or(gigabytes);
        Self {
            execution,
            rows_scanned: number(&input["rows"]["scanned"]).map(whole),
            bytes_scanned: bytes.map(whole),
            bytes_answered,
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    value
        .as_f64()
        .filter(|number| number.is_finite() && *number >= 0.0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "finite and not negative; beyond u64 it stays at its largest"
)]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_service_tells_is_read() {
        let told = json!({"query": {
            "executionTime": 0.34,
            "resourceUsage": {"cpu": {"totalCpu": "00:00:00.1"}},
            "inputDatasetStatistics": {"rows": {"total": 9000, "scanned": 1200}},
            "dataProcessedKB": 512.5
        }});
        let read = Statistics::read(Some(&told), 77);
        assert_eq!(read.execution, Some(Duration::from_millis(340)));
        assert_eq!(read.rows_scanned, Some(1200));
        assert_eq!(read.bytes_scanned, Some(524_800));
        assert_eq!(read.bytes_answered, 77);
    }

    #[test]
    fn nothing_told_or_nonsense_is_no_obstacle() {
        let nothing = Statistics {
            bytes_answered: 5,
            ..Statistics::default()
        };
        assert_eq!(Statistics::read(None, 5), nothing);
        for nonsense in [
            json!(null),
            json!([]),
            json!("x"),
            json!({"query": 7}),
            json!({"query": {"executionTime": -1, "dataProcessedKB": "many",
                "inputDatasetStatistics": {"rows": {"scanned": -5}}}}),
            json!({"query": {"executionTime": 1e300}}),
        ] {
            assert_eq!(Statistics::read(Some(&nonsense), 5), nothing, "{nonsense}");
        }
    }
}
