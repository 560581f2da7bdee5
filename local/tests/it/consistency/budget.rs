//! What grows with the product and ends somewhere at AWS, or costs by the month. What only the transform shows, resources,
//! bytes and resource policies, `.ci/transform.py` counts.

use std::collections::BTreeSet;

use runtime::metrics::RULES;
use serde_json::Value;

use super::template::{functions, resources, template};
use super::{none, text};

/// The longest name of a stack that must still work; its queues have names of 80 characters at most.
const STACK_NAME: usize = 40;

/// The longest text that a value of the template can become.
struct Longest {
    template: Value,
    stack_name: usize,
}

impl Longest {
    fn of(&self, value: &Value) -> usize {
        match value {
            Value::String(text) => text.chars().count(),
            Value::Number(_) | Value::Bool(_) => value.to_string().len(),
            Value::Object(function) => {
                let (name, argument) = function.iter().next().unwrap();
                match (name.as_str(), argument) {
                    ("!Ref", Value::String(name)) => self.reference(name),
                    ("!GetAtt", Value::String(_)) => 120,
                    ("!Sub", Value::String(text)) => self.substitute(text),
                    ("!If", Value::Array(branches)) => {
                        let branches = branches[1..].iter().map(|branch| self.of(branch));
                        branches.max().unwrap()
                    }
                    _ => panic!("not known here: {value}"),
                }
            }
            _ => panic!("not a text: {value}"),
        }
    }

    fn substitute(&self, text: &str) -> usize {
        let mut parts = text.split("${");
        let literal = parts.next().unwrap_or_default().chars().count();
        let parts = parts.map(|part| {
            let (name, rest) = part.split_once('}').unwrap();
            self.reference(name) + rest.chars().count()
        });
        literal + parts.sum::<usize>()
    }

    fn reference(&self, name: &str) -> usize {
        let pseudo = [
            ("AWS::StackName", self.stack_name),
            ("AWS::Region", "ap-southeast-1".len()),
            ("AWS::URLSuffix", "amazonaws.com.cn".len()),
            ("AWS::AccountId", 12),
            ("AWS::Partition", "aws-us-gov".len()),
            ("AWS::NoValue", 0),
        ];
        if let Some((_, length)) = pseudo.iter().find(|(known, _)| *known == name) {
            return *length;
        }
        let parameter = &self.template["Parameters"][name];
        if !parameter.is_null() {
            return self.parameter(name, parameter);
        }
        let resource = &self.template["Resources"][name];
        // CloudFormation appends 13 characters to the names that it makes, and cuts the whole at 128.
        let made = (self.stack_name + 1 + name.len() + 13).min(128);
        match resource["Type"].as_str() {
            Some("AWS::SQS::Queue") => {
                let host = "https://sqs.ap-southeast-1.amazonaws.com.cn/123456789012/".len();
                host + self.of(&resource["Properties"]["QueueName"])
            }
            Some("AWS::IAM::ManagedPolicy") => {
                "arn:aws-us-gov:iam::123456789012:policy/".len() + made
            }
            Some("AWS::SecretsManager::Secret") => {
                "arn:aws-us-gov:secretsmanager:ap-southeast-1:123456789012:secret:".len() + made + 7
            }
            Some("AWS::Serverless::HttpApi") => 10,
            _ => panic!("how long is a reference to {name}?"),
        }
    }

    fn parameter(&self, name: &str, parameter: &Value) -> usize {
        if let Some(values) = parameter["AllowedValues"].as_array() {
            let longest = values.iter().map(|value| self.of(value)).max();
            return longest.unwrap();
        }
        let bound = match parameter["Type"].as_str() {
            Some("Number") => parameter["MaxValue"]
                .as_u64()
                .map(|most| most.to_string().len()),
            _ => parameter["MaxLength"]
                .as_u64()
                .map(|most| usize::try_from(most).unwrap()),
        };
        bound.unwrap_or_else(|| {
            panic!("{name} has no MaxLength or MaxValue, and stands where AWS bounds the whole")
        })
    }
}

