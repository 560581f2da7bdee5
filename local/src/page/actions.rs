//! What a visitor can do in simulation: buy, tap, leave, and break things.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use futures_util::future::join_all;
use http::StatusCode;
use runtime::response::{Rejection, json};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use simulators::telegram::{Fault, FaultRule, Limit, MemberStatus, Rights, Tap, User};
use simulators::webengage::Mode;
use uuid::Uuid;

use super::context::{Page, Served};
use crate::body::{answer, whole};
use crate::externals::SimulatedTelegram;

/// The largest body of an act.
const BODY_MAX_BYTES: usize = 16 * 1024;
/// The most purchases of one click.
const PURCHASES_MAX: usize = 1000;
/// The furthest that one click turns the clock.
const ADVANCE_MAX_SECONDS: u64 = 30 * 24 * 3600;

pub(super) fn routes() -> Router<Served> {
    Router::new()
        .route("/buy", post(buy))
        .route("/tap", post(tap))
        .route("/leave", post(leave))
        .route("/telegram-limit", post(telegram_limit))
        .route("/telegram-storm", post(telegram_storm))
        .route("/telegram-rights", post(telegram_rights))
        .route("/webengage", post(webengage))
        .route("/kill-worker", post(kill_worker))
        .route("/advance-clock", post(advance_clock))
}

/// Why an act is not done.
pub(super) struct ActionRefusal {
    status: StatusCode,
    code: String,
    sentence: String,
}

/// An act's good end, or its refusal.
pub(super) type Acted = Result<Value, ActionRefusal>;

pub(super) fn refusal(status: StatusCode, code: &str, sentence: &str) -> ActionRefusal {
    ActionRefusal {
        status,
        code: code.to_owned(),
        sentence: sentence.to_owned(),
    }
}

pub(super) fn bad() -> ActionRefusal {
    refusal(
        StatusCode::BAD_REQUEST,
        "invalid_json",
        "The body is not what this act takes.",
    )
}

pub(super) fn not_simulated() -> ActionRefusal {
    refusal(
        StatusCode::CONFLICT,
        "not_simulated",
        "This works in simulation only; the service that it is about is real here.",
    )
}

fn no_such_member() -> ActionRefusal {
    refusal(
        StatusCode::CONFLICT,
        "not_joined",
        "Nobody is in the chat by this request's link.",
    )
}

pub(super) fn not_in_chat() -> ActionRefusal {
    refusal(
        StatusCode::CONFLICT,
        "not_joined",
        "This person is not in the chat.",
    )
}

pub(super) fn no_such_person() -> ActionRefusal {
    refusal(
        StatusCode::CONFLICT,
        "no_such_person",
        "Nobody of this number has the phone any more.",
    )
}

pub(super) fn blocked() -> ActionRefusal {
    refusal(
        StatusCode::CONFLICT,
        "bot_blocked",
        "This person has blocked the bot.",
    )
}

pub(super) fn no_such_button() -> ActionRefusal {
    refusal(
        StatusCode::CONFLICT,
        "no_such_button",
        "The message or its button is gone.",
    )
}

pub(super) fn no_such_topic() -> ActionRefusal {
    refusal(
        StatusCode::CONFLICT,
        "no_such_topic",
        "The topic is gone or closed.",
    )
}

/// Reads the body of an act, after the caller's key.
pub(super) async fn read<T: DeserializeOwned>(
    page: &Page,
    request: Request,
) -> Result<T, Response> {
    if !page.admits(request.headers()) {
        return Err(answer(Rejection::Unauthorized.answer()));
    }
    let request = whole(request, BODY_MAX_BYTES).await?;
    serde_json::from_slice(request.body()).map_err(|_| end(Err(bad())))
}

pub(super) fn end(action: Acted) -> Response {
    answer(match action {
        Ok(mut result) => {
            result["ok"] = json!(true);
            json(StatusCode::OK, &result)
        }
        Err(ActionRefusal {
            status,
            code,
            sentence,
        }) => json(
            status,
            &json!({"ok": false, "code": code, "error": sentence}),
        ),
    })
}

