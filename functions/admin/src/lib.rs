//! `/v1/admin/…`: what operators see, and what they do by hand, each by one call.
//!
//! ```text
//! GET  invites                        find a request, and see all of it; or list those that wait or were given up
//! POST invites/retry-all              all that were given up
//! POST invites/{requestId}/retry      a link that was not made
//! POST invites/{requestId}/reissue    another link for the present one
//! POST invites/{requestId}/resend-event, /give-up-event
//! POST invites/{requestId}/rebind     the seat moves to whoever comes with another claim link
//! GET  dead-letters                   what failed five times
//! POST dead-letters/redrive           back to where it came from
//! GET  chats                          how fast, and who waits
//! POST chats/{chatId}/pause, /resume
//! GET, POST actors                    who shares the bot; another one
//! POST actors/{name}/rotate, DELETE actors/{name}
//! GET  updates/parked                 updates of Telegram that ended badly five times
//! POST updates/{botId}/{updateId}/replay
//! GET  people/{telegramUserId}        what is known of somebody who talks with the bot
//! POST people/{telegramUserId}/role
//! POST people/{telegramUserId}/export, /erase    what is known of a person, in a file or gone; answers 202 with a job
//! GET  jobs, jobs/{jobId}
//! GET, POST endpoints                 those who are told what happens, and one more
//! DELETE endpoints/{endpointId}
//! POST endpoints/{endpointId}/enable, /disable, /rotate-secret, /test, /replay
//! GET  endpoints/{endpointId}/deliveries   what they were told, and what came of it
//! GET, PUT, DELETE products/{productId}    what is sold
//! GET  orders                         those that wait for a decision; or those of a buyer
//! GET  orders/{orderId}               what is known of its money, and what follows
//! POST orders/{orderId}/decisions, /recheck, /refunds, /cancel
//! GET  ledger/transactions            what was booked on a day
//! GET  ledger/accounts                what stands on each account
//! GET  payees; GET, PUT payees/{payee}/{currency}    where payees are paid
//! GET, POST payouts                   what they are paid
//! GET  payouts/{payoutId}
//! POST payouts/{payoutId}/approve, /paid, /failed
//! GET  payment-events                 where what a provider reported stands
//! POST payment-events/replay          one that was parked
//! ```
//!
//! Every action may be repeated. What it changes is one conditional write with a line in the record's history and the task
//! that follows; without the bell after it, the tick looks within a minute.

mod actions;
mod actors;
mod chats;
mod dead_letters;
mod endpoints;
mod invites;
mod jobs;
mod lanes;
mod ledger;
mod orders;
mod payment_events;
mod payouts;
mod people;
mod products;
mod updates;
mod view;

use std::borrow::Cow;
use std::collections::BTreeSet;

use bytes::Bytes;
use domain::event::EventMessage;
use domain::id::{BotId, ChatId, RequestId, TelegramUserId};
use domain::job::JobKind;
use domain::money::PaymentProvider;
use domain::order::record::PayoutHold;
use domain::purchase::{self, Chats};
use http::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use runtime::auth::Operators;
use runtime::aws;
use runtime::body::read;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::outbound::CallTargets;
use runtime::response::{Refusal, Rejection, json};
use runtime::settings;
use runtime::telemetry::chain;
use serde_json::Value;
use store::acting::Acting;
use store::queue::{Bells, DeadLetters, HookBells, PaymentBell, Queue};
use store::{
    Actors, Announcements, Books, BotInfos, ClaimLinks, Deliveries, Endpoints, Invites, Jobs,
    Links, Orders, PaymentEvents, Payouts, People, Products, RateLimits, Seats, Tasks, Updates,
};
use tracing::{error, info, warn};

use endpoints::EndpointCall;

