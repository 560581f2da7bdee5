//! `template.yaml` beside what the code reads, the bundle makes and the documents say.

use std::collections::{BTreeMap, BTreeSet};

use common::config::Env;
use local::resources::{
    EVENTS, INDEXES, INVITES, MAX_RECEIVE_COUNT, RESTOCK_INTERVAL, RETENTION_SECONDS,
    SWEEP_INTERVAL, TABLES,
};
use serde_json::{Value, json};

use super::{READERS, Reader, code, none, product, quoted_after, text, yaml};

/// What Lambda sets itself.
const OF_LAMBDA: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"];
/// What may be unset everywhere.
const OPTIONAL: [&str; 11] = [
    "AWS_ENDPOINT_URL",
    "AWS_LAMBDA_LOG_LEVEL",
    "AWS_SESSION_TOKEN",
    "AWS_XRAY_DAEMON_ADDRESS",
    "METRICS_NAMESPACE",
    "RUST_LOG",
    "SECRETS_ARN",
    "STOCK_TARGET",
    "TELEGRAM_API_BASE",
    "TELEGRAM_CHANNEL_ID",
    "WEBENGAGE_API_BASE",
];

fn template() -> Value {
    yaml("template.yaml")
}

/// The resources of a type, by name.
pub(super) fn resources(kind: &str) -> BTreeMap<String, Value> {
    let template = template();
    let all = template["Resources"].as_object().unwrap().clone();
    all.into_iter()
        .filter(|(_, resource)| resource["Type"] == kind)
        .collect()
}

