//! The HTTP side: from a request to a call, through faults and limits, to an answer.
//!
//! A call is carried out by a task of its own, so that it goes on when its client has left: as with the real server,
//! a client that gives up early never knows what happened.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::fault_rule::Fault;
use super::journal::{Call, Violation};
use super::limit::Flood;
use super::methods::{self, MethodAnswer, Request};
use super::params;
use super::poll;
use super::refusal::Refusal;
use super::schema::{self, Params};
use super::shared::Shared;
use crate::server::until;
use crate::socket::Cut;

const BAD_GATEWAY: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway\
</h1></center>\r\n<hr><center>nginx/1.18.0</center>\r\n</body>\r\n</html>\r\n";
const TOO_MANY: &str = "<html>\r\n<head><title>429 Too Many Requests</title></head>\r\n<body>\r\n<center><h1>429 Too Many \
Requests</h1></center>\r\n<hr><center>nginx/1.18.0</center>\r\n</body>\r\n</html>\r\n";
const LONGEST_METHOD: usize = 64;

/// What the client gets.
enum Reply {
    MethodAnswer(MethodAnswer),
    Refused(Refusal),
    Html(u16, &'static str),
    Garbage,
    Cut,
}

impl Reply {
    fn status(&self) -> u16 {
        match self {
            Self::MethodAnswer(_) | Self::Garbage => 200,
            Self::Refused(refusal) => refusal.code,
            Self::Html(status, _) => *status,
            Self::Cut => 0,
        }
    }

    fn description(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) => Some(refusal.description.clone()),
            Self::MethodAnswer(_) | Self::Html(..) | Self::Garbage | Self::Cut => None,
        }
    }
}

#[derive(Clone)]
struct Site {
    shared: Arc<Shared>,
    stopped: watch::Receiver<bool>,
}

pub(crate) fn router(shared: Arc<Shared>, stopped: watch::Receiver<bool>) -> Router {
    Router::new()
        .fallback(handle)
        .with_state(Site { shared, stopped })
}

async fn handle(
    State(site): State<Site>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    http_method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some((token, method)) =
        path(&uri).filter(|_| matches!(http_method, Method::GET | Method::POST))
    else {
        return render(Reply::Refused(Refusal::not_found()), &cut);
    };
    let params = params::read(uri.query(), &headers, &body);
    let clock = site.shared.clock.clone();
    let mut response = match tokio::spawn(travel(site, token, method, params)).await {
        Ok(reply) => render(reply, &cut),
        Err(_) => render(Reply::Cut, &cut),
    };
    // By the simulated clock: the server below would tell the real time.
    let now = Duration::from_millis(u64::try_from(clock.now_ms()).unwrap_or(0));
    if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(UNIX_EPOCH + now)) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

/// The token and the method of `/bot<token>/<method>`; a token of another shape is no such path.
fn path(uri: &Uri) -> Option<(String, String)> {
    let (token, method) = uri.path().strip_prefix("/bot")?.split_once('/')?;
    let token = token.replace("%3A", ":").replace("%3a", ":");
    let (id, secret) = token.split_once(':')?;
    let is_token = !id.is_empty()
        && id.bytes().all(|byte| byte.is_ascii_digit())
        && !secret.is_empty()
        && secret
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    is_token.then(|| (token.clone(), method.chars().take(LONGEST_METHOD).collect()))
}

/// The call with the way there and the way back.
async fn travel(
    site: Site,
    token: String,
    name: String,
    raw: Result<Map<String, Value>, Refusal>,
) -> Reply {
    let (least, most) = site.shared.lock().latency_ms;
    if most == 0 {
        return call(&site, token, name, raw).await;
    }
    let latency_ms = fastrand::i64(least..=most);
    let there_ms = latency_ms / 2;
    let clock = &site.shared.clock;
    if !hang(&site, clock.now_ms() + there_ms).await {
        return Reply::Cut;
    }
    let reply = call(&site, token, name, raw).await;
    if hang(&site, clock.now_ms() + latency_ms - there_ms).await {
        reply
    } else {
        Reply::Cut
    }
}