/// What the handler needs.
pub struct App {
    operators: Operators,
    chats: Chats,
    bots: Vec<BotId>,
    invites: Invites,
    links: Links,
    limits: RateLimits,
    tasks: Tasks,
    seats: Seats,
    claim_links: ClaimLinks,
    bells: Bells,
    events: Queue<EventMessage>,
    dead_letters: DeadLetters,
    actors: Actors,
    bot_infos: BotInfos,
    updates: Updates,
    people: People,
    jobs: Jobs,
    endpoints: Endpoints,
    hook_deliveries: Deliveries,
    hook_bells: HookBells,
    announcements: Announcements,
    targets: CallTargets,
    products: Products,
    providers: BTreeSet<PaymentProvider>,
    product_fee_bps: u32,
    orders: Orders,
    payment_events: PaymentEvents,
    payment_bells: Queue<PaymentBell>,
    hold: PayoutHold,
    books: Books,
    payouts: Payouts,
    clock: Clock,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, clock: Clock) -> Self {
        let aws = aws::Shared::from_env(env);
        let chats = settings::chats(env);
        let deliveries = settings::chat_deliveries(env, &chats);
        Self {
            operators: Operators::from_env(env),
            chats,
            seats: Seats::from_env(aws.dynamodb(), env),
            claim_links: ClaimLinks::from_env(env, &deliveries, &aws),
            bots: chats::bots(env),
            invites: Invites::from_env(aws.dynamodb(), env),
            links: Links::from_env(aws.dynamodb(), env),
            limits: RateLimits::from_env(aws.dynamodb(), env),
            tasks: Tasks::from_env(aws.dynamodb(), env),
            bells: Bells::from_env(aws.sqs(), env, &clock),
            events: Queue::from_env(aws.sqs(), env),
            dead_letters: DeadLetters::from_env(aws.sqs(), env),
            actors: Actors::from_env(aws.dynamodb(), env),
            bot_infos: BotInfos::from_env(aws.dynamodb(), env),
            updates: Updates::from_env(aws.dynamodb(), env),
            people: People::from_env(aws.dynamodb(), env),
            jobs: Jobs::from_env(aws.dynamodb(), env),
            endpoints: Endpoints::from_env(aws.dynamodb(), env),
            hook_deliveries: Deliveries::from_env(aws.dynamodb(), env),
            hook_bells: HookBells::from_env(aws.sqs(), env, &clock),
            announcements: Announcements::from_env(&aws, env, &clock),
            targets: CallTargets::from_env(env),
            products: Products::from_env(aws.dynamodb(), env),
            providers: settings::payment_providers(env),
            product_fee_bps: settings::product_fee_bps(env),
            orders: Orders::from_env(aws.dynamodb(), env),
            payment_events: PaymentEvents::from_env(aws.dynamodb(), env),
            payment_bells: Queue::of_payments(aws.sqs(), env),
            hold: settings::payout_hold(env),
            books: Books::from_env(aws.dynamodb(), env),
            payouts: Payouts::from_env(&aws.dynamodb(), env),
            clock,
        }
    }

    fn acting(&self) -> Acting<'_> {
        Acting {
            invites: &self.invites,
            links: &self.links,
            tasks: &self.tasks,
            events: &self.events,
            clock: &self.clock,
            any_bot: self.bots.first().copied(),
        }
    }
}

