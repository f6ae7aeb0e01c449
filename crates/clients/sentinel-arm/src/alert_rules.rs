//! Analytics rules: read whole, changed in one place, put back as they were.

use foretide_domain::Severity;
use serde_json::{Value, json};

use crate::client::ArmClient;
use crate::content::{ContentBody, ContentKind};
use crate::error::ArmError;
use crate::read::{optional_text, text};

/// Sentinel puts this before the name of a rule that it switched off after repeated failures.
const AUTO_DISABLED: &str = "AUTO DISABLED";

/// An analytics rule with everything Sentinel says of it, known here or not.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRule {
    /// Its name, often a GUID.
    pub name: String,
    /// `Scheduled`, `NRT`, `Fusion`...
    pub kind: String,
    /// Version; opaque.
    pub etag: Option<String>,
    /// All its properties, as they are.
    pub properties: Value,
}

/// A change of a rule's sensitivity. What is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleChange {
    /// Results above which it alerts, 0 to 10,000.
    pub trigger_threshold: Option<u32>,
    /// How often it runs, an ISO 8601 duration.
    pub query_frequency: Option<String>,
    /// Severity of its alerts.
    pub severity: Option<Severity>,
    /// Whether it runs at all.
    pub enabled: Option<bool>,
}

/// A rule before and after a change, so that the change can be taken back.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSnapshot {
    /// As it was.
    pub before: AlertRule,
    /// As Sentinel has it since.
    pub after: AlertRule,
}

impl AlertRule {
    /// Name that is shown.
    #[must_use]
    pub fn display_name(&self) -> &str {
        self.properties["displayName"].as_str().unwrap_or_default()
    }

    /// Whether it runs.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.properties["enabled"] == true
    }

    /// Whether Sentinel switched it off after repeated failures. Such a rule is for a person to mend.
    #[must_use]
    pub fn is_auto_disabled(&self) -> bool {
        !self.is_enabled() && self.display_name().starts_with(AUTO_DISABLED)
    }

    /// The same rule with a change.
    #[must_use]
    pub fn changed(&self, change: &RuleChange) -> Self {
        let RuleChange {
            trigger_threshold,
            query_frequency,
            severity,
            enabled,
        } = change;
        let mut rule = self.clone();
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                rule.properties[name] = value;
            }
        };
        set("triggerThreshold", trigger_threshold.map(Value::from));
        set("queryFrequency", query_frequency.clone().map(Value::from));
        set("severity", severity.map(|one| one.name().into()));
        set("enabled", enabled.map(Value::from));
        rule
    }

    /// Whether two readings are the same rule in all that can be written.
    fn says_the_same_as(&self, other: &Self) -> bool {
        self.kind == other.kind && self.writable() == other.writable()
    }

    /// Its properties without those only Sentinel sets.
    fn writable(&self) -> Value {
        let mut properties = self.properties.clone();
        if let Value::Object(fields) = &mut properties {
            fields.retain(|name, value| name != "lastModifiedUtc" && !value.is_null());
        }
        properties
    }

    fn body(&self) -> Value {
        json!({ "kind": self.kind, "properties": self.writable() })
    }
}

impl ArmClient {
    /// All analytics rules.
    ///
    /// # Errors
    /// See [`ArmError`].
    pub async fn alert_rules(&self) -> Result<Vec<AlertRule>, ArmError> {
        let rules = self.list_content(ContentKind::AlertRule).await?;
        rules.into_iter().map(read_rule).collect()
    }

    /// One analytics rule, or nothing when there is none.
    ///
    /// # Errors
    /// See [`ArmError`].
    pub async fn alert_rule(&self, name: &str) -> Result<Option<AlertRule>, ArmError> {
        let found = self.content(ContentKind::AlertRule, name).await?;
        found.map(read_rule).transpose()
    }

    /// Writes a rule as a whole, bound to the version that was read.
    ///
    /// # Errors
    /// [`ArmError::Conflict`] when it was changed since; otherwise see [`ArmError`].
    pub async fn put_alert_rule(&self, rule: &AlertRule) -> Result<AlertRule, ArmError> {
        let body = ContentBody::new(rule.body())?.with_etag(rule.etag.as_deref());
        let put = self.put_content(ContentKind::AlertRule, &rule.name, &body);
        read_rule(put.await?)
    }

    /// Changes a rule's sensitivity and gives it as it was and as it is.
    ///
    /// # Errors
    /// [`ArmError::BadRequest`] for a rule that Sentinel switched off after failures: that is for a
    /// person to mend. [`ArmError::Conflict`] when somebody changed it at the same time.
    pub async fn change_alert_rule(
        &self,
        name: &str,
        change: &RuleChange,
    ) -> Result<RuleSnapshot, ArmError> {
        let what = || format!("the analytics rule {name}");
        let Some(before) = self.alert_rule(name).await? else {
            return Err(ArmError::NotFound { what: what() });
        };
        if before.is_auto_disabled() {
            return Err(ArmError::BadRequest {
                what: what(),
                message: "Sentinel switched it off after repeated failures: mend it first"
                    .to_owned(),
            });
        }
        let after = self.put_alert_rule(&before.changed(change)).await?;
        Ok(RuleSnapshot { before, after })
    }

    /// Puts a rule back as it was before a change. False when it already is.
    ///
    /// # Errors
    /// [`ArmError::Conflict`] when anybody edited it since the change: then it is left as it is.
    pub async fn restore_alert_rule(&self, snapshot: &RuleSnapshot) -> Result<bool, ArmError> {
        let RuleSnapshot { before, after } = snapshot;
        let what = || format!("the analytics rule {}", before.name);
        let Some(current) = self.alert_rule(&before.name).await? else {
            return Err(ArmError::NotFound { what: what() });
        };
        if current.says_the_same_as(before) {
            return Ok(false);
        }
        if !current.says_the_same_as(after) {
            return Err(ArmError::Conflict {
                what: what(),
                message: "a person edited it since the change".to_owned(),
            });
        }
        let restored = AlertRule {
            etag: current.etag,
            ..before.clone()
        };
        self.put_alert_rule(&restored).await?;
        Ok(true)
    }
}

fn read_rule(mut value: Value) -> Result<AlertRule, ArmError> {
    let what = "an analytics rule";
    Ok(AlertRule {
        name: text(what, &value, "/name")?,
        kind: text(what, &value, "/kind")?,
        etag: optional_text(&value, "/etag"),
        properties: value["properties"].take(),
    })
}
