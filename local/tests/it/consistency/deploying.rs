//! What a deployment needs beside its functions: how Lambda is to treat them, who may deploy, what stages there are.

use std::collections::{BTreeMap, BTreeSet};

use local::functions::{FUNCTIONS, function};
use serde_json::{Value, json};

use super::template::{
    NUMBERS, functions, problems, referent, referents, resources, template, triggers,
};
use super::{code, none, text, yaml};

/// The statements of a function's role.
fn rights(function: &Value) -> Vec<Value> {
    let role = referent(&function["Properties"]["Role"]).unwrap();
    let policies = resources("AWS::IAM::Role")[role]["Properties"]["Policies"].clone();
    let statements = policies.as_array().unwrap().iter();
    statements
        .flat_map(|policy| {
            policy["PolicyDocument"]["Statement"]
                .as_array()
                .unwrap()
                .clone()
        })
        .collect()
}

/// Whether a statement, also one under a condition, allows an action.
fn allows(statement: &Value, action: &str) -> bool {
    match &statement["!If"] {
        Value::Array(branches) => branches.iter().any(|branch| allows(branch, action)),
        _ => {
            statement["Action"] == action
                || statement["Action"]
                    .as_array()
                    .is_some_and(|all| all.contains(&json!(action)))
        }
    }
}

/// The queues that a function may send to.
fn fed_by(function: &Value) -> BTreeSet<String> {
    let mut queues = BTreeSet::new();
    for statement in rights(function)
        .iter()
        .filter(|right| allows(right, "sqs:SendMessage"))
    {
        referents(&statement["Resource"], &mut queues);
    }
    queues
}

/// Lambda ends a chain of some 16 invocations that feed each other, and what was on its way becomes a dead letter.
#[test]
fn functions_that_feed_themselves_are_allowed_to() {
    let functions = functions();
    let source = |function: &Value| {
        let queues = triggers(function).filter(|event| event["Type"] == "SQS");
        queues
            .map(|event| referent(&event["Properties"]["Queue"]).unwrap().to_owned())
            .next()
    };
    let invoked: BTreeMap<String, &String> = functions
        .iter()
        .filter_map(|(name, function)| Some((source(function)?, name)))
        .collect();
    let mut circles = BTreeSet::new();
    for (name, function) in &functions {
        // Whom it invokes, and whom they do.
        let mut reached = BTreeSet::new();
        let mut open: Vec<String> = fed_by(function).into_iter().collect();
        while let Some(next) = open.pop().and_then(|queue| invoked.get(&queue).copied()) {
            if reached.insert(next.clone()) {
                open.extend(fed_by(&functions[next]));
            }
        }
        if reached.contains(name) {
            circles.insert(name.clone());
        }
    }
    assert_eq!(
        circles,
        ["events", "hooks", "messenger", "worker"]
            .map(str::to_owned)
            .into()
    );
    for (name, function) in &functions {
        let expected = if circles.contains(name) {
            json!("Allow")
        } else {
            Value::Null
        };
        assert_eq!(function["Properties"]["RecursiveLoop"], expected, "{name}");
    }
}