/// What an operator asks for.
#[derive(Clone, Copy)]
enum AdminCall<'a> {
    Invites,
    RetryAll,
    Retry(&'a str),
    Reissue(&'a str),
    ResendEvent(&'a str),
    GiveUpEvent(&'a str),
    Rebind(&'a str),
    DeadLetters,
    Redrive,
    Chats,
    Pause(&'a str),
    Resume(&'a str),
    Actors,
    MakeActor,
    RotateKey(&'a str),
    DeleteActor(&'a str),
    ParkedUpdates,
    Replay(&'a str, &'a str),
    Person(&'a str),
    Appoint(&'a str),
    ExportPerson(&'a str),
    ErasePerson(&'a str),
    Jobs,
    Job(&'a str),
    Endpoints,
    RegisterEndpoint,
    OfEndpoint(&'a str, EndpointCall),
    Product(&'a str),
    PutProduct(&'a str),
    DeleteProduct(&'a str),
    Orders,
    Order(&'a str),
    Decide(&'a str),
    Recheck(&'a str),
    Refund(&'a str),
    Cancel(&'a str),
    PaymentEvent,
    ReplayPaymentEvent,
    LedgerAccounts,
    Payees,
    Payee(&'a str, &'a str),
    PutPayee(&'a str, &'a str),
    Payouts,
    MakePayout,
    Payout(&'a str),
    ApprovePayout(&'a str),
    PayoutPaid(&'a str),
    PayoutFailed(&'a str),
}

impl<'a> AdminCall<'a> {
    /// Reads a method and a path.
    ///
    /// # Errors
    /// [`Rejection::NotFound`], or [`Rejection::MethodNotAllowed`] if the route takes another method.
    fn read(method: &Method, path: &'a str) -> Result<Self, Rejection> {
        let (_, rest) = path.split_once("/v1/admin/").ok_or(Rejection::NotFound)?;
        let parts: Vec<&str> = rest.split('/').collect();
        let (takes, call) = match parts[..] {
            ["invites"] => ("GET", Self::Invites),
            ["invites", "retry-all"] => ("POST", Self::RetryAll),
            ["invites", id, "retry"] => ("POST", Self::Retry(id)),
            ["invites", id, "reissue"] => ("POST", Self::Reissue(id)),
            ["invites", id, "resend-event"] => ("POST", Self::ResendEvent(id)),
            ["invites", id, "give-up-event"] => ("POST", Self::GiveUpEvent(id)),
            ["invites", id, "rebind"] => ("POST", Self::Rebind(id)),
            ["dead-letters"] => ("GET", Self::DeadLetters),
            ["dead-letters", "redrive"] => ("POST", Self::Redrive),
            ["chats"] => ("GET", Self::Chats),
            ["chats", id, "pause"] => ("POST", Self::Pause(id)),
            ["chats", id, "resume"] => ("POST", Self::Resume(id)),
            ["actors"] if *method == Method::POST => ("POST", Self::MakeActor),
            ["actors"] if *method == Method::GET => ("GET", Self::Actors),
            ["actors"] => return Err(Rejection::MethodNotAllowed("GET, POST")),
            ["actors", name, "rotate"] => ("POST", Self::RotateKey(name)),
            ["actors", name] => ("DELETE", Self::DeleteActor(name)),
            ["updates", "parked"] => ("GET", Self::ParkedUpdates),
            ["updates", bot, id, "replay"] => ("POST", Self::Replay(bot, id)),
            ["people", id] => ("GET", Self::Person(id)),
            ["people", id, "role"] => ("POST", Self::Appoint(id)),
            ["people", id, "export"] => ("POST", Self::ExportPerson(id)),
            ["people", id, "erase"] => ("POST", Self::ErasePerson(id)),
            ["jobs"] => ("GET", Self::Jobs),
            ["jobs", id] => ("GET", Self::Job(id)),
            ["endpoints"] => match *method {
                Method::GET => ("GET", Self::Endpoints),
                Method::POST => ("POST", Self::RegisterEndpoint),
                _ => return Err(Rejection::MethodNotAllowed("GET, POST")),
            },
            ["endpoints", id] => ("DELETE", Self::OfEndpoint(id, EndpointCall::Delete)),
            ["endpoints", id, name] => {
                let (takes, call) = EndpointCall::named(name).ok_or(Rejection::NotFound)?;
                (takes, Self::OfEndpoint(id, call))
            }
            ["products", id] => match *method {
                Method::GET => ("GET", Self::Product(id)),
                Method::PUT => ("PUT", Self::PutProduct(id)),
                Method::DELETE => ("DELETE", Self::DeleteProduct(id)),
                _ => return Err(Rejection::MethodNotAllowed("GET, PUT, DELETE")),
            },
            ["orders"] => ("GET", Self::Orders),
            ["orders", id] => ("GET", Self::Order(id)),
            ["orders", id, "decisions"] => ("POST", Self::Decide(id)),
            ["orders", id, "recheck"] => ("POST", Self::Recheck(id)),
            ["orders", id, "refunds"] => ("POST", Self::Refund(id)),
            ["orders", id, "cancel"] => ("POST", Self::Cancel(id)),
            ["payment-events"] => ("GET", Self::PaymentEvent),
            ["payment-events", "replay"] => ("POST", Self::ReplayPaymentEvent),
            ["ledger", "accounts"] => ("GET", Self::LedgerAccounts),
            ["payees"] => ("GET", Self::Payees),
            ["payees", payee, currency] => match *method {
                Method::GET => ("GET", Self::Payee(payee, currency)),
                Method::PUT => ("PUT", Self::PutPayee(payee, currency)),
                _ => return Err(Rejection::MethodNotAllowed("GET, PUT")),
            },
            ["payouts"] => match *method {
                Method::GET => ("GET", Self::Payouts),
                Method::POST => ("POST", Self::MakePayout),
                _ => return Err(Rejection::MethodNotAllowed("GET, POST")),
            },
            ["payouts", id] => ("GET", Self::Payout(id)),
            ["payouts", id, "approve"] => ("POST", Self::ApprovePayout(id)),
            ["payouts", id, "paid"] => ("POST", Self::PayoutPaid(id)),
            ["payouts", id, "failed"] => ("POST", Self::PayoutFailed(id)),
            _ => return Err(Rejection::NotFound),
        };
        if method.as_str() == takes {
            Ok(call)
        } else {
            Err(Rejection::MethodNotAllowed(takes))
        }
    }
}

/// Answers one call. On a 200 what was asked for is durable; every other answer may be followed by the same call.
pub async fn handle(app: &App, request: Request<Bytes>) -> Response<Bytes> {
    let Some(who) = app.operators.who(request.headers()) else {
        warn!(
            outcome = "unauthorized",
            "an operator's call without a key was refused"
        );
        return Rejection::Unauthorized.answer();
    };
    match answer(app, who, &request).await {
        Ok(Answered::Told(mut body)) => {
            body["ok"] = true.into();
            json(status_of(&request), &body)
        }
        Ok(Answered::Written(answer)) => answer,
        Err(refusal) => {
            info!(
                operator.name = who,
                outcome = refusal.rejection.code(),
                "an operator's call refused"
            );
            refusal.answer()
        }
    }
}

/// The status of a call that is served: 202 where a job does what was asked for.
fn status_of(request: &Request<Bytes>) -> StatusCode {
    match AdminCall::read(request.method(), &path_of(request)) {
        Ok(AdminCall::ExportPerson(_) | AdminCall::ErasePerson(_)) => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    }
}

/// The path, decoded: some clients send the colon of a payee as `%3A`.
fn path_of(request: &Request<Bytes>) -> Cow<'_, str> {
    percent_decode_str(request.uri().path()).decode_utf8_lossy()
}

/// What an operator is answered.
enum Answered {
    /// An object of JSON.
    Told(Value),
    /// A file, as it is sent.
    Written(Response<Bytes>),
}

async fn answer(app: &App, who: &str, request: &Request<Bytes>) -> Result<Answered, Refusal> {
    let query = request.uri().query().unwrap_or_default();
    if request.uri().path().ends_with(ledger::TRANSACTIONS) {
        return match *request.method() {
            Method::GET => ledger::transactions(app, query)
                .await
                .map(Answered::Written),
            _ => Err(Rejection::MethodNotAllowed("GET").into()),
        };
    }
    let path = path_of(request);
    let call = AdminCall::read(request.method(), &path)?;
    tell(app, who, call, query, request.body())
        .await
        .map(Answered::Told)
}

async fn tell(
    app: &App,
    who: &str,
    call: AdminCall<'_>,
    query: &str,
    body: &Bytes,
) -> Result<Value, Refusal> {
    let answer = match call {
        AdminCall::Product(id) => return products::show(app, id).await,
        AdminCall::PutProduct(id) => return products::put(app, who, id, body).await,
        AdminCall::DeleteProduct(id) => return products::delete(app, who, id, query).await,
        AdminCall::Orders => return orders::list(app, query).await,
        AdminCall::Order(id) => return orders::show(app, id).await,
        AdminCall::Decide(id) => return orders::decide(app, who, id, read(body)?).await,
        AdminCall::Recheck(id) => return orders::recheck(app, who, id).await,
        AdminCall::Refund(id) => return orders::refund(app, who, id, read(body)?).await,
        AdminCall::Cancel(id) => return orders::cancel(app, who, id).await,
        AdminCall::LedgerAccounts => return ledger::accounts(app).await,
        AdminCall::Payees => return payouts::accounts(app, query).await,
        AdminCall::Payee(payee, currency) => return payouts::account(app, payee, currency).await,
        AdminCall::PutPayee(payee, currency) => {
            return payouts::put_account(app, who, (payee, currency), read(body)?).await;
        }
        AdminCall::Payouts => return payouts::list(app, query).await,
        AdminCall::MakePayout => return payouts::make(app, who, read(body)?).await,
        AdminCall::Payout(id) => return payouts::show(app, id).await,
        AdminCall::ApprovePayout(id) => return payouts::approve(app, who, id).await,
        AdminCall::PayoutPaid(id) => return payouts::paid(app, who, id, read(body)?).await,
        AdminCall::PayoutFailed(id) => return payouts::failed(app, who, id, read(body)?).await,
        AdminCall::PaymentEvent => return payment_events::show(app, query).await,
        AdminCall::ReplayPaymentEvent => {
            return payment_events::replay(app, who, read(body)?).await;
        }
        AdminCall::Invites => match lanes::Listing::read(query)? {
            Some(listing) => lanes::list(app, &listing).await,
            None => invites::find(app, query).await,
        },
        AdminCall::RetryAll => lanes::retry_all(app, who, read(body)?).await,
        AdminCall::Retry(id) => actions::retry(app, who, request_id(id)?).await,
        AdminCall::Reissue(id) => actions::reissue(app, who, request_id(id)?, read(body)?).await,
        AdminCall::ResendEvent(id) => {
            actions::resend_event(app, who, request_id(id)?, read(body)?).await
        }
        AdminCall::GiveUpEvent(id) => {
            actions::give_up_event(app, who, request_id(id)?, read(body)?).await
        }
        AdminCall::Rebind(id) => actions::rebind(app, who, request_id(id)?, read(body)?).await,
        AdminCall::DeadLetters => dead_letters::list(app).await,
        AdminCall::Redrive => dead_letters::redrive(app, who, read(body)?).await,
        AdminCall::Chats => chats::list(app).await,
        AdminCall::Pause(id) => {
            chats::pause(app, who, chat_id(id).map_err(Rejection::from)?, read(body)?).await
        }
        AdminCall::Resume(id) => {
            chats::resume(app, who, chat_id(id).map_err(Rejection::from)?).await
        }
        AdminCall::Actors => actors::list(app).await,
        AdminCall::MakeActor => actors::create(app, who, read(body)?).await,
        AdminCall::RotateKey(name) => actors::rotate(app, who, name).await,
        AdminCall::DeleteActor(name) => actors::delete(app, who, name).await,
        AdminCall::ParkedUpdates => updates::parked(app).await,
        AdminCall::Replay(bot, id) => updates::replay(app, who, bot, id).await,
        AdminCall::Person(id) => people::show(app, person_id(id)?).await,
        AdminCall::Appoint(id) => people::appoint(app, who, person_id(id)?, read(body)?).await,
        AdminCall::ExportPerson(id) => jobs::ask(app, who, person_id(id)?, JobKind::Export).await,
        AdminCall::ErasePerson(id) => jobs::ask(app, who, person_id(id)?, JobKind::Erase).await,
        AdminCall::Jobs => jobs::list(app).await,
        AdminCall::Job(id) => jobs::show(app, id).await,
        AdminCall::Endpoints => endpoints::list(app).await,
        AdminCall::RegisterEndpoint => endpoints::register(app, who, read(body)?).await,
        AdminCall::OfEndpoint(id, call) => endpoints::call(app, who, id, call, query, body).await,
    };
    Ok(answer?)
}

fn request_id(text: &str) -> Result<RequestId, Rejection> {
    Ok(text.parse()?)
}

fn chat_id(text: &str) -> Result<ChatId, purchase::Rejection> {
    let id = text.parse().map(ChatId);
    id.map_err(|_| purchase::Rejection::UnknownChat)
}

/// The id of a Telegram user; nobody has another one.
fn person_id(text: &str) -> Result<TelegramUserId, Rejection> {
    let id = text.parse().ok().filter(|id| *id > 0);
    id.map(TelegramUserId).ok_or(Rejection::NotFound)
}

fn unavailable(fault: impl std::error::Error) -> Rejection {
    error!(
        fault = "unavailable",
        "an operator's call could not be served: {}",
        chain(&fault)
    );
    Rejection::Unavailable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_route_takes_one_method_and_nothing_before_or_after_it() {
        let id = "ac51f4db-4bc1-8c75-b824-613c155f6d40";
        let routes = [
            ("GET", "/v1/admin/invites".to_owned()),
            ("POST", format!("/v1/admin/invites/{id}/retry")),
            ("POST", format!("/v1/admin/invites/{id}/reissue")),
            ("POST", format!("/v1/admin/invites/{id}/resend-event")),
            ("POST", format!("/v1/admin/invites/{id}/give-up-event")),
            ("POST", "/v1/admin/invites/retry-all".to_owned()),
            ("GET", "/v1/admin/dead-letters".to_owned()),
            ("POST", "/v1/admin/dead-letters/redrive".to_owned()),
            ("GET", "/v1/admin/chats".to_owned()),
            ("POST", "/v1/admin/chats/-1/pause".to_owned()),
            ("POST", "/v1/admin/chats/-1/resume".to_owned()),
            ("POST", "/v1/admin/actors/crm/rotate".to_owned()),
            ("DELETE", "/v1/admin/actors/crm".to_owned()),
            ("GET", "/v1/admin/updates/parked".to_owned()),
            ("POST", "/v1/admin/updates/7/9/replay".to_owned()),
            ("POST", "/v1/admin/people/7/role".to_owned()),
            ("POST", "/v1/admin/people/7/export".to_owned()),
            ("POST", "/v1/admin/people/7/erase".to_owned()),
            ("GET", "/v1/admin/jobs/erase-7-9".to_owned()),
            ("POST", "/v1/admin/endpoints/ep_1/enable".to_owned()),
            ("POST", "/v1/admin/endpoints/ep_1/disable".to_owned()),
            ("POST", "/v1/admin/endpoints/ep_1/rotate-secret".to_owned()),
            ("POST", "/v1/admin/endpoints/ep_1/test".to_owned()),
            ("POST", "/v1/admin/endpoints/ep_1/replay".to_owned()),
            ("GET", "/v1/admin/endpoints/ep_1/deliveries".to_owned()),
            ("POST", "/v1/admin/orders/1/decisions".to_owned()),
            ("POST", "/v1/admin/orders/1/recheck".to_owned()),
            ("POST", "/v1/admin/orders/1/refunds".to_owned()),
            ("POST", "/v1/admin/orders/1/cancel".to_owned()),
            ("POST", "/v1/admin/payment-events/replay".to_owned()),
            ("GET", "/v1/admin/ledger/accounts".to_owned()),
            ("POST", "/v1/admin/payouts/po_1/approve".to_owned()),
            ("POST", "/v1/admin/payouts/po_1/paid".to_owned()),
            ("POST", "/v1/admin/payouts/po_1/failed".to_owned()),
        ];
        for (right, path) in routes {
            for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"] {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let refused = AdminCall::read(&method, &path).err();
                let expected = (method != right).then_some(Rejection::MethodNotAllowed(right));
                assert_eq!(refused, expected, "{method} {path}");
            }
            let method = Method::from_bytes(right.as_bytes()).unwrap();
            for path in [
                format!("{path}/"),
                format!("{path}/x"),
                path.replace("admin/", ""),
            ] {
                let refused = AdminCall::read(&method, &path).err();
                assert_eq!(refused, Some(Rejection::NotFound), "{path}");
            }
        }
    }

    #[test]
    fn a_payee_may_be_percent_encoded() {
        let request = Request::get("/v1/admin/payees/owner%3Ao1/usd").body(Bytes::new());
        let (request, path) = (request.unwrap(), "/v1/admin/payees/owner:o1/usd");
        assert_eq!(path_of(&request), path);
        assert!(AdminCall::read(&Method::GET, path).is_ok());
    }

    #[test]
    fn a_product_is_read_written_and_deleted_at_one_path() {
        let read = |method| AdminCall::read(&method, "/v1/admin/products/club");
        assert!(matches!(read(Method::GET), Ok(AdminCall::Product("club"))));
        assert!(matches!(
            read(Method::PUT),
            Ok(AdminCall::PutProduct("club"))
        ));
        let deleted = read(Method::DELETE);
        assert!(matches!(deleted, Ok(AdminCall::DeleteProduct("club"))));
        let refused = read(Method::POST).err();
        let takes = Rejection::MethodNotAllowed("GET, PUT, DELETE");
        assert_eq!(refused, Some(takes));
    }

    #[test]
    fn actors_are_listed_and_made_at_one_path() {
        let read = |method| AdminCall::read(&method, "/v1/admin/actors");
        assert!(matches!(read(Method::GET), Ok(AdminCall::Actors)));
        assert!(matches!(read(Method::POST), Ok(AdminCall::MakeActor)));
        let refused = read(Method::PUT).err();
        assert_eq!(refused, Some(Rejection::MethodNotAllowed("GET, POST")));
    }
}
