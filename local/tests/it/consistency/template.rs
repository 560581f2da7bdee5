//! `template.yaml` beside what the code reads, the local stack makes and the documents say.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::KeySchemaElement;
use local::functions::{FUNCTIONS, Function, Trigger};
use local::harness::TestStack;
use local::resources::{MAX_RECEIVE_COUNT, RETENTION_SECONDS, Source};
use runtime::aws::Shared;
use runtime::clock::Clock;
use runtime::config::Env;
use serde_json::{Value, json};

use super::{code, none, product, quoted_after, text, yaml};

/// What Lambda sets itself.
const OF_LAMBDA: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"];
/// What may be unset everywhere.
const OPTIONAL: [&str; 60] = [
    "AUTO_REFUND_MAX_PER_HOUR",
    "AWS_ENDPOINT_URL",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_LOG_LEVEL",
    "AWS_SESSION_TOKEN",
    "AWS_XRAY_DAEMON_ADDRESS",
    "BOT_OWNERS",
    "CHAT_DELIVERY",
    "CLAIM_KEY",
    "CLAIM_RETENTION_DAYS",
    "COMMANDS_PER_MINUTE",
    "CRYPTO_MAX_PER_ORDER",
    "CRYPTO_MAX_PER_PERSON_30D",
    "DEFAULT_LANGUAGE",
    "HOOK_EXEMPT_HOSTS",
    "JOIN_REQUEST_HOLD_SEC",
    "LINK_POOL_TARGET",
    "MESSAGE_RETENTION_DAYS",
    "METRICS_NAMESPACE",
    "NEW_TOPICS_PER_HOUR",
    "NOWPAYMENTS_API_BASE",
    "NOWPAYMENTS_API_KEY",
    "NOWPAYMENTS_EMAIL",
    "NOWPAYMENTS_IPN_SECRET",
    "NOWPAYMENTS_PASSWORD",
    "OPEN_ORDERS_MAX",
    "OPERATOR_CHAT_ID",
    "OVERPAID_BPS",
    "PAYMENTS_MODE",
    "PAYOUT_HOLD_DAYS",
    "PAYOUT_MAX_PER_BATCH",
    "PAYOUT_MAX_PER_DAY",
    "PEOPLE_TTL_DAYS",
    "POLL_HOLD_SEC",
    "PRIVACY_URL",
    "PRODUCT_FEE_BPS",
    "PUBLIC_URL",
    "QUOTE_TTL_SEC",
    "RATE_MAX_AGE_SEC",
    "REBINDS_MAX",
    "RELAY_PER_MINUTE",
    "RELAY_SHOW_SENT",
    "RETURN_URL_ORIGINS",
    "RUST_LOG",
    "SALE_MESSAGES",
    "SECRETS_ARN",
    "STRIPE_API_BASE",
    "STRIPE_SECRET_KEY",
    "STRIPE_TAX",
    "STRIPE_WEBHOOK_SECRET",
    "SUPPORT_HOURS",
    "SUPPORT_URL",
    "TABLE_PREFIX",
    "TELEGRAM_API_BASE",
    "TELEGRAM_CHANNEL_ID",
    "TELEGRAM_LINK_BASE",
    "TERMS_URL",
    "UNDERPAID_BPS",
    "UPDATES_RETENTION_HOURS",
    "WEBENGAGE_API_BASE",
];

/// The tables, and what names another one in the place of each.
const TABLES: [(&str, &str); 28] = [
    ("InviteRequests", "INVITE_REQUESTS_TABLE"),
    ("InviteLinks", "INVITE_LINKS_TABLE"),
    ("ChatTasks", "CHAT_TASKS_TABLE"),
    ("RateLimits", "RATE_LIMITS_TABLE"),
    ("LinkPool", "LINK_POOL_TABLE"),
    ("Dedup", "DEDUP_TABLE"),
    ("Messages", "MESSAGES_TABLE"),
    ("MessageTasks", "MESSAGE_TASKS_TABLE"),
    ("Bots", "BOTS_TABLE"),
    ("Chats", "CHATS_TABLE"),
    ("Members", "MEMBERS_TABLE"),
    ("Endpoints", "ENDPOINTS_TABLE"),
    ("Deliveries", "DELIVERIES_TABLE"),
    ("Updates", "UPDATES_TABLE"),
    ("UpdateFeed", "UPDATE_FEED_TABLE"),
    ("Actors", "ACTORS_TABLE"),
    ("RelayMap", "RELAY_MAP_TABLE"),
    ("People", "PEOPLE_TABLE"),
    ("Jobs", "JOBS_TABLE"),
    ("Erasures", "ERASURES_TABLE"),
    ("Products", "PRODUCTS_TABLE"),
    ("Quotes", "QUOTES_TABLE"),
    ("Orders", "ORDERS_TABLE"),
    ("PaymentEvents", "PAYMENT_EVENTS_TABLE"),
    ("PaymentRefs", "PAYMENT_REFS_TABLE"),
    ("Ledger", "LEDGER_TABLE"),
    ("Payables", "PAYABLES_TABLE"),
    ("Reservations", "RESERVATIONS_TABLE"),
];

