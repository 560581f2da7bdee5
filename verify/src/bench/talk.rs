//! What people write and press, and how those who have claimed a seat come in: updates for the load of the webhook.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use domain::button::ButtonData;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use runtime::auth::WEBHOOK_SECRET_HEADER;
use serde_json::Value;

use super::fixture::Fixture;
use super::load::Bodies;
use super::payload;

/// A command.
pub(crate) const COMMAND: &str = "webhook, `/help`";
/// A button of ours.
pub(crate) const PRESS: &str = "webhook, press";
/// A word to the operators.
pub(crate) const WORD: &str = "webhook, word to operators";
/// Somebody who has claimed a seat asks to be let in.
pub(crate) const JOIN_REQUEST: &str = "webhook, join request";
/// Somebody who has claimed a seat was let in.
pub(crate) const LET_IN: &str = "webhook, join of a claimed chat";

/// How many write to the operators, in turns.
const WRITERS: u64 = 100;
/// More updates of a kind than are answered in one load.
const MANY: u64 = 10_000_000;
/// Claims that are made ready for each second of load: more than are answered in one.
const CLAIMS_PER_SECOND: f64 = 800.0;
/// How many claim at once.
const AT_ONCE: usize = 32;
/// Longest call.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Whether updates of this kind are made here.
pub(crate) fn is_talk(kind: &str) -> bool {
    [COMMAND, PRESS, WORD, JOIN_REQUEST, LET_IN].contains(&kind)
}

/// Updates of a kind for a load of `length`, and what is in each answer.
///
/// # Errors
/// If a seat can't be claimed.
pub(crate) async fn updates(
    fixture: &Fixture,
    kind: &str,
    length: Duration,
) -> anyhow::Result<(Bodies, &'static str)> {
    let handled = r#""result":"handled""#;
    let first = fixture.people(MANY);
    Ok(match kind {
        COMMAND => (
            Arc::new(move |number| payload::written(first + number, first + number, "/help").ok()),
            handled,
        ),
        PRESS => {
            let data = ButtonData::LostLink.to_string();
            (
                Arc::new(move |number| Some(payload::press(first + number, &data))),
                "answerCallbackQuery",
            )
        }
        WORD => {
            let text = "I can't find my link";
            (
                Arc::new(move |number| {
                    payload::written(number % WRITERS, first + number, text).ok()
                }),
                handled,
            )
        }
        _ => {
            let claims = (CLAIMS_PER_SECOND * length.as_secs_f64()) as u64;
            claim(fixture, first..first + claims).await?;
            let telegram = &fixture.outside.telegram;
            let links = telegram.links().into_iter();
            let mut doors = links.filter(|link| link.creates_join_request);
            let link = doors.next().context("no request link")?.url;
            let chat = fixture.first_chat;
            let all = first + claims;
            let of = move |number| Some(first + number).filter(|person| *person < all);
            match kind {
                JOIN_REQUEST => (
                    Arc::new(move |number| payload::join_request(chat, &link, of(number)?).ok()),
                    handled,
                ),
                _ => (
                    Arc::new(move |number| payload::let_in(chat, &link, of(number)?).ok()),
                    r#""result":"joined""#,
                ),
            }
        }
    })
}

/// These people pay and claim what they paid for.
async fn claim(fixture: &Fixture, people: std::ops::Range<u64>) -> anyhow::Result<()> {
    let http = &runtime::http::client(TIMEOUT).map_err(anyhow::Error::msg)?;
    let post = async |path: &str, key: (&'static str, &str), body: String| {
        let url = format!("{}{path}", fixture.url);
        let answer = http.post(url).header(key.0, key.1).body(body).send();
        let answer = answer.await?.error_for_status()?.bytes().await?;
        anyhow::Ok(serde_json::from_slice::<Value>(&answer)?)
    };
    let (shop, secret) = (
        ("x-api-key", fixture.value("API_KEYS")),
        (
            WEBHOOK_SECRET_HEADER,
            fixture.value("TELEGRAM_WEBHOOK_SECRET"),
        ),
    );
    stream::iter(people)
        .map(|person| async move {
            let purchase = payload::purchase(&format!("claim-{person}"));
            let bought = post("/v1/invite/request", shop, purchase).await?;
            let link = bought["inviteLink"].as_str();
            let token = link.and_then(|link| link.split_once("?start="));
            let (_, token) = token.with_context(|| format!("no claim link: {bought}"))?;
            // Updates of a range of their own: the next ones are of the same people.
            let start = payload::written(person, person + MANY / 2, &format!("/start {token}"))?;
            let claimed = post("/v1/telegram/webhook", secret, start).await?;
            anyhow::ensure!(claimed["result"] == "handled", "{claimed}");
            anyhow::Ok(())
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}