async fn call(
    site: &Site,
    token: String,
    name: String,
    raw: Result<Map<String, Value>, Refusal>,
) -> Reply {
    let shared = Arc::clone(&site.shared);
    let method = schema::method(&name);
    let shown = method.map_or("(unknown)", |method| method.name.as_str());
    let bot_id = shared.lock().world.tokens.get(&token).copied();
    let checked = match (bot_id, method, raw) {
        (None, ..) => Err((Refusal::unauthorized(), Value::Null)),
        (_, None, _) => Err((Refusal::not_found(), Value::String(name))),
        (.., Err(refusal)) => Err((refusal, Value::Null)),
        (Some(bot_id), Some(method), Ok(raw)) => {
            let given = Value::Object(raw.clone());
            method
                .check(raw)
                .map(|params| (bot_id, method, params))
                .map_err(|refusal| (refusal, given))
        }
    };
    let number = shared.change(|state, at_ms| {
        let params = match &checked {
            Ok((_, _, params)) => Value::Object(params.0.clone()),
            Err((_, given)) => given.clone(),
        };
        state.journal.arrived(Call {
            method: shown.to_owned(),
            bot_id: bot_id.unwrap_or_default(),
            chat_id: params["chat_id"].as_i64(),
            params,
            status: 0,
            description: None,
            at_ms,
        })
    });
    let reply = match checked {
        Ok((bot_id, method, params)) => dispatch(site, bot_id, &method.name, &params).await,
        Err((refusal, _)) => Reply::Refused(refusal),
    };
    shared.change(|state, _| {
        state
            .journal
            .answered(number, reply.status(), reply.description())
    });
    reply
}

async fn dispatch(site: &Site, bot_id: i64, method: &str, params: &Params) -> Reply {
    let shared = &site.shared;
    let chat_id = params.integer("chat_id");
    let now_ms = shared.clock.now_ms();
    let fault = shared.change(|state, now_ms| {
        let is_violation =
            chat_id.is_some_and(|chat| state.limits.is_during_announced(bot_id, chat, now_ms));
        if is_violation {
            state.journal.violation(Violation {
                method: method.to_owned(),
                bot_id,
                chat_id,
                at_ms: now_ms,
            });
        }
        state.faults.catch(method, bot_id, chat_id)
    });
    let Some(fault) = fault else {
        return perform(site, bot_id, method, params).await;
    };
    match fault {
        Fault::TooManyRequests { retry_after } => {
            if let Some(chat_id) = chat_id {
                shared.change(|state, now_ms| {
                    state.limits.announce(bot_id, chat_id, retry_after, now_ms)
                });
            }
            Reply::Refused(Refusal::too_many_requests(retry_after))
        }
        Fault::TooManyRequestsHtml => Reply::Html(429, TOO_MANY),
        Fault::Internal => Reply::Refused(Refusal::new(500, "Internal Server Error")),
        Fault::BadGateway => Reply::Html(502, BAD_GATEWAY),
        Fault::BadGatewayAfterEffect => {
            perform(site, bot_id, method, params).await;
            Reply::Html(502, BAD_GATEWAY)
        }
        Fault::HangThenSucceed(span) => {
            if !hang(site, now_ms + millis(span)).await {
                return Reply::Cut;
            }
            perform(site, bot_id, method, params).await
        }
        Fault::AnswerLate(span) => {
            let reply = perform(site, bot_id, method, params).await;
            if hang(site, now_ms + millis(span)).await {
                reply
            } else {
                Reply::Cut
            }
        }
        Fault::HangForever => {
            until(site.stopped.clone()).await;
            Reply::Cut
        }
        Fault::ResetBefore => Reply::Cut,
        Fault::ResetAfter => {
            perform(site, bot_id, method, params).await;
            Reply::Cut
        }
        Fault::Garbage => {
            perform(site, bot_id, method, params).await;
            Reply::Garbage
        }
        Fault::Refuse(refusal) => Reply::Refused(refusal),
        Fault::WrongMemberLimit(limit) => match perform(site, bot_id, method, params).await {
            Reply::MethodAnswer(mut answer) => {
                if let Some(link) = answer.result.as_object_mut() {
                    link.remove("member_limit");
                    link.extend(limit.map(|limit| ("member_limit".to_owned(), json!(limit))));
                }
                Reply::MethodAnswer(answer)
            }
            other => other,
        },
    }
}

/// False if the server stopped first.
async fn hang(site: &Site, until_ms: i64) -> bool {
    tokio::select! {
        biased;
        () = site.shared.clock.sleep_until(until_ms) => true,
        () = until(site.stopped.clone()) => false,
    }
}

pub(crate) fn millis(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 2)
}

