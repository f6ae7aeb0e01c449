//! Bodies against Azure's own type files (the format of bicep-types).

use serde_json::Value;

/// Flags of a property.
const REQUIRED: u64 = 1;
const READ_ONLY: u64 = 2;
const DEPLOY_TIME: u64 = 8;

pub(crate) struct ArmTypes(Value);

impl ArmTypes {
    pub(crate) fn new(types: Value) -> Self {
        Self(types)
    }

    /// What is wrong with a body as the request of a resource type.
    pub(crate) fn problems(&self, resource_type: &str, body: &Value) -> Vec<String> {
        let wanted = format!("{}@", resource_type.to_ascii_lowercase());
        let types = self.0.as_array().unwrap();
        let found = types.iter().find(|one| {
            one["$type"] == "ResourceType"
                && one["name"]
                    .as_str()
                    .unwrap()
                    .to_ascii_lowercase()
                    .starts_with(&wanted)
        });
        let Some(found) = found else {
            return vec![format!("no type {resource_type}")];
        };
        let mut problems = Vec::new();
        self.check(self.resolved(&found["body"]), body, "", &mut problems);
        problems
    }

    fn resolved(&self, reference: &Value) -> &Value {
        let index = reference["$ref"].as_str().unwrap().trim_start_matches("#/");
        &self.0[index.parse::<usize>().unwrap()]
    }

    fn check(&self, kind: &Value, value: &Value, path: &str, problems: &mut Vec<String>) {
        let mut say = |problem: &str| problems.push(format!("{path}: {problem}, got {value}"));
        match kind["$type"].as_str().unwrap() {
            "AnyType" => {}
            "StringType" => match value.as_str() {
                None => say("must be a text"),
                Some(text) => {
                    let length = text.chars().count() as u64;
                    if kind["maxLength"].as_u64().is_some_and(|most| length > most) {
                        say("is too long");
                    }
                    if kind["minLength"]
                        .as_u64()
                        .is_some_and(|least| length < least)
                    {
                        say("is too short");
                    }
                }
            },
            "StringLiteralType" if *value != kind["value"] => {
                say(&format!("must be {}", kind["value"]));
            }
            "StringLiteralType" => {}
            "IntegerType" => {
                let number = value.as_i64();
                let beyond = |name: &str| kind[name].as_i64().zip(number);
                if number.is_none() {
                    say("must be a whole number");
                } else if beyond("minValue").is_some_and(|(least, n)| n < least)
                    || beyond("maxValue").is_some_and(|(most, n)| n > most)
                {
                    say("is out of bounds");
                }
            }
            "BooleanType" if !value.is_boolean() => say("must be true or false"),
            "BooleanType" => {}
            "UnionType" => self.check_union(kind, value, path, problems),
            "ArrayType" => match value.as_array() {
                None => say("must be a list"),
                Some(items) => {
                    for (index, item) in items.iter().enumerate() {
                        let inner = self.resolved(&kind["itemType"]);
                        self.check(inner, item, &format!("{path}[{index}]"), problems);
                    }
                }
            },
            "ObjectType" => {
                self.check_object(&[&kind["properties"]], kind, value, path, problems);
            }
            "DiscriminatedObjectType" => {
                let discriminator = kind["discriminator"].as_str().unwrap();
                let chosen = value[discriminator].as_str().unwrap_or_default();
                let Some(element) = kind["elements"].get(chosen) else {
                    say(&format!("{discriminator} is none of the known"));
                    return;
                };
                let element = self.resolved(element);
                let properties = [&kind["baseProperties"], &element["properties"]];
                self.check_object(&properties, element, value, path, problems);
            }
            other => say(&format!("unknown kind of type {other}")),
        }
    }

    /// One of a few. Azure leaves most of these open to any text; here they are not, so that a misspelt
    /// word is found.
    fn check_union(&self, kind: &Value, value: &Value, path: &str, problems: &mut Vec<String>) {
        let elements = kind["elements"].as_array().unwrap();
        let literals: Vec<&Value> = elements
            .iter()
            .map(|element| self.resolved(element))
            .filter(|element| element["$type"] == "StringLiteralType")
            .map(|element| &element["value"])
            .collect();
        let others = elements.iter().map(|element| self.resolved(element));
        let mut others = others.filter(|element| {
            !matches!(
                element["$type"].as_str(),
                Some("StringLiteralType" | "StringType")
            )
        });
        let fits = literals.contains(&value)
            || is_newer(value)
            || others.any(|other| {
                let mut inner = Vec::new();
                self.check(other, value, path, &mut inner);
                inner.is_empty()
            });
        if !fits {
            problems.push(format!("{path}: must be one of {literals:?}, got {value}"));
        }
    }

    fn check_object(
        &self,
        declared: &[&Value],
        kind: &Value,
        value: &Value,
        path: &str,
        problems: &mut Vec<String>,
    ) {
        let Some(fields) = value.as_object() else {
            problems.push(format!("{path}: must be an object, got {value}"));
            return;
        };
        let property_of = |name: &str| declared.iter().find_map(|all| all.get(name));
        for (name, value) in fields {
            let inner = format!("{path}.{name}");
            match (property_of(name), kind.get("additionalProperties")) {
                (Some(property), _) if property["flags"].as_u64().unwrap() & READ_ONLY != 0 => {
                    problems.push(format!("{inner}: is read-only"));
                }
                (Some(property), _) => {
                    self.check(self.resolved(&property["type"]), value, &inner, problems);
                }
                (None, Some(additional)) => {
                    self.check(self.resolved(additional), value, &inner, problems);
                }
                (None, None) => problems.push(format!("{inner}: is not known")),
            }
        }
        let all = declared.iter().filter_map(|all| all.as_object()).flatten();
        for (name, property) in all {
            let flags = property["flags"].as_u64().unwrap();
            let needed = flags & REQUIRED != 0 && flags & DEPLOY_TIME == 0;
            if needed && !fields.contains_key(name) {
                problems.push(format!("{path}.{name}: is required"));
            }
        }
    }
}

/// Words that the documentation has and the type files leave to "any text".
fn is_newer(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text == "Direct" || text.starts_with("Custom-")
}