/// The functions, by the binary that they run.
pub(super) fn functions() -> BTreeMap<String, Value> {
    let all = resources("AWS::Serverless::Function").into_values();
    all.map(|function| {
        let binary = function["Metadata"]["BuildProperties"]["Binary"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(
            function["Properties"]["CodeUri"],
            format!("functions/{binary}")
        );
        (binary, function)
    })
    .collect()
}

/// What invokes a function, by itself or by its name.
fn triggers(function: &Value) -> impl Iterator<Item = &Value> {
    let events = function["Properties"]["Events"].as_object();
    events.into_iter().flat_map(|events| events.values())
}

/// The name of what `!Ref` or `!GetAtt` refers to.
fn referent(value: &Value) -> Option<&str> {
    let name = value["!Ref"]
        .as_str()
        .or_else(|| value["!GetAtt"].as_str())?;
    name.split('.').next()
}

/// All that a value refers to, however deep.
fn referents(value: &Value, found: &mut BTreeSet<String>) {
    found.extend(referent(value).map(str::to_owned));
    match value {
        Value::Array(values) => values.iter().for_each(|value| referents(value, found)),
        Value::Object(fields) => fields.values().for_each(|value| referents(value, found)),
        _ => {}
    }
}

#[test]
fn the_bundle_makes_the_tables_of_the_template() {
    let tables = resources("AWS::DynamoDB::Table");
    let declared: BTreeSet<&str> = tables.keys().map(String::as_str).collect();
    assert_eq!(declared, TABLES.iter().map(|(table, ..)| *table).collect());
    for (table, key, sort_key) in TABLES {
        let properties = &tables[table]["Properties"];
        let parts = [
            Some((key, "S", "HASH")),
            sort_key.map(|key| (key, "N", "RANGE")),
        ];
        let schema: Vec<Value> = parts
            .iter()
            .flatten()
            .map(|(name, _, role)| json!({"AttributeName": name, "KeyType": role}))
            .collect();
        assert_eq!(properties["KeySchema"], json!(schema), "{table}");
        let indexes = || INDEXES.iter().filter(|index| index.table == table);
        let declared = properties["GlobalSecondaryIndexes"].as_array();
        let declared: Vec<&Value> = declared.into_iter().flatten().collect();
        let wanted: Vec<Value> = indexes()
            .map(|index| {
                json!({"IndexName": index.name, "Projection": {"ProjectionType": "KEYS_ONLY"}, "KeySchema": [
                    {"AttributeName": index.hash, "KeyType": "HASH"}, {"AttributeName": index.range, "KeyType": "RANGE"}]})
            })
            .collect();
        assert_eq!(json!(declared), json!(wanted), "{table}");
        let keys = parts
            .iter()
            .flatten()
            .map(|(name, of_type, _)| (*name, *of_type));
        let of_indexes = indexes().flat_map(|index| [(index.hash, "S"), (index.range, "S")]);
        let types: BTreeSet<(&str, &str)> = keys.chain(of_indexes).collect();
        let given = properties["AttributeDefinitions"]
            .as_array()
            .unwrap()
            .iter();
        let given: BTreeSet<(&str, &str)> = given
            .map(|attribute| {
                let part = |name: &str| attribute[name].as_str().unwrap();
                (part("AttributeName"), part("AttributeType"))
            })
            .collect();
        assert_eq!(given, types, "{table}");
        assert_eq!(
            properties["TimeToLiveSpecification"],
            json!({"AttributeName": "expiresAt", "Enabled": true}),
            "{table}"
        );
        assert_eq!(properties["BillingMode"], "PAY_PER_REQUEST", "{table}");
        assert_eq!(
            properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true,
            "{table}"
        );
    }
}

#[test]
fn the_bundle_makes_the_queues_of_the_template_and_feeds_the_functions_as_it_says() {
    let queues = resources("AWS::SQS::Queue");
    let mut known = BTreeSet::new();
    for (source, function) in [(&INVITES, "worker"), (&EVENTS, "events")] {
        known.extend([source.queue, source.dead_letters]);
        let queue = &queues[source.queue]["Properties"];
        assert_eq!(
            queue["VisibilityTimeout"],
            source.timeout_seconds * 6,
            "{}",
            source.queue
        );
        assert_eq!(
            queue["RedrivePolicy"]["maxReceiveCount"], MAX_RECEIVE_COUNT,
            "{}",
            source.queue
        );
        assert_eq!(
            referent(&queue["RedrivePolicy"]["deadLetterTargetArn"]),
            Some(source.dead_letters)
        );
        for name in [source.queue, source.dead_letters] {
            assert_eq!(
                queues[name]["Properties"]["MessageRetentionPeriod"], RETENTION_SECONDS,
                "{name}"
            );
        }
        let properties = &functions()[function]["Properties"];
        assert_eq!(properties["Timeout"], source.timeout_seconds, "{function}");
        let events = properties["Events"].as_object().unwrap();
        assert_eq!(events.len(), 1, "{function} has one trigger");
        let event = events.values().next().unwrap();
        assert_eq!(event["Type"], "SQS");
        assert_eq!(
            referent(&event["Properties"]["Queue"]),
            Some(source.queue),
            "{function}"
        );
        assert_eq!(
            event["Properties"]["BatchSize"], source.batch_size,
            "{function}"
        );
        assert_eq!(
            event["Properties"]["ScalingConfig"]["MaximumConcurrency"], source.maximum_concurrency,
            "{function}"
        );
        assert_eq!(
            event["Properties"]["FunctionResponseTypes"],
            json!(["ReportBatchItemFailures"]),
            "{function}"
        );
    }
    assert_eq!(known, queues.keys().map(String::as_str).collect());
}

#[test]
fn the_bundle_runs_by_the_clock_what_the_template_does_and_stock_only_if_there_is_one() {
    let mut scheduled = Vec::new();
    for (name, function) in functions() {
        for event in triggers(&function).filter(|event| event["Type"] == "Schedule") {
            let properties = &event["Properties"];
            let every = properties["Schedule"].as_str().unwrap().to_owned();
            let state = json!({"!If": ["HasStock", "ENABLED", "DISABLED"]});
            let stops = properties["State"] == state;
            assert_eq!(stops, name == "stock", "{name}");
            scheduled.push((name.clone(), every));
        }
        let reads_target = function["Properties"]["Environment"]["Variables"]["STOCK_TARGET"]
            == json!({"!Ref": "StockTarget"});
        assert_eq!(
            reads_target,
            ["request", "stock"].contains(&name.as_str()),
            "{name}"
        );
    }
    let every = |interval: std::time::Duration| match interval.as_secs() / 60 {
        1 => "rate(1 minute)".to_owned(),
        minutes => format!("rate({minutes} minutes)"),
    };
    let expected = [
        ("monitor", "rate(1 minute)".to_owned()),
        ("stock", every(RESTOCK_INTERVAL)),
        ("sweeper", every(SWEEP_INTERVAL)),
    ];
    assert_eq!(
        scheduled,
        expected.map(|(name, every)| (name.to_owned(), every))
    );
}

/// The problems that a function has with an environment.
fn problems(read: Reader, values: &[(&str, &str)]) -> Vec<String> {
    let mut env = Env::from_iter(values.iter().copied());
    read(&mut env);
    let report = env
        .check()
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    let list = report
        .split_once(": ")
        .map(|(_, list)| list.to_owned())
        .unwrap_or_default();
    list.split("; ").map(str::to_owned).collect()
}

/// The names that a function reads and can't do without, and the numbers that it reads with their bounds.
fn read_by(read: Reader) -> (BTreeSet<String>, BTreeMap<String, (i64, i64)>) {
    let missing = problems(read, &[]);
    let missing = missing
        .iter()
        .filter_map(|problem| problem.strip_suffix(" is missing"));
    let missing = missing
        .filter(|name| !OF_LAMBDA.contains(name))
        .map(str::to_owned)
        .collect();
    let names: Vec<(&str, &str)> = NUMBERS.iter().map(|(name, _)| (*name, "x")).collect();
    let bounds = problems(read, &names);
    let bounds = bounds.iter().filter_map(|problem| {
        let (name, bounds) = problem.split_once(" must be a whole number from ")?;
        let (least, most) = bounds.split_once(" to ")?;
        Some((
            name.to_owned(),
            (least.parse().unwrap(), most.parse().unwrap()),
        ))
    });
    (missing, bounds.collect())
}

/// The numbers of the environment, and the template's parameters for them.
const NUMBERS: [(&str, &str); 7] = [
    ("MAX_ATTEMPTS", "MaxAttempts"),
    ("BASE_BACKOFF_SEC", "BaseBackoffSec"),
    ("SAFE_RPS_SLEEP_MS", "SafeRpsSleepMs"),
    ("INVITE_TTL_SEC", "InviteTtlSec"),
    ("RETENTION_DAYS", "RetentionDays"),
    ("DUPLICATE_WINDOW_SEC", "DuplicateWindowSec"),
    ("STOCK_TTL_SEC", "StockTtlSec"),
];

#[test]
fn each_function_is_given_exactly_the_names_that_it_reads() {
    let functions = functions();
    for (name, read) in READERS {
        let (required, numbers) = read_by(read);
        let function = &functions[name];
        let variables = function["Properties"]["Environment"]["Variables"]
            .as_object()
            .unwrap();
        let secrets = function["Metadata"]["Secrets"].as_array().unwrap().iter();
        let secrets: BTreeSet<String> = secrets
            .map(|name| name.as_str().unwrap().to_owned())
            .collect();
        let given = variables
            .keys()
            .filter(|name| !OPTIONAL.contains(&name.as_str()));
        let given: BTreeSet<String> = given.cloned().chain(secrets.iter().cloned()).collect();
        let wanted: BTreeSet<String> = required
            .iter()
            .cloned()
            .chain(numbers.keys().cloned())
            // It only looks whether somebody has filled them in.
            .chain(
                ["API_KEYS", "ADMIN_KEYS"]
                    .map(str::to_owned)
                    .into_iter()
                    .filter(|_| name == "setup"),
            )
            .collect();
        assert_eq!(given, wanted, "{name}");
        // Who reads no secret is told of none, and may read none.
        let arn = variables.get("SECRETS_ARN").cloned();
        let theirs = json!({"!If": ["OwnSecrets", {"!Ref": "Secrets"}, {"!Ref": "SecretsArn"}]});
        let expected = (!secrets.is_empty()).then_some(theirs);
        assert_eq!(arn, expected, "{name}");
        for (base, with) in [
            ("TELEGRAM_API_BASE", "TELEGRAM_BOT_TOKEN"),
            ("WEBENGAGE_API_BASE", "WEBENGAGE_API_KEY"),
        ] {
            // `admin` has the bots' tokens for their ids, by which it finds their paces, and calls nobody.
            assert_eq!(
                variables.contains_key(base),
                required.contains(with) && name != "admin",
                "{name}: {base}"
            );
        }
        for (variable, parameter) in NUMBERS
            .iter()
            .filter(|(variable, _)| numbers.contains_key(*variable))
        {
            assert_eq!(referent(&variables[*variable]), Some(*parameter), "{name}");
        }
        // A table or queue in the environment is one that the function may use, and the other way round.
        let mut used = BTreeSet::new();
        referents(&Value::Object(variables.clone()), &mut used);
        referents(&function["Properties"]["Events"], &mut used);
        let role = referent(&function["Properties"]["Role"]).unwrap();
        let mut granted = BTreeSet::new();
        referents(
            &resources("AWS::IAM::Role")[role]["Properties"]["Policies"],
            &mut granted,
        );
        assert_eq!(
            granted.contains("SecretsArn"),
            !secrets.is_empty(),
            "{name}"
        );
        let stores: BTreeSet<String> = resources("AWS::DynamoDB::Table")
            .into_keys()
            .chain(resources("AWS::SQS::Queue").into_keys())
            .collect();
        let of =
            |all: &BTreeSet<String>| all.intersection(&stores).cloned().collect::<BTreeSet<_>>();
        assert_eq!(of(&granted), of(&used), "{name}: what its role grants");
    }
}

/// `NAME, default` as the code gives it: the default of `number("NAME", default, ...)`.
fn default_in_code(name: &str) -> i64 {
    let quoted = format!("\"{name}\",");
    for (path, source) in product() {
        if path.ends_with("greeting.rs") {
            continue;
        }
        let source = code(&source);
        for (at, _) in source.match_indices(&quoted) {
            let rest = source[at + quoted.len()..].trim_start();
            let digits: String = rest
                .chars()
                .take_while(|c| c.is_ascii_digit() || *c == '_')
                .filter(|c| *c != '_')
                .collect();
            if let Ok(number) = digits.parse() {
                return number;
            }
        }
    }
    panic!("no default of {name} in the code")
}

#[test]
fn numbers_have_one_default_and_one_range() {
    let template = template();
    let book = text("docs/OPERATIONS.md");
    for (variable, parameter) in NUMBERS {
        let readers = READERS
            .iter()
            .filter_map(|(_, read)| read_by(*read).1.remove(variable));
        let ranges: BTreeSet<(i64, i64)> = readers.collect();
        assert_eq!(
            ranges.len(),
            1,
            "{variable} is read with the ranges {ranges:?}"
        );
        let (least, most) = ranges.into_iter().next().unwrap();
        let declared = &template["Parameters"][parameter];
        let default = default_in_code(variable);
        assert_eq!(
            (
                &declared["Default"],
                &declared["MinValue"],
                &declared["MaxValue"]
            ),
            (&json!(default), &json!(least), &json!(most)),
            "{parameter}"
        );
        let row = book
            .lines()
            .find(|line| line.starts_with(&format!("| `{variable}`")))
            .unwrap_or_default();
        assert!(
            row.contains(&format!("| {default} | {least} to {most}")),
            "docs/OPERATIONS.md on {variable}: {row:?}"
        );
    }
}

#[test]
fn every_name_that_the_code_reads_is_known_and_in_the_operators_book() {
    let mut read = BTreeSet::new();
    for (path, source) in product() {
        let product = code(source.split("#[cfg(test)]").next().unwrap_or_default());
        if path.ends_with("bench.rs") || path.to_string_lossy().contains("/bench/") {
            continue;
        }
        for call in [
            ".required(",
            ".optional(",
            ".secret(",
            ".number(",
            ".base_url(",
        ] {
            read.extend(quoted_after(&product, call).map(str::to_owned));
        }
    }
    let mut known: BTreeSet<String> = OPTIONAL
        .iter()
        .chain(&OF_LAMBDA)
        .map(|name| (*name).to_owned())
        .collect();
    for (_, function) in functions() {
        known.extend(
            function["Properties"]["Environment"]["Variables"]
                .as_object()
                .unwrap()
                .keys()
                .cloned(),
        );
        known.extend(
            function["Metadata"]["Secrets"]
                .as_array()
                .unwrap()
                .iter()
                .map(|name| name.as_str().unwrap().to_owned()),
        );
    }
    assert_eq!(read, known);
    none(
        "names that docs/OPERATIONS.md lacks",
        &super::missing_in("docs/OPERATIONS.md", known.clone()),
    );
    // `--print-env` passes on all that a function needs.
    let greeting = text("local/src/greeting.rs");
    let unset = [
        "SECRETS_ARN",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_LOG_LEVEL",
        "AWS_XRAY_DAEMON_ADDRESS",
        "METRICS_NAMESPACE",
        "RUST_LOG",
    ];
    let lacking: Vec<String> = known
        .into_iter()
        .filter(|name| {
            !unset.contains(&name.as_str()) && !greeting.contains(&format!("\"{name}\""))
        })
        .collect();
    none("names that --print-env lacks", &lacking);
}

#[test]
fn the_routes_are_the_same_for_the_gateway_the_bundle_and_the_contract() {
    let mut deployed = BTreeSet::new();
    for function in functions().values() {
        for event in triggers(function).filter(|event| event["Type"] == "HttpApi") {
            let part = |name: &str| event["Properties"][name].as_str().unwrap().to_owned();
            deployed.insert((part("Method").to_lowercase(), part("Path")));
        }
    }
    assert_eq!(deployed.len(), 12);
    let api = &resources("AWS::Serverless::HttpApi")["HttpApi"]["Properties"];
    let throttled = api["RouteSettings"].as_object().unwrap().keys();
    let throttled: BTreeSet<(String, String)> = throttled
        .map(|route| route.split_once(' ').unwrap())
        .map(|(method, path)| (method.to_lowercase(), path.to_owned()))
        .collect();
    assert_eq!(throttled, deployed, "RouteSettings");
    let contract = yaml("docs/openapi.yaml");
    let mut documented = BTreeSet::new();
    for (path, operations) in contract["paths"].as_object().unwrap() {
        let methods = operations.as_object().unwrap().keys();
        documented.extend(
            methods
                .filter(|name| ["get", "post", "put", "patch", "delete"].contains(&name.as_str()))
                .map(|method| (method.clone(), path.clone())),
        );
    }
    assert_eq!(documented, deployed, "docs/openapi.yaml");
    let source = code(&text("local/src/routes.rs"));
    let mut served = BTreeSet::new();
    for (at, start) in source.match_indices(".route(\"") {
        let (path, rest) = source[at + start.len()..].split_once('"').unwrap();
        let method = rest
            .trim_start_matches([',', ' ', '\n'])
            .split('(')
            .next()
            .unwrap();
        // Parameters have a name of their own in each place.
        served.insert((
            method.to_owned(),
            path.replace("{request_id}", "{requestId}"),
        ));
    }
    assert_eq!(served, deployed, "local/src/routes.rs");
}
