//! The first call of a deployment, and of every change of it: checks that the bots may do their work, that WebEngage
//! knows us and that the providers of payments do, registers the webhooks, and tells CloudFormation, or the person who called, in a sentence what to do.
//!
//! ```text
//! CloudFormation creates or updates the stack   check everything, change nothing
//!   all is well                                 register the webhooks, read them back       SUCCESS
//!   something is not                            nothing was changed                         FAILED, the reason
//!   the secret is still empty                   nothing to check yet                        SUCCESS, how to go on
//! CloudFormation goes back from an update       the same; what is wrong stops nothing       SUCCESS, what is wrong
//! CloudFormation deletes the stack              remove the webhooks that are still ours     SUCCESS, always
//! ```
//!
//! Each call is answered, whatever it is and whatever is wrong: CloudFormation waits an hour for an answer that does not
//! come. All of it can be done twice.

pub mod check;
pub mod claims;
pub mod menus;
pub mod operators;
pub mod providers;
pub mod registration;

mod answer;

use std::cmp::Ordering;
use std::time::Duration;

use domain::id::ChatId;
use domain::purchase::Chats;
use futures_util::future::{join_all, join3};
use runtime::auth::{Operators, Verifier};
use runtime::clock::Clock;
use runtime::config::{ConfigError, Env};
use runtime::secrets;
use runtime::settings::{self, Lifetimes};
use runtime::telemetry::chain;
use serde::Serialize;
use serde_json::{Value, json};
use telegram::{Bots, Telegram, TelegramError, is_same_url, webhook_address};
use tokio::time::{Instant, timeout_at};
use tracing::{error, info, warn};
use webengage::WebEngage;

pub use answer::Unanswered;
use check::{Check, CheckStatus, patiently};
use claims::ClaimSetup;
use menus::MenuSetup;
use providers::{Providers, Repairing};
use registration::{Bot, Unregistered};

/// What is left of the time for giving the answer.
const TO_ANSWER: Duration = Duration::from_secs(12);
/// The names that only a person can fill in: while none of them is, nobody has.
const BY_HAND: [&str; 3] = [
    "TELEGRAM_BOT_TOKEN",
    "WEBENGAGE_LICENSE_CODE",
    "WEBENGAGE_API_KEY",
];

/// Properties that grow from one deployment to the next: the version of this function, and `DeployId`, if it is given as
/// it should be.
const GROWING: [&str; 2] = ["SetupVersion", "DeployId"];

/// Whether CloudFormation goes on or goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// It goes on.
    Success,
    /// It undoes the deployment.
    Failed,
}

/// What a call came to.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Outcome {
    /// Whether it is well.
    pub status: Status,
    /// What was done, or what to do, without a secret.
    #[serde(rename = "Result")]
    pub says: String,
    /// All that was looked at.
    pub checks: Vec<Check>,
}

impl Outcome {
    fn success(says: impl Into<String>) -> Self {
        Self::of(Status::Success, says.into())
    }

    fn failed(says: impl Into<String>) -> Self {
        Self::of(Status::Failed, says.into())
    }

    fn of(status: Status, says: String) -> Self {
        Self {
            status,
            says,
            checks: Vec::new(),
        }
    }
}

