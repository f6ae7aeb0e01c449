//! As much of JSON schema as the workbook's schema uses.

use serde_json::Value;

pub(crate) struct Schema(pub(crate) Value);

impl Schema {
    pub(crate) fn problems(&self, value: &Value) -> Vec<String> {
        let mut problems = Vec::new();
        self.check(&self.0, value, "", &mut problems);
        problems
    }

    fn check(&self, schema: &Value, value: &Value, path: &str, problems: &mut Vec<String>) {
        if let Some(reference) = schema["$ref"].as_str() {
            let target = self.0.pointer(reference.trim_start_matches('#'));
            self.check(target.unwrap(), value, path, problems);
            return;
        }
        let mut say = |problem: String| problems.push(format!("{path}: {problem}"));
        if let Some(kind) = schema.get("type")
            && !is_of(kind, value)
        {
            say(format!("must be {kind}, got {value}"));
            return;
        }
        if let Some(constant) = schema.get("const")
            && constant != value
        {
            say(format!("must be {constant}, got {value}"));
        }
        if let Some(allowed) = schema["enum"].as_array()
            && !allowed.contains(value)
        {
            say(format!("must be one of {allowed:?}, got {value}"));
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            if value.is_object() && value.get(name.as_str().unwrap()).is_none() {
                say(format!("{name} is required"));
            }
        }
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            if let Some(value) = value.get(name) {
                self.check(inner, value, &format!("{path}.{name}"), problems);
            }
        }
        if schema["items"].is_object() {
            for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                self.check(
                    &schema["items"],
                    item,
                    &format!("{path}[{index}]"),
                    problems,
                );
            }
        }
        for inner in schema["allOf"].as_array().into_iter().flatten() {
            self.check(inner, value, path, problems);
        }
        for name in ["anyOf", "oneOf"] {
            let Some(choices) = schema[name].as_array() else {
                continue;
            };
            let tried: Vec<Vec<String>> = choices
                .iter()
                .map(|choice| {
                    let mut inner = Vec::new();
                    self.check(choice, value, path, &mut inner);
                    inner
                })
                .collect();
            if !tried.iter().any(Vec::is_empty) {
                let closest = tried.into_iter().min_by_key(Vec::len).unwrap_or_default();
                problems.extend(closest);
            }
        }
    }
}

fn is_of(kind: &Value, value: &Value) -> bool {
    let one = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("unknown type {other}"),
    };
    match kind {
        Value::String(kind) => one(kind),
        Value::Array(kinds) => kinds.iter().any(|kind| one(kind.as_str().unwrap())),
        _ => true,
    }
}
