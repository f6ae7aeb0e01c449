//! The `Prefer` header of a query.

use std::time::Duration;

use http::HeaderMap;

/// What the caller prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Preferences {
    /// How long the query may take.
    pub(super) wait: Duration,
    /// Whether statistics come with the answer.
    pub(super) statistics: bool,
}

impl Preferences {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let headers = headers.get_all("prefer").iter();
        let texts = headers.filter_map(|value| value.to_str().ok());
        let mut preferences = Self {
            wait: Duration::from_secs(180),
            statistics: false,
        };
        for part in texts.flat_map(|text| text.split([',', ';'])) {
            match part.trim().split_once('=') {
                Some(("wait", seconds)) => {
                    let seconds = seconds.trim().parse().unwrap_or(180);
                    preferences.wait = Duration::from_secs(u64::clamp(seconds, 1, 600));
                }
                Some(("include-statistics", wanted)) => {
                    preferences.statistics = wanted.trim().eq_ignore_ascii_case("true");
                }
                _ => {}
            }
        }
        preferences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (u64, bool) {
        let mut headers = HeaderMap::new();
        headers.insert("prefer", text.parse().expect("a header"));
        let read = Preferences::of(&headers);
        (read.wait.as_secs(), read.statistics)
    }

    #[test]
    fn what_clients_write_is_read() {
        assert_eq!(read("wait=20"), (20, false));
        assert_eq!(read("wait=600,include-statistics=true"), (600, true));
        assert_eq!(
            read("include-render=true, include-statistics=True, wait=5"),
            (5, true)
        );
        assert_eq!(read("wait=99999"), (600, false));
        assert_eq!(read("wait=soon,include-statistics=false,x"), (180, false));
        assert_eq!(read(""), (180, false));
    }
}
