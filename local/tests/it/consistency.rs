//! House rules: lists that live in two places are the same list, and what the code's shape promises it keeps.

mod adding;
mod alarms;
mod budget;
mod deploying;
mod layers;
mod numbers;
mod packaging;
mod rights;
mod routes;
mod samples;
mod template;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::fault::Fault;
use domain::id::ChatId;
use local::functions::FUNCTIONS;
use runtime::response::Rejection;
use serde_json::{Map, Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A YAML file as JSON; CloudFormation's `!Ref x` becomes `{"!Ref": "x"}`.
fn yaml(path: &str) -> Value {
    plain(serde_yaml_ng::from_str(&text(path)).unwrap())
}

fn plain(value: serde_yaml_ng::Value) -> Value {
    use serde_yaml_ng::Value as Yaml;
    match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => json!(value),
        Yaml::Number(number) => serde_json::to_value(number).unwrap(),
        Yaml::String(text) => json!(text),
        Yaml::Sequence(values) => values.into_iter().map(plain).collect(),
        Yaml::Mapping(fields) => {
            let name = |name| match plain(name) {
                Value::String(name) => name,
                other => other.to_string(),
            };
            let fields = fields
                .into_iter()
                .map(|(key, value)| (name(key), plain(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Yaml::Tagged(tagged) => json!({tagged.tag.to_string(): plain(tagged.value)}),
    }
}

/// The names of a folder's entries.
fn entries(folder: &str) -> BTreeSet<String> {
    let all = fs::read_dir(root().join(folder)).unwrap();
    all.map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// All Rust files below a folder.
fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') && name != "node_modules" {
            rust_files(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

fn sources(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    folders
        .iter()
        .for_each(|folder| rust_files(&root().join(folder), &mut files));
    let read = |path: PathBuf| (path.clone(), fs::read_to_string(path).unwrap());
    files.into_iter().map(read).collect()
}

/// The product's own sources, without tests.
fn product() -> Vec<(PathBuf, String)> {
    sources(&["common", "functions", "local/src"])
}

/// The text without comments.
fn code(source: &str) -> String {
    let lines = source
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// The texts in quotes that follow `start`, wherever that is.
fn quoted_after<'a>(source: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    source.match_indices(start).filter_map(move |(at, _)| {
        // Not the end of a longer word.
        if source[..at].ends_with(char::is_alphanumeric) && start.starts_with(char::is_alphanumeric)
        {
            return None;
        }
        let rest = source[at + start.len()..].trim_start();
        rest.strip_prefix('"')?.split('"').next()
    })
}

/// Fails with all that is in the list.
fn none(what: &str, wrong: &[String]) {
    assert!(wrong.is_empty(), "{what}:\n  {}", wrong.join("\n  "));
}

fn missing_in(page: &str, words: impl IntoIterator<Item = String>) -> Vec<String> {
    let page = text(page);
    let words: BTreeSet<String> = words.into_iter().collect();
    words
        .into_iter()
        .filter(|word| !page.contains(&format!("`{word}`")))
        .collect()
}

/// The codes that the local stack answers beside those of the functions, by file.
fn own_codes(file: &str) -> BTreeSet<String> {
    let source = code(&text(file));
    let codes =
        quoted_after(&source, "\"code\":").chain(quoted_after(&source, "StatusCode::CONFLICT,"));
    let codes = codes.chain(quoted_after(&source, "StatusCode::BAD_REQUEST,"));
    codes.map(str::to_owned).collect()
}

#[test]
fn every_error_code_is_in_the_contract_and_in_the_operators_book() {
    let rejections = Rejection::all().map(|rejection| rejection.code().to_owned());
    let of_routes = own_codes("local/src/body.rs");
    assert!(of_routes.contains("timeout"), "{of_routes:?}");
    let of_acts = own_codes("local/src/page/actions.rs");
    assert!(of_acts.contains("not_simulated"), "{of_acts:?}");
    let answered: BTreeSet<String> = rejections.chain(of_routes).collect();
    let contract = yaml("docs/openapi.yaml");
    let listed =
        contract["components"]["schemas"]["Error"]["properties"]["code"]["enum"].as_array();
    let listed: BTreeSet<String> = listed
        .unwrap()
        .iter()
        .map(|code| code.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(listed, answered, "docs/openapi.yaml, Error.code");
    none(
        "codes that docs/OPERATIONS.md lacks",
        &missing_in("docs/OPERATIONS.md", answered.into_iter().chain(of_acts)),
    );
}

#[test]
fn every_fault_word_of_the_logs_is_in_the_operators_book() {
    let mut words: BTreeSet<String> = [
        Fault::RateLimited {
            after: Duration::ZERO,
        },
        Fault::Retry,
        Fault::Unknown,
        Fault::ChatFault,
        Fault::Permanent,
        Fault::Refused,
        Fault::Migrated(ChatId(-1)),
    ]
    .map(|fault| fault.as_str().to_owned())
    .into();
    for (_, source) in product() {
        words.extend(quoted_after(&code(&source), "fault =").map(str::to_owned));
    }
    assert!(words.contains("poison") && words.len() > 10, "{words:?}");
    none(
        "faults that docs/OPERATIONS.md lacks",
        &missing_in("docs/OPERATIONS.md", words),
    );
}

#[test]
fn mains_are_wiring_and_files_are_one_concept() {
    let mut wrong = Vec::new();
    for (path, source) in sources(&["common", "functions", "simulators", "local", "verify"]) {
        let most = if path.ends_with("src/main.rs") && path.to_string_lossy().contains("functions")
        {
            40
        } else {
            600
        };
        let lines = source.lines().count();
        if lines > most {
            wrong.push(format!("{}: {lines} lines, at most {most}", path.display()));
        }
    }
    none("files that are too long", &wrong);
}

#[test]
fn every_function_is_in_every_list() {
    let folders = entries("functions");
    let registered: BTreeSet<String> = FUNCTIONS
        .iter()
        .map(|function| function.name.to_owned())
        .collect();
    assert_eq!(registered, folders, "local/src/functions.rs");
    let deployed: BTreeSet<String> = template::functions().into_keys().collect();
    assert_eq!(deployed, folders, "template.yaml");
    let workspace = text("Cargo.toml");
    assert!(
        workspace.contains(r#""functions/*""#),
        "members of the workspace"
    );
    let built = workspace
        .split("packages = [")
        .nth(1)
        .unwrap()
        .split(']')
        .next()
        .unwrap();
    let built: BTreeSet<String> = built
        .split(',')
        .map(|name| name.trim().trim_matches('"').to_owned())
        .collect();
    assert_eq!(built, folders, "what cargo lambda builds");
    for folder in &folders {
        let manifest = text(&format!("functions/{folder}/Cargo.toml"));
        assert!(
            manifest.contains(&format!("name = \"{folder}\"\n")),
            "the package of {folder}"
        );
        assert!(
            workspace.contains(&format!("\n{folder} = {{ path = \"functions/{folder}\" }}")),
            "{folder} in Cargo.toml"
        );
        assert!(
            text("README.md").contains(&format!("`{folder}`")),
            "{folder} in README.md"
        );
    }
    assert_eq!(samples::functions(), folders, "events/");
}
