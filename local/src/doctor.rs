//! `doctor`: whether a deployment, or this machine, can do its work. Looks at everything that the functions need, with the
//! environment that they would have, and says of each what to do if it is not right. It changes nothing.

use std::collections::HashMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use aws_sdk_dynamodb::types::{IndexStatus, TableDescription, TableStatus};
use domain::purchase::Chats;
use domain::time::Timestamp;
use runtime::auth::{Operators, Verifier};
use runtime::aws::{QueueDepth, Shared};
use runtime::clock::Clock;
use runtime::config::{ConfigError, Env};
use runtime::secrets;
use runtime::settings;
use runtime::telemetry::chain;
use setup::check::{self, Check, CheckStatus};
use setup::menus::{self, MenuSetup};
use setup::operators;
use setup::providers::{Providers, Repairing};
use setup::registration::Bot;
use webengage::WebEngage;

use crate::env::env_of;
use crate::keys::{self, Keys};
use crate::resources::TABLES;
use crate::supervision;
use crate::updates::public_webhook;

/// The queues: what names each, and whether what lies in it waits for a person.
const QUEUES: [(&str, &str, bool); 7] = [
    ("InviteQueue", "INVITE_QUEUE_URL", false),
    ("EventQueue", "EVENT_QUEUE_URL", false),
    ("MessageQueue", "MESSAGE_QUEUE_URL", false),
    ("HookQueue", "HOOK_QUEUE_URL", false),
    ("PaymentQueue", "PAYMENT_QUEUE_URL", false),
    (
        "InviteDeadLetterQueue",
        "INVITE_DEAD_LETTER_QUEUE_URL",
        true,
    ),
    ("EventDeadLetterQueue", "EVENT_DEAD_LETTER_QUEUE_URL", true),
];

/// How to look.
#[derive(clap::Args)]
pub struct Arguments {
    /// Where this machine's keys lie; they stand for those that the environment lacks.
    #[arg(long, default_value = ".admit")]
    data_dir: PathBuf,
    /// Where Telegram should send updates; by default WEBHOOK_URL, or what PUBLIC_URL leads to.
    #[arg(long)]
    webhook_url: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Looks, and prints what was found.
///
/// # Errors
/// If a check failed.
pub async fn run(arguments: Arguments, env: &HashMap<String, String>) -> anyhow::Result<()> {
    let now = Clock::real().now();
    let mut checks = Vec::new();
    let env = &with_keys(env, &arguments.data_dir, &mut checks);
    checks.extend(examine(env, arguments.webhook_url.as_deref(), now).await);
    let failed = checks
        .iter()
        .filter(|check| check.status == CheckStatus::Failed)
        .count();
    let text = if arguments.json {
        let report = serde_json::json!({"ok": failed == 0, "checks": checks});
        format!("{report:#}\n")
    } else {
        let in_colour = std::io::stdout().is_terminal() && !env.contains_key("NO_COLOR");
        checks.iter().map(|check| line(check, in_colour)).collect()
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    anyhow::ensure!(failed == 0, "{failed} of {} checks failed", checks.len());
    Ok(())
}

/// The environment, with what it lacks from the keys that this machine made up. A deployment's secrets are not here.
fn with_keys(
    env: &HashMap<String, String>,
    data_dir: &Path,
    checks: &mut Vec<Check>,
) -> HashMap<String, String> {
    let mut env = env.clone();
    checks.extend(supervision::ignored(&env));
    if env_of(&env).optional("SECRETS_ARN").is_some() {
        return env;
    }
    match Keys::known(data_dir) {
        Ok(None) => {}
        Ok(Some(keys)) => {
            let file = Keys::file(data_dir);
            checks.push(Check::ok("keys", format!("read from {}", file.display())));
            keys::fill_in_keys(&mut env, keys);
        }
        Err(unreadable) => checks.push(Check::failed("keys", format!("{unreadable:#}"))),
    }
    env
}

fn line(check: &Check, in_colour: bool) -> String {
    let (word, colour) = match check.status {
        CheckStatus::Ok => ("ok     ", 32),
        CheckStatus::Warning => ("warning", 33),
        CheckStatus::Failed => ("FAILED ", 31),
    };
    let word = match in_colour {
        true => format!("\x1b[{colour}m{word}\x1b[0m"),
        false => word.to_owned(),
    };
    format!("{word} {}: {}\n", check.what, check.says)
}

/// All checks, in the order in which things depend on each other.
pub async fn examine(
    env: &HashMap<String, String>,
    webhook_url: Option<&str>,
    now: Timestamp,
) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut read = with_secret(env, &mut checks).await;
    let of_env = read.optional("WEBHOOK_URL");
    let of_env = of_env
        .filter(|url| url != monitor::POLLING)
        .or_else(|| public_webhook(env));
    take(&mut read, &mut checks, |env| {
        Verifier::api_keys(env);
        Operators::from_env(env);
    });
    let bots = take(&mut read, &mut checks, |env| {
        Bot::all_from_env(env, &Clock::real())
    })
    .unwrap_or_default();
    let chats = take(&mut read, &mut checks, settings::chats).unwrap_or_else(Chats::none);
    let operator_chat = take(&mut read, &mut checks, |env| {
        settings::operator_chat(env, &chats)
    });
    let webengage = take(&mut read, &mut checks, WebEngage::from_env);
    checks.extend(check::bots(&bots, &chats).await);
    checks.extend(check::webhooks(&bots, webhook_url.or(of_env.as_deref()), now).await);
    if let Some(operator_chat) = operator_chat {
        checks.extend(operators::check(&bots, operator_chat).await);
    }
    let desk = operator_chat.flatten();
    let menus = take(&mut read, &mut checks, |env| MenuSetup::from_env(env, desk));
    // Only a bot that hears what people write has something to offer them.
    let front = bots
        .first()
        .filter(|front| front.updates.contains(&"message"));
    if let (Some(menus), Some(front)) = (menus, front) {
        checks.push(menus.check(&front.telegram).await);
        checks.push(menus::privacy(&front.telegram).await);
    }
    if let Some(account) = webengage {
        checks.push(check::webengage(&account).await);
    }
    if let Some(providers) = take(&mut read, &mut checks, Providers::from_env) {
        let url = webhook_url.or(of_env.as_deref());
        checks.extend(providers.check(&bots).await);
        checks.extend(providers.endpoint(url, Repairing::No).await);
    }
    on_aws(&mut read, &mut checks).await;
    checks
}

/// The environment, with what it lacks from the secret that `SECRETS_ARN` names.
async fn with_secret(env: &HashMap<String, String>, checks: &mut Vec<Check>) -> Env {
    let of_process = || env_of(env);
    if of_process().optional("SECRETS_ARN").is_none() {
        return of_process();
    }
    match secrets::fill_in(of_process()).await {
        Ok(filled) => {
            checks.push(Check::ok("secret", "it can be read"));
            filled
        }
        Err(unreadable) => {
            let says = format!("{}{}", chain(&unreadable), on_credentials(&unreadable));
            checks.push(Check::failed("secret", says));
            of_process()
        }
    }
}

/// Where credentials come from that are missing: the functions find theirs in the environment, and nowhere else.
fn on_credentials(problem: &ConfigError) -> &'static str {
    match problem {
        ConfigError::Incomplete(_) => {
            " (eval \"$(aws configure export-credentials --format env)\" sets the credentials)"
        }
        ConfigError::Secret(_) => "",
    }
}

