//! The console's section of the configuration.

use serde::Deserialize;

/// How the console behaves.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Minutes that a login lasts.
    pub session_minutes: u32,
    /// Whether the session cookie is sent over https only. Set it wherever TLS ends before the
    /// console; a browser drops the cookie on plain http then (except on localhost, mostly).
    pub secure_cookies: bool,
    /// Hours of history shown before a forecast.
    pub chart_history_hours: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            session_minutes: 480,
            secure_cookies: false,
            chart_history_hours: 72,
        }
    }
}

impl Config {
    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// Names the first field that is out of bounds.
    pub fn validate(&self) -> Result<(), String> {
        if !(1..=10_080).contains(&self.session_minutes) {
            return Err(format!(
                "console.session_minutes must be from 1 to 10080, got {}",
                self.session_minutes
            ));
        }
        if self.chart_history_hours > 336 {
            return Err(format!(
                "console.chart_history_hours must be at most 336, got {}",
                self.chart_history_hours
            ));
        }
        Ok(())
    }
}