#[test]
fn what_the_clock_drives_is_not_made_up_for_later() {
    let once = json!({"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60});
    let mut driven = Vec::new();
    for (name, function) in functions() {
        let properties = &function["Properties"];
        let Some(schedule) = triggers(&function).find(|event| event["Type"] == "Schedule") else {
            assert!(properties["EventInvokeConfig"].is_null(), "{name}");
            continue;
        };
        assert_eq!(properties["EventInvokeConfig"], once, "{name}");
        assert_eq!(schedule["Properties"]["RetryPolicy"], once, "{name}");
        driven.push(name);
    }
    assert_eq!(
        driven,
        [
            "hooks",
            "jobs",
            "messenger",
            "monitor",
            "sweeper",
            "webhook",
            "worker",
        ]
    );
}

#[test]
fn each_role_has_what_its_function_is_set_to_do_and_no_policy_beside() {
    for (name, function) in functions() {
        let role = referent(&function["Properties"]["Role"]).unwrap();
        let role = &resources("AWS::IAM::Role")[role]["Properties"];
        assert!(role["ManagedPolicyArns"].is_null(), "{name}");
        let rights = rights(&function);
        let may = |action: &str| rights.iter().any(|statement| allows(statement, action));
        // Without a word of its own a function is traced as `Tracing` says.
        let is_traced = function["Properties"]["Tracing"].is_null();
        assert_eq!(may("xray:PutTraceSegments"), is_traced, "{name}");
        // An own secret may be encrypted with an own key.
        let reads_secret = may("secretsmanager:GetSecretValue");
        assert_eq!(may("kms:Decrypt"), reads_secret, "{name}");
    }
}

/// Metrics of functions come late; an alarm over one filled minute would see the filling alone.
#[test]
fn alarms_over_filled_metrics_look_back() {
    let mut filled = Vec::new();
    for (name, alarm) in resources("AWS::CloudWatch::Alarm") {
        let properties = &alarm["Properties"];
        if properties["Metrics"].to_string().contains("FILL(") {
            let looks = (
                &properties["EvaluationPeriods"],
                &properties["DatapointsToAlarm"],
            );
            assert_eq!(looks, (&json!(5), &json!(1)), "{name}");
            filled.push(name);
        }
    }
    assert_eq!(
        filled,
        [
            "BackgroundErrorsAlarm",
            "BackgroundThrottlesAlarm",
            "FunctionErrorsAlarm",
            "FunctionThrottlesAlarm",
        ]
    );
    // Made when `monitor` has measured, or it would ring in each new stack.
    let silent = &resources("AWS::CloudWatch::Alarm")["MonitorSilentAlarm"];
    assert_eq!(silent["DependsOn"], "Registration");
}

#[test]
fn each_function_is_in_one_alarm_of_errors_and_in_one_of_throttles() {
    let alarms = resources("AWS::CloudWatch::Alarm");
    let mut functions: Vec<String> = resources("AWS::Serverless::Function").into_keys().collect();
    functions.sort();
    for metric in ["Errors", "Throttles"] {
        let mut watched = Vec::new();
        for pair in ["Function", "Background"] {
            let metrics = &alarms[&format!("{pair}{metric}Alarm")]["Properties"]["Metrics"];
            let metrics = metrics.as_array().unwrap().iter();
            for stat in metrics.filter(|metric| metric["MetricStat"].is_object()) {
                let stat = &stat["MetricStat"]["Metric"];
                assert_eq!(
                    (&stat["Namespace"], &stat["MetricName"]),
                    (&json!("AWS/Lambda"), &json!(metric))
                );
                let name = referent(&stat["Dimensions"][0]["Value"]).unwrap();
                watched.push(name.to_owned());
            }
        }
        watched.sort();
        assert_eq!(watched, functions, "{metric}");
    }
    let rolls_back =
        template()["Globals"]["Function"]["DeploymentPreference"]["Alarms"].to_string();
    for (name, alarm) in &alarms {
        if name.ends_with("ErrorsAlarm") && !alarm["Properties"]["Metrics"].is_null() {
            let named = format!("${{AWS::StackName}}-{name}");
            assert_eq!(alarm["Properties"]["AlarmName"]["!Sub"], named, "{name}");
            assert!(
                rolls_back.contains(&format!("\"{named}\"")),
                "{name} rolls no deployment back"
            );
        }
    }
}

/// The values of `[name.part.parameters]` in samconfig.toml.
fn samconfig(name: &str, part: &str) -> BTreeMap<String, String> {
    let file = text("samconfig.toml");
    let start = format!("[{name}.{part}.parameters]\n");
    let section = file.split(&start).nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    let pairs = section.lines().filter_map(|line| line.split_once(" = "));
    let plain = |value: &str| value.trim_matches('"').to_owned();
    pairs
        .map(|(name, value)| (name.to_owned(), plain(value)))
        .collect()
}

#[test]
fn a_stage_is_never_assumed() {
    let stage = &template()["Parameters"]["Stage"];
    assert!(
        stage["Default"].is_null(),
        "a list on the command line replaces the whole list of samconfig.toml"
    );
    let stages = stage["AllowedValues"].as_array().unwrap();
    assert_eq!(stages.len(), 3);
    for stage in stages.iter().map(|stage| stage.as_str().unwrap()) {
        let global = samconfig(stage, "global");
        let stack = format!("admit-one-{stage}");
        assert_eq!(global["stack_name"], stack.trim_end_matches("-default"));
        let overrides = &global["parameter_overrides"];
        assert!(
            overrides
                .split(' ')
                .any(|pair| pair == format!("Stage={stage}")),
            "{overrides}"
        );
        // In one place, for build and deploy.
        for part in ["build", "deploy"] {
            assert!(
                !samconfig(stage, part).contains_key("parameter_overrides"),
                "{stage}: {part}"
            );
        }
        let deploy = text(".github/workflows/deploy.yml");
        assert!(deploy.contains("\"Stage=$STAGE\""), "deploy.yml");
    }
    // Or `sam deploy --guided` asks of each route whether it may be open, and No ends it.
    let api = &resources("AWS::Serverless::HttpApi")["HttpApi"]["Properties"];
    assert_eq!(api["Auth"], json!({"EnableIamAuthorizer": false}));
}

#[test]
fn an_empty_secret_does_not_fail_the_first_deploy_from_github() {
    let workflow = text(".github/workflows/deploy.yml");
    let sentence = "The secret is still empty";
    assert!(workflow.contains(&format!("case $setup in '{sentence}'*)")));
    let setup = code(&text("functions/setup/src/lib.rs"));
    assert!(setup.contains(&format!(
        "Outcome::success(format!(\n                \"{sentence}"
    )));
}

#[test]
fn the_role_of_github_may_deploy_all_that_the_template_has() {
    let role = yaml(".github/aws/deploy-role.yaml");
    let policies = &role["Resources"]["DeployRole"]["Properties"]["Policies"];
    let statements = policies[0]["PolicyDocument"]["Statement"]
        .as_array()
        .unwrap();
    let mut lacking = Vec::new();
    for kind in template()["Resources"].as_object().unwrap().values() {
        let kind = kind["Type"].as_str().unwrap();
        let service = match kind.split("::").nth(1).unwrap() {
            "Serverless" => "lambda",
            "ApiGatewayV2" => "apigateway",
            "CloudWatch" => "cloudwatch",
            "DynamoDB" => "dynamodb",
            "IAM" => "iam",
            "Logs" => "logs",
            "Route53" => "route53",
            "SecretsManager" => "secretsmanager",
            "SNS" => "sns",
            "SQS" => "sqs",
            // The call of `setup` itself.
            "AdmitOneSetup" => "lambda",
            other => panic!("{kind}: which rights does {other} need?"),
        };
        let has = |statement: &Value| {
            statement["Action"]
                .to_string()
                .contains(&format!("\"{service}:"))
        };
        if !statements.iter().any(has) {
            lacking.push(kind.to_owned());
        }
    }
    none("types that the role may not make", &lacking);
    let on = |action: &str| {
        let statement = statements
            .iter()
            .find(|statement| allows(statement, action));
        statement
            .map(|statement| statement["Resource"].to_string())
            .unwrap_or_default()
    };
    // The stack's tags go to event sources as well.
    assert!(on("lambda:TagResource").contains(":event-source-mapping:*"));
    for knows_no_resource in [
        "sns:Unsubscribe",
        "sns:GetSubscriptionAttributes",
        "sns:SetSubscriptionAttributes",
    ] {
        assert_eq!(on(knows_no_resource), "\"*\"", "{knows_no_resource}");
    }
    // Names that the template gives begin as the role's do.
    let all = statements
        .iter()
        .map(|statement| statement["Resource"].to_string())
        .collect::<String>();
    for (kind, property, arn) in [
        ("AWS::DynamoDB::Table", "TableName", ":table/"),
        (
            "AWS::SQS::Queue",
            "QueueName",
            "sqs:${AWS::Region}:${AWS::AccountId}:",
        ),
        ("AWS::Logs::LogGroup", "LogGroupName", ":log-group:"),
        ("AWS::CloudWatch::Alarm", "AlarmName", ":alarm:"),
    ] {
        let named = resources(kind).into_values().filter_map(|resource| {
            let name = resource["Properties"][property]["!Sub"]
                .as_str()?
                .to_owned();
            let (before, _) = name.split_once("${AWS::StackName}-").unwrap();
            Some(before.to_owned())
        });
        let named: BTreeSet<String> = named.collect();
        assert!(!named.is_empty(), "{kind}");
        for before in named {
            let may = format!("{arn}{before}admit-one-${{Stage}}-*");
            assert!(all.contains(&may), "{kind}: {may}");
        }
    }
}

/// A wrong setting fails the deployment, not the first sale.
#[test]
fn setup_refuses_whatever_another_function_would_refuse() {
    let variables = functions()["setup"]["Properties"]["Environment"]["Variables"].clone();
    let secrets = functions()["setup"]["Metadata"]["Secrets"].clone();
    let numbers = NUMBERS.map(|(name, _)| (name, "x"));
    let others = [
        ("TELEGRAM_CHAT_ID", "@premium"),
        ("LINK_POOL_TARGET", "-100404=1"),
        ("ADMIN_KEYS", "nobody"),
        ("API_KEYS", ","),
        ("TELEGRAM_BOT_TOKEN", "none"),
        ("TELEGRAM_WEBHOOK_SECRET", ","),
        ("WEBENGAGE_LICENSE_CODE", "a b"),
        ("WEBENGAGE_API_KEY", "a\nb"),
        ("TELEGRAM_API_BASE", "telegram"),
        ("WEBENGAGE_API_BASE", "webengage"),
        ("PAYMENTS_MODE", "real"),
        ("STRIPE_SECRET_KEY", "a key of nobody's"),
        ("STRIPE_WEBHOOK_SECRET", ","),
        ("NOWPAYMENTS_IPN_SECRET", ","),
    ];
    let mut refused = BTreeSet::new();
    for (name, value) in numbers.into_iter().chain(others) {
        for other in FUNCTIONS.iter().filter(|other| other.name != "setup") {
            let about = |function| {
                let problems = problems(function, &[(name, value)]);
                problems
                    .into_iter()
                    .find(|problem| problem.starts_with(name) && !problem.ends_with(" is missing"))
            };
            let Some(problem) = about(other) else {
                continue;
            };
            refused.insert(name);
            assert!(
                about(function("setup")).is_some(),
                "{} refuses to start: {problem}; setup does not see it",
                other.name
            );
            let given =
                variables.get(name).is_some() || secrets.as_array().unwrap().contains(&json!(name));
            assert!(given, "setup is not given {name}");
        }
    }
    assert!(refused.len() > 12, "{refused:?}");
}