#[test]
fn a_parameter_reaches_the_alias_by_descriptions_that_iam_takes() {
    // The longest name that a stack can have, too: a description that is refused would stop a deployment, not a build.
    let longest = Longest {
        template: template(),
        stack_name: 128,
    };
    let policies = resources("AWS::IAM::ManagedPolicy");
    assert!(!policies.is_empty());
    for (name, policy) in policies {
        let length = longest.of(&policy["Properties"]["Description"]);
        assert!(
            length <= 1000,
            "the description of {name} can have {length} characters"
        );
    }
    let longest = Longest {
        stack_name: STACK_NAME,
        ..longest
    };
    for (name, function) in functions() {
        let length = longest.of(&function["Properties"]["VersionDescription"]);
        assert!(
            length <= 256,
            "the version of {name} can have {length} characters"
        );
        let said = longest.of(&function["Properties"]["Description"]);
        assert!(
            said <= 256,
            "the description of {name} has {said} characters"
        );
    }
}

#[test]
fn each_environment_leaves_a_quarter_of_what_lambda_holds() {
    let longest = Longest {
        template: template(),
        stack_name: STACK_NAME,
    };
    let of = |variables: &Value| {
        let variables = variables.as_object().unwrap().iter();
        variables
            .map(|(name, value)| name.len() + longest.of(value))
            .sum::<usize>()
    };
    let global = of(&longest.template["Globals"]["Function"]["Environment"]["Variables"]);
    for (name, function) in functions() {
        let bytes = global + of(&function["Properties"]["Environment"]["Variables"]);
        assert!(
            bytes <= 3072,
            "the environment of {name} can have {bytes} bytes"
        );
    }
}

#[test]
fn parameters_and_functions_stay_few() {
    let template = template();
    let parameters = template["Parameters"].as_object().unwrap();
    assert!(parameters.len() <= 60, "{} parameters", parameters.len());
    assert!(functions().len() <= 25, "{} functions", functions().len());
    let groups = &template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"];
    let grouped = groups.as_array().unwrap().iter();
    let mut shown: Vec<&str> = grouped
        .flat_map(|group| group["Parameters"].as_array().unwrap())
        .map(|name| name.as_str().unwrap())
        .collect();
    shown.sort_unstable();
    let known: Vec<&str> = parameters
        .keys()
        .map(String::as_str)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    assert_eq!(shown, known, "ParameterGroups shows each parameter once");
}

/// How many metrics an alarm looks at; each is paid.
fn looked_at(alarm: &Value) -> usize {
    let several = alarm["Properties"]["Metrics"].as_array();
    several.map_or(1, |all| {
        all.iter()
            .filter(|metric| metric["MetricStat"].is_object())
            .count()
    })
}

#[test]
fn what_watching_costs_is_bounded_and_the_operators_book_has_the_figures() {
    // `Errors` is of the log groups.
    let own: BTreeSet<&str> = RULES
        .iter()
        .map(|rule| rule.name)
        .chain(["Errors"])
        .collect();
    assert!(own.len() <= 27, "{} metrics of our own, {own:?}", own.len());
    let alarms = resources("AWS::CloudWatch::Alarm");
    let metrics: usize = alarms.values().map(looked_at).sum();
    assert!(metrics <= 80, "alarms look at {metrics} metrics");
    let many: Vec<String> = alarms
        .iter()
        .filter(|(_, alarm)| looked_at(alarm) > 10)
        .map(|(name, _)| name.clone())
        .collect();
    none("alarms that look at more than ten metrics", &many);
    assert_eq!(resources("AWS::CloudWatch::Dashboard").len(), 1);
    let book = text("docs/OPERATIONS.md");
    for figure in [
        format!("{} metrics of our own", own.len()),
        format!("{} alarms over {metrics} metrics", alarms.len()),
    ] {
        assert!(
            book.contains(&figure),
            "docs/OPERATIONS.md does not say: {figure}"
        );
    }
}