/// What `read` makes of the environment; what it lacks for that is a failed check each.
fn take<T>(env: &mut Env, checks: &mut Vec<Check>, read: impl FnOnce(&mut Env) -> T) -> Option<T> {
    let value = read(env);
    let problems = match env.check() {
        Ok(()) => return Some(value),
        Err(ConfigError::Incomplete(problems)) => problems,
        Err(other) => vec![chain(&other)],
    };
    checks.extend(problems.into_iter().map(|problem| {
        let says = format!("{problem}; put it right in the environment or in the secret");
        Check::failed("environment", says)
    }));
    None
}

/// The tables and queues that the environment names.
async fn on_aws(env: &mut Env, checks: &mut Vec<Check>) {
    let named = |env: &Env, name: &str| env.optional(name);
    let queues: Vec<(&str, String, bool)> = QUEUES
        .into_iter()
        .filter_map(|(queue, variable, is_dead)| Some((queue, named(env, variable)?, is_dead)))
        .collect();
    if queues.is_empty() {
        return;
    }
    let Some(shared) = take(env, checks, Shared::from_env) else {
        return;
    };
    let (dynamo, sqs) = (shared.dynamodb(), shared.sqs());
    for table in TABLES {
        let name = store::table_name(env, table.name, &variable_of(table.name));
        checks.push(look_at_table(&dynamo, table.name, &name).await);
    }
    for (queue, url, is_dead) in queues {
        checks.push(match QueueDepth::new(sqs.clone(), url).depth().await {
            Err(failure) => Check::failed(
                queue,
                format!("{failure}: check its URL, the region, and the right sqs:GetQueueAttributes"),
            ),
            Ok(0) => Check::ok(queue, "empty"),
            Ok(messages) if is_dead => Check::failed(
                queue,
                format!("{messages} dead letters: find out why, mend that, and then move them back (docs/OPERATIONS.md, dead letters)"),
            ),
            Ok(messages) => Check::ok(queue, format!("{messages} messages")),
        });
    }
}

/// The variable that names one table otherwise: `InviteRequests` is `INVITE_REQUESTS_TABLE`.
fn variable_of(table: &str) -> String {
    let mut variable = String::new();
    for letter in table.chars() {
        if letter.is_ascii_uppercase() && !variable.is_empty() {
            variable.push('_');
        }
        variable.push(letter.to_ascii_uppercase());
    }
    variable + "_TABLE"
}

async fn look_at_table(dynamo: &aws_sdk_dynamodb::Client, table: &str, name: &str) -> Check {
    let answer = dynamo.describe_table().table_name(name).send().await;
    let answer = match answer {
        Ok(answer) => answer
            .table
            .unwrap_or_else(|| TableDescription::builder().build()),
        Err(error) => {
            let says = format!(
                "{}: check its name, the region, and the right dynamodb:DescribeTable",
                chain(&error)
            );
            return Check::failed(table, says);
        }
    };
    let indexes = answer.global_secondary_indexes.unwrap_or_default();
    let is_ready = matches!(
        answer.table_status,
        Some(TableStatus::Active | TableStatus::Updating)
    ) && indexes
        .iter()
        .all(|index| index.index_status == Some(IndexStatus::Active));
    match is_ready {
        true => Check::ok(table, "it can be used"),
        false => Check::failed(
            table,
            "it, or an index of it, is not active: wait for it, and see the stack's events",
        ),
    }
}