pub(super) fn template() -> Value {
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
pub(super) fn triggers(function: &Value) -> impl Iterator<Item = &Value> {
    let events = function["Properties"]["Events"].as_object();
    events.into_iter().flat_map(|events| events.values())
}

/// The name of what `!Ref` or `!GetAtt` refers to.
pub(super) fn referent(value: &Value) -> Option<&str> {
    let name = value["!Ref"]
        .as_str()
        .or_else(|| value["!GetAtt"].as_str())?;
    name.split('.').next()
}

/// All that a value refers to, however deep.
pub(super) fn referents(value: &Value, found: &mut BTreeSet<String>) {
    found.extend(referent(value).map(str::to_owned));
    // Such as the index of a table: `${Table.Arn}/index/Name`.
    let text = value["!Sub"].as_str().unwrap_or_default();
    let names = text
        .split("${")
        .skip(1)
        .filter_map(|rest| rest.split(['.', '}']).next());
    found.extend(names.map(str::to_owned));
    match value {
        Value::Array(values) => values.iter().for_each(|value| referents(value, found)),
        Value::Object(fields) => fields.values().for_each(|value| referents(value, found)),
        _ => {}
    }
}

/// A table as the template declares it and as the local stack has it: keys, types, indexes and what expires.
fn declared(properties: &Value) -> Value {
    let sorted = |list: &Value, by: &str| {
        let mut list = list.as_array().cloned().unwrap_or_default();
        list.sort_by_key(|part| part[by].to_string());
        list
    };
    let ttl = &properties["TimeToLiveSpecification"];
    json!({
        "keys": properties["KeySchema"],
        "types": sorted(&properties["AttributeDefinitions"], "AttributeName"),
        "indexes": sorted(&properties["GlobalSecondaryIndexes"], "IndexName"),
        "expires": (ttl["Enabled"] == true).then(|| ttl["AttributeName"].clone()),
    })
}

fn schema(keys: &[KeySchemaElement]) -> Value {
    let part = |key: &KeySchemaElement| json!({"AttributeName": key.attribute_name(), "KeyType": key.key_type().as_str()});
    keys.iter().map(part).collect()
}

/// The same of a table of the local stack, in the template's words.
async fn made(dynamo: &aws_sdk_dynamodb::Client, table: &str) -> Value {
    let described = dynamo.describe_table().table_name(table).send().await;
    let found = described.unwrap().table.unwrap();
    let indexes = found.global_secondary_indexes().iter().map(|index| {
        let projection = index.projection().and_then(|all| all.projection_type());
        json!({
            "IndexName": index.index_name(),
            "KeySchema": schema(index.key_schema()),
            "Projection": {"ProjectionType": projection.map(|kind| kind.as_str())},
        })
    });
    let types = found.attribute_definitions().iter().map(|attribute| {
        json!({"AttributeName": attribute.attribute_name(), "AttributeType": attribute.attribute_type().as_str()})
    });
    let ttl = dynamo
        .describe_time_to_live()
        .table_name(table)
        .send()
        .await;
    let ttl = ttl.unwrap().time_to_live_description;
    let expires = ttl.and_then(|ttl| ttl.attribute_name);
    declared(&json!({
        "KeySchema": schema(found.key_schema()),
        "AttributeDefinitions": types.collect::<Vec<_>>(),
        "GlobalSecondaryIndexes": indexes.collect::<Vec<_>>(),
        "TimeToLiveSpecification": {"Enabled": expires.is_some(), "AttributeName": expires},
    }))
}

#[tokio::test]
async fn the_local_stack_makes_the_tables_of_the_template() {
    let stack = TestStack::start().await;
    let dynamo = Shared::from_env(&mut Env::from_iter(stack.env().clone())).dynamodb();
    let tables = resources("AWS::DynamoDB::Table");
    let there = dynamo.list_tables().send().await.unwrap().table_names;
    let there: BTreeSet<String> = there.unwrap_or_default().into_iter().collect();
    let made_ones = tables.iter().filter(|(table, _)| there.contains(*table));
    for (table, resource) in made_ones {
        let properties = &resource["Properties"];
        assert_eq!(declared(properties), made(&dynamo, table).await, "{table}");
        let name = json!({"!Sub": format!("${{AWS::StackName}}-{table}")});
        assert_eq!(
            properties["TableName"], name,
            "what TABLE_PREFIX makes of {table}"
        );
        assert_eq!(properties["BillingMode"], "PAY_PER_REQUEST", "{table}");
        assert_eq!(
            properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true,
            "{table}"
        );
    }
    assert_eq!(there, tables.keys().cloned().collect());
}

/// The functions that a queue feeds.
fn fed() -> impl Iterator<Item = (&'static str, &'static Source)> {
    FUNCTIONS.iter().flat_map(|function| {
        let sources = function
            .triggers
            .iter()
            .filter_map(|trigger| match trigger {
                Trigger::Queue(source) => Some(*source),
                _ => None,
            });
        sources.map(|source| (function.name, source))
    })
}

#[test]
fn the_local_stack_makes_the_queues_of_the_template_and_feeds_the_functions_as_it_says() {
    let (queues, template) = (resources("AWS::SQS::Queue"), template());
    let mut known = BTreeSet::new();
    for (function, source) in fed() {
        known.extend([source.queue, source.dead_letters]);
        let queue = &queues[source.queue]["Properties"];
        let name = source.queue;
        assert_eq!(
            queue["VisibilityTimeout"],
            source.timeout_seconds * 6,
            "{name}"
        );
        let redrive = &queue["RedrivePolicy"];
        assert_eq!(redrive["maxReceiveCount"], MAX_RECEIVE_COUNT, "{name}");
        assert_eq!(
            referent(&redrive["deadLetterTargetArn"]),
            Some(source.dead_letters)
        );
        for name in [source.queue, source.dead_letters] {
            let kept = &queues[name]["Properties"]["MessageRetentionPeriod"];
            assert_eq!(*kept, RETENTION_SECONDS, "{name}");
        }
        let function = &functions()[function];
        assert_eq!(
            function["Properties"]["Timeout"], source.timeout_seconds,
            "{name}"
        );
        let fed: Vec<&Value> = triggers(function)
            .filter(|event| event["Type"] == "SQS")
            .collect();
        let [event] = fed[..] else {
            panic!("{name} feeds one function once: {fed:?}")
        };
        let event = &event["Properties"];
        assert_eq!(referent(&event["Queue"]), Some(source.queue));
        assert_eq!(event["BatchSize"], source.batch_size, "{name}");
        assert_eq!(
            event["FunctionResponseTypes"],
            json!(["ReportBatchItemFailures"]),
            "{name}"
        );
        let most = referent(&event["ScalingConfig"]["MaximumConcurrency"]).unwrap();
        let parameter = &template["Parameters"][most];
        assert_eq!(parameter["Default"], source.maximum_concurrency, "{name}");
        // AWS takes no less.
        assert_eq!(parameter["MinValue"], 2, "{most}");
    }
    assert_eq!(known, queues.keys().map(String::as_str).collect());
}

#[test]
fn the_local_stack_runs_by_the_clock_what_the_template_does() {
    let mut scheduled = BTreeMap::new();
    for (name, function) in functions() {
        for event in triggers(&function).filter(|event| event["Type"] == "Schedule") {
            let properties = &event["Properties"];
            assert!(properties["State"].is_null(), "{name} always runs");
            let input = properties["Input"].as_str().unwrap_or("null");
            let input: Value = serde_json::from_str(input).unwrap();
            let of = if ["worker", "messenger", "hooks", "webhook"].contains(&name.as_str()) {
                json!({"kind": "tick"})
            } else {
                json!(null)
            };
            assert_eq!(input, of, "{name}");
            scheduled.insert(
                name.clone(),
                properties["Schedule"].as_str().unwrap().to_owned(),
            );
        }
    }
    let mut registered = BTreeMap::new();
    for function in &FUNCTIONS {
        for trigger in function.triggers {
            if let Trigger::Schedule { every, timeout } = trigger {
                assert_eq!(every.as_secs(), 60, "{}", function.name);
                registered.insert(function.name.to_owned(), "rate(1 minute)".to_owned());
                let deployed = &functions()[function.name]["Properties"]["Timeout"];
                assert_eq!(*deployed, timeout.as_secs(), "{}", function.name);
            }
        }
    }
    assert_eq!(scheduled, registered);
}

/// The problems that a function has with an environment.
pub(super) fn problems(function: &Function, values: &[(&str, &str)]) -> Vec<String> {
    let mut env = Env::from_iter(values.iter().copied());
    drop((function.start)(&mut env, Clock::real()));
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
pub(super) fn read_by(function: &Function) -> (BTreeSet<String>, BTreeMap<String, (i64, i64)>) {
    let missing = problems(function, &[]);
    let missing = missing
        .iter()
        .filter_map(|problem| problem.strip_suffix(" is missing"));
    let missing = missing
        .filter(|name| !OF_LAMBDA.contains(name))
        .map(str::to_owned)
        .collect();
    let names: Vec<(&str, &str)> = NUMBERS.iter().map(|(name, _)| (*name, "x")).collect();
    let bounds = problems(function, &names);
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
pub(super) const NUMBERS: [(&str, &str); 7] = [
    ("MAX_ATTEMPTS", "MaxAttempts"),
    ("BASE_BACKOFF_SEC", "BaseBackoffSec"),
    ("SAFE_RPS_SLEEP_MS", "SafeRpsSleepMs"),
    ("INVITE_TTL_SEC", "InviteTtlSec"),
    ("RETENTION_DAYS", "RetentionDays"),
    ("DUPLICATE_WINDOW_SEC", "DuplicateWindowSec"),
    ("LINK_POOL_TTL_SEC", "LinkPoolTtlSec"),
];

#[test]
fn each_function_is_given_exactly_the_names_that_it_reads() {
    let functions = functions();
    for of_registry in &FUNCTIONS {
        let name = of_registry.name;
        let (required, numbers) = read_by(of_registry);
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
        // One that may be unset is listed where it is the only one of a function.
        let needed = secrets
            .iter()
            .filter(|name| !OPTIONAL.contains(&name.as_str()));
        let given: BTreeSet<String> = given.cloned().chain(needed.cloned()).collect();
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
            // `admin` has the bots' tokens for their ids, by which it finds their rate limiters, and calls nobody.
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
        let reads_target = ["request", "settlement", "setup", "worker"].contains(&name);
        let target = variables.get("LINK_POOL_TARGET").and_then(referent);
        assert_eq!(target, reads_target.then_some("LinkPoolTarget"), "{name}");
        let role = referent(&function["Properties"]["Role"]).unwrap();
        let policies = &resources("AWS::IAM::Role")[role]["Properties"]["Policies"];
        let mut granted = BTreeSet::new();
        referents(policies, &mut granted);
        // The secret, and the key that it may be encrypted with.
        for right in ["SecretsArn", "SecretsKeyArn"] {
            assert_eq!(
                granted.contains(right),
                !secrets.is_empty(),
                "{name}: {right}"
            );
        }
        let of = |all: &BTreeSet<String>, kind: &str| {
            let known = resources(kind).into_keys().collect::<BTreeSet<_>>();
            all.intersection(&known).cloned().collect::<BTreeSet<_>>()
        };
        // A queue in the environment is one that the function may use, and the other way round.
        let mut used = BTreeSet::new();
        referents(&Value::Object(variables.clone()), &mut used);
        referents(&function["Properties"]["Events"], &mut used);
        let queue = "AWS::SQS::Queue";
        let (granted_queues, used) = (of(&granted, queue), of(&used, queue));
        assert_eq!(granted_queues, used, "{name}: queues that its role grants");
        // And so with tables, which it finds by the stack's name.
        let impossible = TABLES.map(|(_, variable)| (variable, "!"));
        let refused = problems(of_registry, &impossible);
        let reads = |variable: &str| refused.iter().any(|problem| problem.starts_with(variable));
        let read_tables = TABLES.iter().filter(|(_, variable)| reads(variable));
        let read_tables: BTreeSet<String> =
            read_tables.map(|(table, _)| (*table).to_owned()).collect();
        let granted = of(&granted, "AWS::DynamoDB::Table");
        assert_eq!(granted, read_tables, "{name}: tables that its role grants");
        let prefix = json!({"!Sub": "${AWS::StackName}-"});
        let expected = (!granted.is_empty()).then_some(&prefix);
        assert_eq!(variables.get("TABLE_PREFIX"), expected, "{name}");
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
        // What names another table in the place of one, wherever its constant stands.
        let is_of_table = |word: &&str| {
            let letters = word.strip_suffix("_TABLE").unwrap_or_default();
            !letters.is_empty() && letters.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        };
        read.extend(product.split('"').filter(is_of_table).map(str::to_owned));
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
    let of_tables = TABLES.map(|(_, variable)| variable);
    let mut known: BTreeSet<String> = OPTIONAL
        .iter()
        .chain(&OF_LAMBDA)
        .chain(&of_tables)
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
    let banner = text("local/src/banner.rs");
    let unset = [
        "SECRETS_ARN",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_LOG_LEVEL",
        "AWS_XRAY_DAEMON_ADDRESS",
        "METRICS_NAMESPACE",
        "RUST_LOG",
    ];
    let of_names = |name: &String| name == "TABLE_PREFIX" || name.ends_with("_TABLE");
    let lacking: Vec<String> = known
        .into_iter()
        .filter(|name| {
            !unset.contains(&name.as_str())
                && !of_names(name)
                && !banner.contains(&format!("\"{name}\""))
        })
        .collect();
    none("names that --print-env lacks", &lacking);
}