/// An act: reads its body as `$body`, then ends with what `$action` comes to.
macro_rules! action {
    ($name:ident, $body:ty, $action:expr) => {
        async fn $name(State(served): State<Served>, request: Request) -> Response {
            match read::<$body>(&served.page, request).await {
                Ok(body) => end($action(&served, body).await),
                Err(refusal) => refusal,
            }
        }
    };
}
pub(super) use action;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Buy {
    user_id: Option<String>,
    transaction_id: Option<String>,
    #[serde(default = "once")]
    times: usize,
    #[serde(default)]
    same: bool,
}

const fn once() -> usize {
    1
}

action!(buy, Buy, async |served: &Served, buy: Buy| -> Acted {
    if buy.times == 0 || buy.times > PURCHASES_MAX {
        return Err(bad());
    }
    let name = |given: &Option<String>, kind: &str| {
        given
            .clone()
            .unwrap_or_else(|| format!("{kind}-{}", &Uuid::new_v4().simple().to_string()[..8]))
    };
    let same = json!({"userId": name(&buy.user_id, "buyer"), "transactionId": name(&buy.transaction_id, "payment")});
    let purchases = (0..buy.times).map(|_| match buy.same || buy.times == 1 {
        true => same.clone(),
        false => json!({"userId": name(&None, "buyer"), "transactionId": name(&None, "payment")}),
    });
    // In twos, threes and all at once: as shops do it.
    let answers = join_all(purchases.map(async |purchase| {
        let call =
            http::Request::post("/v1/invite/request").header("x-api-key", &served.page.api_key);
        let call = call
            .body(Bytes::from(purchase.to_string()))
            .map_err(|_| bad())?;
        let response = served.functions.get("request").call(call).await;
        serde_json::from_slice::<Value>(response.body()).map_err(|_| bad())
    }))
    .await;
    let answers: Vec<Value> = answers.into_iter().collect::<Result<_, _>>()?;
    match answers.iter().find(|answer| answer["ok"] != true) {
        Some(refused) => Err(ActionRefusal {
            status: StatusCode::CONFLICT,
            code: refused["code"].as_str().unwrap_or_default().to_owned(),
            sentence: refused["error"].as_str().unwrap_or_default().to_owned(),
        }),
        None => Ok(
            json!({"requestId": answers.first().map(|answer| answer["requestId"].clone()), "answers": answers.len()}),
        ),
    }
});

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tapped {
    invite_link: String,
    #[serde(rename = "as")]
    person: Person,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Person {
    Buyer,
    Stranger,
}

pub(super) fn telegram(served: &Served) -> Result<&SimulatedTelegram, ActionRefusal> {
    served
        .page
        .handles
        .externals
        .telegram
        .as_ref()
        .ok_or_else(not_simulated)
}

action!(tap, Tapped, async |served: &Served,
                            touch: Tapped|
       -> Acted {
    let server = &telegram(served)?.server;
    // The buyer of a link is the same person each time: its number is made of the link's name, the request.
    let name = server
        .link(&touch.invite_link)
        .and_then(|link| link.name)
        .unwrap_or_default();
    let digits: i64 = name
        .bytes()
        .take(8)
        .fold(0, |number, byte| number * 31 + i64::from(byte));
    let user = match touch.person {
        Person::Buyer => User::new(1_000_000 + digits % 1_000_000_000).named("Buyer"),
        Person::Stranger => {
            User::new(2_000_000_000 + i64::from(fastrand::u32(..))).named("Stranger")
        }
    };
    Ok(json!({"outcome": tap_name(server.tap(&touch.invite_link, user))}))
});

/// The page's word for what a tap of an invite link came to.
pub(super) const fn tap_name(tap: Tap) -> &'static str {
    match tap {
        Tap::Joined => "joined",
        Tap::AlreadyMember => "already_member",
        Tap::Expired => "expired",
        Tap::Revoked => "revoked",
        Tap::Full => "full",
        Tap::Unknown => "unknown",
        Tap::Banned => "banned",
        Tap::Requested => "requested",
        Tap::AlreadyRequested => "already_requested",
        Tap::TooManyAttempts => "too_many_attempts",
        Tap::TooManyChats => "too_many_chats",
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfRequest {
    request_id: String,
}

action!(leave, OfRequest, async |served: &Served,
                                 of: OfRequest|
       -> Acted {
    let telegram = telegram(served)?;
    let call = http::Request::get(format!("/v1/invite/{}", of.request_id))
        .header("x-api-key", &served.page.api_key);
    let call = call.body(Bytes::new()).map_err(|_| bad())?;
    let response = served.functions.get("status").call(call).await;
    let invite: Value = serde_json::from_slice(response.body()).map_err(|_| bad())?;
    let person = invite["telegramUserId"]
        .as_i64()
        .ok_or_else(no_such_member)?;
    if telegram.server.status(telegram.chat_id, person) == MemberStatus::Left {
        return Err(no_such_member());
    }
    telegram.server.leave(telegram.chat_id, person);
    Ok(json!({}))
});

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewLimit {
    calls: Option<u32>,
    per_seconds: u64,
}

action!(telegram_limit, NewLimit, async |served: &Served,
                                         limit: NewLimit|
       -> Acted {
    if limit.calls == Some(0) || !(1..=86_400).contains(&limit.per_seconds) {
        return Err(bad());
    }
    let limit = limit.calls.map(|calls| Limit {
        calls,
        per: Duration::from_secs(limit.per_seconds),
        burst: calls,
    });
    telegram(served)?.server.set_limit(limit);
    *served
        .page
        .limit
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner) = limit;
    Ok(json!({}))
});

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Storm {
    retry_after: u32,
    times: u32,
}

action!(telegram_storm, Storm, async |served: &Served,
                                      storm: Storm|
       -> Acted {
    let fault = Fault::TooManyRequests {
        retry_after: storm.retry_after,
    };
    // What Telegram is asked for by the payments of the chat, or by those who claimed.
    let method = match served.page.is_claimed {
        true => "approveChatJoinRequest",
        false => "createChatInviteLink",
    };
    telegram(served)?
        .server
        .fail(FaultRule::on(method, fault).times(storm.times));
    Ok(json!({}))
});

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CanInvite {
    can_invite: bool,
}

action!(telegram_rights, CanInvite, async |served: &Served,
                                           wanted: CanInvite|
       -> Acted {
    let telegram = telegram(served)?;
    let rights = if wanted.can_invite {
        Rights::all()
    } else {
        Rights::none()
    };
    telegram
        .server
        .make_admin(telegram.bot_id, telegram.chat_id, rights);
    Ok(json!({}))
});

#[derive(Deserialize)]
struct NewMode {
    mode: String,
}

/// The page's word for how WebEngage is.
pub(super) const fn mode_name(mode: &Mode) -> &'static str {
    match mode {
        Mode::Up => "up",
        Mode::Unauthorized => "unauthorized",
        Mode::RateLimited { .. } => "rate_limited",
        _ => "down",
    }
}