async fn perform(site: &Site, bot_id: i64, method: &str, params: &Params) -> Reply {
    if method == "getUpdates" {
        return match poll::get_updates(&site.shared, bot_id, params, site.stopped.clone()).await {
            Ok(result) => Reply::MethodAnswer(MethodAnswer::from(result)),
            Err(refusal) => Reply::Refused(refusal),
        };
    }
    tokio::select! {
        biased;
        result = run(&site.shared, bot_id, method, params) => match result {
            Ok(answer) => Reply::MethodAnswer(answer),
            Err(refusal) => Reply::Refused(refusal),
        },
        () = until(site.stopped.clone()) => Reply::Cut,
    }
}

/// Carries the call out, after the flood waits that the server sleeps through.
async fn run(
    shared: &Shared,
    bot_id: i64,
    method: &str,
    params: &Params,
) -> Result<MethodAnswer, Refusal> {
    let mut slept_ms = 0;
    loop {
        let wait_ms = match attempt(shared, bot_id, method, params, slept_ms) {
            Ok(result) => return result,
            Err(seconds) => i64::from(seconds) * 1000,
        };
        slept_ms += wait_ms;
        shared
            .clock
            .sleep_until(shared.clock.now_ms() + wait_ms)
            .await;
    }
}

/// The result, or the seconds to sleep before the next attempt.
fn attempt(
    shared: &Shared,
    bot_id: i64,
    method: &str,
    params: &Params,
    slept_ms: i64,
) -> Result<Result<MethodAnswer, Refusal>, u32> {
    shared.change(|state, now_ms| {
        // A chat that isn't there has no bucket, so that made-up ids don't pile up.
        let chat_id = params.integer("chat_id").filter(|id| {
            let world = &state.world;
            world.chats.contains_key(id) || world.people.contains_key(id)
        });
        match state
            .limits
            .admit(bot_id, chat_id, method, now_ms, slept_ms)
        {
            Ok(()) => {}
            Err(Flood::Sleep(seconds)) => return Err(seconds),
            Err(Flood::Refuse {
                retry_after,
                violation,
            }) => {
                if violation {
                    state.journal.violation(Violation {
                        method: method.to_owned(),
                        bot_id,
                        chat_id,
                        at_ms: now_ms,
                    });
                }
                return Ok(Err(Refusal::too_many_requests(retry_after)));
            }
        }
        let allow_http = !state.only_https;
        Ok(methods::run(
            &mut state.world,
            method,
            &Request {
                bot_id,
                params,
                now_ms,
                allow_http,
            },
        ))
    })
}

/// Carries out the method call in a webhook's answer. Those that read, and those about webhooks, are ignored.
pub(crate) async fn call_in_reply(shared: &Shared, bot_id: i64, mut reply: Map<String, Value>) {
    let name = reply
        .remove("method")
        .and_then(|name| name.as_str().map(str::to_lowercase))
        .unwrap_or_default();
    if name.starts_with("get")
        || ["setwebhook", "deletewebhook", "close", "logout"].contains(&name.as_str())
    {
        return;
    }
    let Some(method) = schema::method(&name) else {
        return;
    };
    let params = Value::Object(reply.clone());
    let number = shared.change(|state, at_ms| {
        state.journal.arrived(Call {
            method: method.name.clone(),
            bot_id,
            chat_id: params["chat_id"].as_i64(),
            params,
            status: 0,
            description: None,
            at_ms,
        })
    });
    let result = match method.check(reply) {
        Ok(params) => run(shared, bot_id, &method.name, &params).await,
        Err(refusal) => Err(refusal),
    };
    let (status, description) = match result {
        Ok(_) => (200, None),
        Err(refusal) => (refusal.code, Some(refusal.description)),
    };
    shared.change(|state, _| state.journal.answered(number, status, description));
}

fn render(reply: Reply, cut: &Cut) -> Response {
    match reply {
        Reply::MethodAnswer(answer) => {
            let mut body = json!({"ok": true, "result": answer.result});
            if let Some(description) = answer.description {
                body["description"] = json!(description);
            }
            respond(200, "application/json", body.to_string(), None)
        }
        Reply::Refused(refusal) => respond(
            refusal.code,
            "application/json",
            refusal.body().to_string(),
            refusal.retry_after,
        ),
        Reply::Html(status, page) => respond(status, "text/html", page.to_owned(), None),
        Reply::Garbage => respond(
            200,
            "application/json",
            "{\"ok\":true,\"resu".to_owned(),
            None,
        ),
        Reply::Cut => {
            cut.cut();
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn respond(status: u16, kind: &'static str, body: String, retry_after: Option<u32>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