/// What the work needs.
pub struct App {
    bots: Vec<Bot>,
    chats: Chats,
    operator_chat: Option<ChatId>,
    webengage: WebEngage,
    claims: ClaimSetup,
    menus: MenuSetup,
    providers: Providers,
    has_api_keys: bool,
    has_admin_keys: bool,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`], and so is all that another function would
    /// refuse to start with.
    pub fn from_env(env: &mut Env) -> Self {
        let chats = settings::chats(env);
        read_settings(env, &chats);
        let clock = Clock::real();
        let operator_chat = settings::operator_chat(env, &chats);
        Self {
            bots: Bot::all_from_env(env, &clock),
            claims: ClaimSetup::from_env(env, &chats, &clock),
            operator_chat,
            menus: MenuSetup::from_env(env, operator_chat),
            providers: Providers::from_env(env),
            chats,
            webengage: WebEngage::from_env(env),
            has_api_keys: env.optional("API_KEYS").is_some(),
            has_admin_keys: env.optional("ADMIN_KEYS").is_some(),
        }
    }
}

/// Reads the settings of the other functions as they do: a deployment with a wrong one fails, not the first sale.
fn read_settings(env: &mut Env, chats: &Chats) {
    Lifetimes::from_env(env);
    let targets = settings::link_pool_targets(env, chats);
    settings::link_pool_ttl(env, &targets);
    settings::max_attempts(env);
    settings::base_backoff(env);
    settings::starting_interval(env);
    settings::duplicate_window(env);
    settings::support_hours(env);
    settings::relay_shows_sent(env);
    settings::support_url(env);
    settings::new_topics_per_hour(env);
    settings::product_fee_bps(env);
    settings::quote_ttl(env);
    settings::rate_max_age(env);
    settings::return_origins(env);
    settings::underpaid_bps(env);
    settings::overpaid_bps(env);
    settings::stripe_tax(env);
    settings::payout_hold(env);
    settings::payout_bounds(env);
    Verifier::webhook_secrets(env);
    // That there are none is said in other words, after all else was looked at.
    if env.optional("API_KEYS").is_some() {
        Verifier::api_keys(env);
    }
    if env.optional("ADMIN_KEYS").is_some() {
        Operators::from_env(env);
    }
}

/// Answers one call: CloudFormation's, or a person's, whose event has no `ResponseURL` and may be `{}` (then nothing is
/// registered) or `{"WebhookUrl": "https://..."}`. `function` is the name by which this function is called again; `env`
/// is that of the process, without the secret.
///
/// # Errors
/// [`Unanswered`] if CloudFormation's answer was not taken; a call that failed is an outcome.
pub async fn handle(
    env: Env,
    event: &Value,
    function: &str,
    deadline: Instant,
) -> Result<Outcome, Unanswered> {
    let left = deadline.saturating_duration_since(Instant::now());
    let until = deadline - TO_ANSWER.min(left / 2);
    let response_url = event["ResponseURL"].as_str();
    let outcome = match event["RequestType"].as_str() {
        Some("Create" | "Update") => set_up(env, event, function, until).await,
        // Without a word, a person's.
        None if response_url.is_none() => set_up(env, event, function, until).await,
        Some("Delete") => Outcome::success(remove(env, event, until).await),
        Some(_) => Outcome::failed("RequestType is none of Create, Update and Delete."),
        None => Outcome::failed("RequestType is missing."),
    };
    log(&outcome);
    if let Some(url) = response_url {
        let given = answer::give(url, &answer::body(event, &outcome), deadline).await;
        given.inspect_err(|unanswered| {
            error!(fault = "unavailable", "{unanswered}; Lambda tries it again");
        })?;
    }
    Ok(outcome)
}

/// The webhook's URL that the event names.
fn webhook_url(event: &Value) -> Option<&str> {
    let given = [
        &event["ResourceProperties"]["WebhookUrl"],
        &event["WebhookUrl"],
    ];
    let url = given.into_iter().find_map(Value::as_str).map(str::trim);
    url.filter(|url| !url.is_empty())
}

/// Whether this is the way back from an update that failed: nothing grows, and something becomes what it was. A failure
/// then would leave the stack between two versions, where no deployment gets it out. `DeployId` alone does not tell: a
/// deployment that does not name it may give an older one, and then this function has a newer version.
fn is_going_back(event: &Value) -> bool {
    let number = |properties: &str, name: &str| {
        let text = event[properties][name].as_str()?;
        text.rsplit(':').next()?.parse::<u64>().ok()
    };
    let moves: Vec<Ordering> = GROWING
        .iter()
        .filter_map(|name| {
            let (new, old) = ("ResourceProperties", "OldResourceProperties");
            Some(number(new, name)?.cmp(&number(old, name)?))
        })
        .collect();
    moves.contains(&Ordering::Less) && !moves.contains(&Ordering::Greater)
}

fn log(outcome: &Outcome) {
    let warnings = outcome.checks.iter();
    for check in warnings.filter(|check| check.status == CheckStatus::Warning) {
        warn!("{}: {}", check.what, check.says);
    }
    match outcome.status {
        Status::Success => info!(outcome = "done", "{}", outcome.says),
        Status::Failed => {
            error!(fault = "configuration", "not set up: {}", outcome.says);
        }
    }
}

async fn set_up(env: Env, event: &Value, function: &str, until: Instant) -> Outcome {
    let url = webhook_url(event);
    let arn = env.optional("SECRETS_ARN");
    let secret = arn.as_deref().unwrap_or("<the secret>");
    let payload = json!({"WebhookUrl": url.unwrap_or("https://...")});
    let again = format!(
        "aws lambda invoke --function-name {function} --cli-binary-format raw-in-base64-out --payload '{payload}' /dev/stdout"
    );
    let tried = timeout_at(until, try_to_set_up(env, url)).await;
    let outcome = match tried {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(NotSetUp::Empty)) => {
            return Outcome::success(format!(
                "The secret is still empty, so no invite can be made yet. Put TELEGRAM_BOT_TOKEN, TELEGRAM_WEBHOOK_SECRET, API_KEYS, ADMIN_KEYS, WEBENGAGE_LICENSE_CODE and WEBENGAGE_API_KEY into it (aws secretsmanager put-secret-value --secret-id {secret} --secret-string file://secret.json), and then run: {again}"
            ));
        }
        Ok(Err(NotSetUp::Config(ConfigError::Incomplete(problems)))) => Outcome::failed(format!(
            "{}: to be fixed in the secret {secret} or in the stack's parameters.",
            problems.join("; ")
        )),
        Ok(Err(NotSetUp::Config(unreadable))) => {
            Outcome::failed(format!("{}.", chain(&unreadable)))
        }
        Err(_) => Outcome::failed("Telegram, WebEngage or AWS did not answer in time."),
    };
    if outcome.status == Status::Success {
        return outcome;
    }
    let says = format!(
        "{} Then deploy again, or run: {again}",
        outcome.says.trim_end()
    );
    match is_going_back(event) {
        true => {
            error!(
                fault = "configuration",
                "going back, and not all is well: {says}"
            );
            Outcome {
                status: Status::Success,
                says: format!("Gone back, but not all is well. {says}"),
                ..outcome
            }
        }
        false => Outcome { says, ..outcome },
    }
}

/// Why nothing could be checked.
enum NotSetUp {
    /// Nobody has filled in the secret yet.
    Empty,
    /// The secret, or the environment, is not as it must be.
    Config(ConfigError),
}

impl From<ConfigError> for NotSetUp {
    fn from(problem: ConfigError) -> Self {
        Self::Config(problem)
    }
}

async fn try_to_set_up(env: Env, webhook_url: Option<&str>) -> Result<Outcome, NotSetUp> {
    let mut env = secrets::fill_in(env).await?;
    if BY_HAND.iter().all(|name| env.optional(name).is_none()) {
        return Err(NotSetUp::Empty);
    }
    let app = App::from_env(&mut env);
    env.check()?;
    Ok(check_and_register(&app, webhook_url).await)
}

/// Checks everything; if nothing is wrong, registers the webhooks. Not before: the bots may still serve another
/// deployment, which would lose its updates for nothing.
async fn check_and_register(app: &App, webhook_url: Option<&str>) -> Outcome {
    let (mut checks, webengage, providers) = join3(
        check::bots(&app.bots, &app.chats),
        check::webengage(&app.webengage),
        app.providers.check(&app.bots),
    )
    .await;
    checks.push(webengage);
    checks.extend(providers);
    checks.extend(operators::check(&app.bots, app.operator_chat).await);
    if !app.has_api_keys {
        let says = "there are none, so no shop can buy: put at least one into the secret";
        checks.push(Check::failed("API_KEYS", says));
    }
    if !app.has_admin_keys {
        let says =
            "there are none, so no operator can do anything: put name:key pairs into the secret";
        checks.push(Check::failed("ADMIN_KEYS", says));
    }
    let is_well = |checks: &[Check]| {
        checks
            .iter()
            .all(|check| check.status != CheckStatus::Failed)
    };
    let repairing = match webhook_url.is_some() && is_well(&checks) {
        true => Repairing::Yes,
        false => Repairing::No,
    };
    checks.extend(app.providers.endpoint(webhook_url, repairing).await);
    let updates = match webhook_url {
        Some(url) if is_well(&checks) => {
            let registered = app.bots.iter().map(|bot| register(bot, url));
            checks.extend(join_all(registered).await);
            // Not before people are heard who tap a claim link.
            if app.claims.is_needed() && is_well(&checks) {
                checks.push(make_ready(&app.claims, &app.bots).await);
            }
            if let Some(front) = app.bots.first().filter(|_| app.claims.is_needed())
                && is_well(&checks)
            {
                checks.push(app.menus.register(&front.telegram).await);
                checks.push(menus::privacy(&front.telegram).await);
            }
            format!("updates come to {url}")
        }
        Some(_) => String::new(),
        None => {
            let now = Clock::real().now();
            checks.extend(check::webhooks(&app.bots, None, now).await);
            "no webhook was registered, since the event names no WebhookUrl".to_owned()
        }
    };
    let sentences = |status| {
        let all = checks.iter().filter(move |check| check.status == status);
        let all = all.map(|check| format!(" {}: {}.", check.what, check.says));
        all.collect::<String>()
    };
    let outcome = match is_well(&checks) {
        true => Outcome::success(format!(
            "Ready: bots {}, chats {}, {updates}.{}",
            app.bots.len(),
            app.chats.all().count(),
            sentences(CheckStatus::Warning)
        )),
        false => Outcome::failed(sentences(CheckStatus::Failed).trim_start()),
    };
    Outcome { checks, ..outcome }
}

async fn make_ready(claims: &ClaimSetup, bots: &[Bot]) -> Check {
    let what = "claim links";
    match claims.make_ready(bots).await {
        Ok(front) => {
            let name = front.username;
            Check::ok(
                what,
                format!("they open @{name}, and each claimed chat has its request link"),
            )
        }
        Err(failure) => Check::failed(what, chain(&failure)),
    }
}

async fn register(bot: &Bot, url: &str) -> Check {
    let what = format!("webhook of bot {}", bot.telegram.bot());
    let address = &bot.address(url);
    // For the sentence alone: that it is unknown stops nothing.
    let before = bot.telegram.webhook_info().await.ok();
    let moved_from = before
        .filter(|before| !before.url.is_empty() && !is_same_url(&before.url, address))
        .map(|before| before.host());
    let registered = patiently(async || match bot.register(url).await {
        Ok(info) => Ok(Ok(info)),
        Err(Unregistered::Failed(failure)) => Err(failure),
        Err(Unregistered::Wrong(sentence)) => Ok(Err(sentence)),
    })
    .await;
    match (registered, moved_from) {
        (Ok(Ok(info)), None) => Check::ok(
            what,
            format!("registered; {} updates wait", info.pending_update_count),
        ),
        (Ok(Ok(_)), Some(host)) => Check::warning(
            what,
            format!("registered; before, the bot's updates went to {host}, where none come now"),
        ),
        (Ok(Err(sentence)), _) => Check::failed(what, sentence),
        (Err(failure), _) => Check::failed(what, chain(&failure)),
    }
}

/// Removes the webhooks that still lead to the event's URL; answers what was done. Whatever fails is told, no more: a
/// stack that can't be deleted helps nobody.
async fn remove(env: Env, event: &Value, until: Instant) -> String {
    let Some(url) = webhook_url(event) else {
        return "No webhook was removed: the event names no WebhookUrl.".to_owned();
    };
    let filled_in = timeout_at(until, secrets::fill_in(env)).await;
    let mut env = match filled_in {
        Ok(Ok(env)) => env,
        Ok(Err(unreadable)) => return format!("No webhook was removed: {}.", chain(&unreadable)),
        Err(_) => return "No webhook was removed: the secret did not come in time.".to_owned(),
    };
    let bots = Bots::from_env(&mut env, &Clock::real());
    let removed = bots.iter().enumerate().map(|(place, bot)| async move {
        let address = webhook_address(url, place, bot.bot());
        let removed = patiently(async || remove_one(bot, &address).await);
        let says = match timeout_at(until, removed).await {
            Ok(Ok(true)) => "removed".to_owned(),
            Ok(Ok(false)) => "left alone, since it is not ours".to_owned(),
            Ok(Err(failure)) => format!("left: {}", chain(&failure)),
            Err(_) => "left: Telegram did not answer in time".to_owned(),
        };
        format!("Webhook of bot {}: {says}.", bot.bot())
    });
    let sentences = join_all(removed).await;
    match sentences.is_empty() {
        true => "No webhook was removed: no bot is known.".to_owned(),
        false => sentences.join(" "),
    }
}

async fn remove_one(bot: &Telegram, url: &str) -> Result<bool, TelegramError> {
    let is_ours = is_same_url(&bot.webhook_info().await?.url, url);
    if is_ours {
        bot.delete_webhook().await?;
    }
    Ok(is_ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_known_by_what_only_grows() {
        let update = |new: Value, old: Value| json!({"RequestType": "Update", "ResourceProperties": new, "OldResourceProperties": old});
        let version = |n: u32| json!({"SetupVersion": format!("arn:aws:lambda:x:1:function:setup:{n}"), "DeployId": "a"});
        let deploy = |id: &str| json!({"DeployId": id});
        let both =
            |n: u32, id: &str| json!({"SetupVersion": version(n)["SetupVersion"], "DeployId": id});
        for (event, is_back) in [
            (update(version(9), version(10)), true),
            (update(version(10), version(9)), false),
            (update(version(9), version(9)), false),
            (update(deploy("41"), deploy("42")), true),
            (update(deploy("42"), deploy("41")), false),
            (update(deploy("b"), deploy("a")), false),
            // A deployment whose DeployId is older than the last: this function is a newer version of itself.
            (update(both(10, "0"), both(9, "1763640000")), false),
            (update(both(9, "0"), both(10, "1763640000")), true),
            (update(both(9, "0"), both(9, "1763640000")), true),
            (json!({"ResourceProperties": deploy("1")}), false),
            (
                json!({"ResourceProperties": [], "OldResourceProperties": 1}),
                false,
            ),
            (json!(null), false),
        ] {
            assert_eq!(is_going_back(&event), is_back, "{event}");
        }
    }

    #[test]
    fn the_url_is_the_resource_s_or_the_caller_s() {
        let of_resource =
            json!({"ResourceProperties": {"WebhookUrl": " https://a "}, "WebhookUrl": "https://b"});
        assert_eq!(webhook_url(&of_resource), Some("https://a"));
        assert_eq!(
            webhook_url(&json!({"WebhookUrl": "https://b"})),
            Some("https://b")
        );
        for event in [
            json!({}),
            json!({"WebhookUrl": " "}),
            json!({"WebhookUrl": 7}),
            json!("https://b"),
        ] {
            assert_eq!(webhook_url(&event), None, "{event}");
        }
    }
}