action!(webengage, NewMode, async |served: &Served,
                                   wanted: NewMode|
       -> Acted {
    let mode = match wanted.mode.as_str() {
        "up" => Mode::Up,
        "down" => Mode::Down,
        "unauthorized" => Mode::Unauthorized,
        "rate_limited" => Mode::RateLimited {
            retry_after: Some(5),
        },
        _ => return Err(bad()),
    };
    served
        .page
        .handles
        .externals
        .webengage
        .as_ref()
        .ok_or_else(not_simulated)?
        .set_mode(mode);
    Ok(json!({}))
});

action!(kill_worker, Value, async |served: &Served,
                                   _: Value|
       -> Acted {
    telegram(served)?;
    Ok(json!({"killed": served.page.handles.worker.kill()}))
});

#[derive(Deserialize)]
struct Advance {
    seconds: u64,
}

action!(advance_clock, Advance, async |served: &Served,
                                       by: Advance|
       -> Acted {
    telegram(served)?;
    if by.seconds > ADVANCE_MAX_SECONDS {
        return Err(bad());
    }
    let handles = &served.page.handles;
    handles.clock.advance(Duration::from_secs(by.seconds));
    if let Some(folder) = &handles.data_dir
        && let Err(error) = folder.remember_clock(&handles.clock)
    {
        tracing::error!(
            fault = "unavailable",
            "the turned clock can't be remembered: {error}"
        );
    }
    Ok(json!({}))
});
