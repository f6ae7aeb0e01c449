//! Analytics rules and automation rules.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::incidents::{one_of, written};
use super::invalid;
use crate::answers::AzureError;

const FIVE_MINUTES: i64 = 5;
const FOURTEEN_DAYS: i64 = 14 * 24 * 60;

pub(crate) fn check_alert_rule(body: &Value) -> Result<(), AzureError> {
    match body["kind"].as_str() {
        Some("Scheduled") => {}
        Some("Fusion" | "MicrosoftSecurityIncidentCreation") => return Ok(()),
        other => return Err(invalid(format!("Invalid data model. kind: {other:?}"))),
    }
    let properties = &body["properties"];
    let text = |name: &str| properties[name].as_str().unwrap_or_default();
    if text("displayName").is_empty() {
        return Err(required("displayName"));
    }
    for name in ["enabled", "suppressionEnabled"] {
        if !properties[name].is_boolean() {
            return Err(required(name));
        }
    }
    one_of(
        properties,
        "severity",
        &["High", "Medium", "Low", "Informational"],
    )?;
    let operators = ["GreaterThan", "LessThan", "Equal", "NotEqual"];
    one_of(properties, "triggerOperator", &operators)?;
    let threshold = properties["triggerThreshold"].as_u64();
    if threshold.is_none_or(|threshold| threshold > 10_000) {
        return Err(required("triggerThreshold (0 to 10000)"));
    }
    check_query(text("query"))?;
    let minutes = |name: &str| {
        duration_minutes(text(name))
            .ok_or_else(|| invalid(format!("{name} must be an ISO 8601 duration")))
    };
    let (frequency, period) = (minutes("queryFrequency")?, minutes("queryPeriod")?);
    let allowed = FIVE_MINUTES..=FOURTEEN_DAYS;
    if !allowed.contains(&frequency) || !allowed.contains(&period) || frequency > period {
        return Err(invalid(
            "queryFrequency and queryPeriod must be between 5 minutes and 14 days, the frequency at most the period",
        ));
    }
    if minutes("suppressionDuration")? > 24 * 60 {
        return Err(invalid("suppressionDuration must be at most 24 hours"));
    }
    let at_most = |value: &Value, most: usize, name: &str| {
        let count = value
            .as_array()
            .map(Vec::len)
            .or(value.as_object().map(serde_json::Map::len));
        if count.is_some_and(|count| count > most) {
            return Err(invalid(format!("{name} may have at most {most} entries")));
        }
        Ok(())
    };
    at_most(&properties["customDetails"], 20, "customDetails")?;
    at_most(&properties["entityMappings"], 10, "entityMappings")
}

fn required(name: &str) -> AzureError {
    invalid(format!("Invalid data model. {name} is required"))
}

fn check_query(query: &str) -> Result<(), AzureError> {
    if !(1..=10_000).contains(&query.chars().count()) {
        return Err(invalid("Query length must be 1 to 10000 characters"));
    }
    let folded: String = query.split_whitespace().collect::<Vec<_>>().join(" ");
    if folded.contains("search *") || folded.contains("union *") {
        return Err(invalid("The query must not use 'search *' or 'union *'"));
    }
    Ok(())
}

/// Minutes of `PnDTnHnM`.
pub(crate) fn duration_minutes(text: &str) -> Option<i64> {
    let text = text.strip_prefix('P')?;
    let (days, time) = text.split_once('T').unwrap_or((text, ""));
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let mut minutes = 0_i64;
    let mut add = |part: &str, units: &[(char, i64)]| -> Option<()> {
        let mut digits = String::new();
        for letter in part.chars() {
            if letter.is_ascii_digit() {
                digits.push(letter);
                continue;
            }
            let (_, factor) = units.iter().find(|(unit, _)| *unit == letter)?;
            let number: i64 = digits.parse().ok()?;
            minutes = minutes.checked_add(number.checked_mul(*factor)?)?;
            digits.clear();
        }
        digits.is_empty().then_some(())
    };
    add(days, &[('W', 7 * 24 * 60), ('D', 24 * 60)])?;
    add(time, &[('H', 60), ('M', 1)])?;
    Some(minutes)
}

pub(crate) fn check_automation_rule(body: &Value) -> Result<(), AzureError> {
    let properties = &body["properties"];
    let name = properties["displayName"].as_str().unwrap_or_default();
    if !(1..=500).contains(&name.chars().count()) {
        return Err(required("displayName (1 to 500 characters)"));
    }
    if !properties["order"]
        .as_u64()
        .is_some_and(|order| (1..=1_000).contains(&order))
    {
        return Err(required("order (1 to 1000)"));
    }
    let logic = &properties["triggeringLogic"];
    one_of(logic, "triggersOn", &["Incidents", "Alerts"])?;
    one_of(logic, "triggersWhen", &["Created", "Updated"])?;
    if !logic["isEnabled"].is_boolean() {
        return Err(required("triggeringLogic.isEnabled"));
    }
    if logic["conditions"]
        .as_array()
        .is_some_and(|all| all.len() > 50)
    {
        return Err(invalid("conditions may have at most 50 entries"));
    }
    let Some(actions) = properties["actions"].as_array() else {
        return Err(required("actions"));
    };
    if actions.len() > 20 {
        return Err(invalid("actions may have at most 20 entries"));
    }
    actions.iter().try_for_each(|action| {
        let types = ["ModifyProperties", "RunPlaybook", "AddIncidentTask"];
        one_of(action, "actionType", &types)?;
        if action["order"].is_u64() && action["actionConfiguration"].is_object() {
            Ok(())
        } else {
            Err(required(
                "actions[].order and actions[].actionConfiguration",
            ))
        }
    })
}

pub(crate) fn complete(rule: &mut Value, old: Option<&Value>, now: DateTime<Utc>) {
    let who =
        json!({ "objectId": null, "email": null, "name": "foretide", "userPrincipalName": null });
    let properties = &mut rule["properties"];
    let created = old.map(|old| old["properties"]["createdTimeUtc"].clone());
    properties["createdTimeUtc"] = created.unwrap_or_else(|| written(now));
    properties["lastModifiedTimeUtc"] = written(now);
    properties["createdBy"] = who.clone();
    properties["lastModifiedBy"] = who;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, minutes) in [
            ("PT5M", Some(5)),
            ("PT1H", Some(60)),
            ("P14D", Some(20_160)),
            ("P1DT2H3M", Some(1_563)),
            ("P", None),
            ("1h", None),
            ("PT5X", None),
            ("PT", None),
            ("PT99999999999999999999H", None),
        ] {
            assert_eq!(duration_minutes(text), minutes, "{text}");
        }
    }
}
