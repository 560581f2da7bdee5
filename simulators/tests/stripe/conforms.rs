//! If JSON has the shape that an OpenAPI document says: nothing unknown, nothing missing, nothing of another type.

use serde_json::Value;
use simulators::stripe::document;

/// What is wrong with the value, by the schema of that name.
pub(crate) fn problems(name: &str, value: &Value) -> Vec<String> {
    let schema = &document()["components"]["schemas"][name];
    assert!(schema.is_object(), "no schema {name}");
    let mut found = Vec::new();
    check(schema, value, name, &mut found);
    found
}

/// The same for the answer of an operation, by its documented path.
pub(crate) fn answer_problems(method: &str, path: &str, value: &Value) -> Vec<String> {
    let template = template(path).unwrap_or_else(|| panic!("{path} is not documented"));
    let operation = &document()["paths"][template][method.to_lowercase()];
    let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{method} {template} has no answer");
    let mut found = Vec::new();
    check(schema, value, path, &mut found);
    found
}

/// An event, and the object in it.
pub(crate) fn event_problems(event: &Value) -> Vec<String> {
    let mut found = problems("event", event);
    let object = &event["data"]["object"];
    found.extend(problems(object["object"].as_str().unwrap(), object));
    let types = &document()["paths"]["/v1/webhook_endpoints"]["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"]
        ["schema"]["properties"]["enabled_events"]["items"]["enum"];
    if !types.as_array().unwrap().contains(&event["type"]) {
        found.push(format!("there is no event {}", event["type"]));
    }
    found
}

fn template(path: &str) -> Option<&'static str> {
    let paths = document()["paths"].as_object().unwrap();
    let fits = |template: &&String| {
        let (wanted, given) = (template.split('/'), path.split('/'));
        template.split('/').count() == path.split('/').count()
            && wanted
                .zip(given)
                .all(|(wanted, given)| wanted.starts_with('{') || wanted == given)
    };
    let exact = paths.keys().find(|template| *template == path);
    exact
        .or_else(|| paths.keys().find(fits))
        .map(String::as_str)
}

fn check(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return check(&document()["components"]["schemas"][name], value, at, found);
    }
    if value.is_null() {
        if schema["nullable"] != true && schema["x-pruned"] != true {
            found.push(format!("{at} is null"));
        }
        return;
    }
    if schema["x-pruned"] == true {
        return;
    }
    if let Some(alternatives) = schema["anyOf"].as_array() {
        let mut fewest: Option<Vec<String>> = None;
        for alternative in alternatives {
            let mut own = Vec::new();
            check(alternative, value, at, &mut own);
            if fewest
                .as_ref()
                .is_none_or(|fewest| own.len() < fewest.len())
            {
                fewest = Some(own);
            }
        }
        found.extend(fewest.unwrap_or_default());
        return;
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        found.push(format!("{at} is {value}, none of those documented"));
    }
    let is_right = match schema["type"].as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => true,
    };
    if !is_right {
        found.push(format!("{at} is {value}, not {}", schema["type"]));
        return;
    }
    for (place, item) in value.as_array().into_iter().flatten().enumerate() {
        check(&schema["items"], item, &format!("{at}[{place}]"), found);
    }
    if let Some(object) = value.as_object() {
        check_object(schema, object, at, found);
    }
}

fn check_object(
    schema: &Value,
    object: &serde_json::Map<String, Value>,
    at: &str,
    found: &mut Vec<String>,
) {
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    for (key, value) in object {
        match properties.get(key) {
            Some(property) => check(property, value, &format!("{at}.{key}"), found),
            None if schema["additionalProperties"].is_null() => {
                found.push(format!("{at}.{key} is not documented"));
            }
            None => {}
        }
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        if !object.contains_key(required.as_str().unwrap()) {
            found.push(format!("{at}.{} is missing", required.as_str().unwrap()));
        }
    }
}

#[test]
fn what_is_unknown_missing_or_of_another_type_is_a_problem() {
    use serde_json::json;
    let good = json!({"object": "fee", "amount": 1, "application": null, "currency": "usd", "description": null, "type": "x"});
    let mut fee = good.clone();
    fee.as_object_mut().unwrap().remove("object");
    assert_eq!(problems("fee", &fee), Vec::<String>::new());
    for (key, value) in [
        ("amount", json!("1")),
        ("currency", Value::Null),
        ("other", json!(1)),
    ] {
        let mut bad = fee.clone();
        bad[key] = value;
        assert_eq!(problems("fee", &bad).len(), 1, "{key}");
    }
    fee.as_object_mut().unwrap().remove("type");
    assert_eq!(problems("fee", &fee), ["fee.type is missing"]);
}
