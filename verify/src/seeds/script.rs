//! What goes wrong, and when: a plan's windows, carried out against the simulators.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use domain::time::Timestamp;
use fastrand::Rng;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use http::Request;
use serde_json::{Value, json};
use simulators::Reset;
use simulators::aws::{FaultHits, FaultRule as AwsRule, Service, WireFault};
use simulators::telegram::{Deliver, Fault, FaultRule, MessageLimits, Refusal, Rights};
use simulators::webengage::Mode;
use tokio::time::{Instant, sleep, sleep_until};

use super::super::wire::CallOutcome;
use super::super::world::World;
use super::plan::{FaultWindow, Scope, SeedPlan, WorldFault};
use super::trace::Trace;
use local::resources::{EVENTS, HOOKS, INVITES, MESSAGES};

/// How late a copy of an update comes at most.
const COPY_LATE_MS: u64 = 20_000;

/// What the fault policy, the watcher and the transport look at.
#[derive(Debug, Default)]
pub(crate) struct FaultRates {
    /// One call in so many goes wrong.
    pub(crate) calls: Option<u32>,
    /// One message in so many is sent again, at most so much later.
    pub(crate) copies: Option<(u32, Duration)>,
    /// One update in so many goes astray.
    pub(crate) updates: Option<u32>,
    /// Periods without any update.
    pub(crate) no_updates: u32,
    /// Bots that are not in a chat.
    pub(crate) kicked: BTreeSet<(i64, i64)>,
    /// Messages that are none, by queue.
    pub(crate) poison: [u64; 2],
    /// Refusals that were ordered.
    pub(crate) refusals: u64,
}

/// The rates of one world. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct ActiveFaults {
    rates: Arc<Mutex<FaultRates>>,
    hits: Arc<Mutex<Vec<FaultHits>>>,
    at_door: Arc<Mutex<Vec<(i64, i64, Timestamp)>>>,
}

impl ActiveFaults {
    pub(crate) fn rates(&self) -> MutexGuard<'_, FaultRates> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls of AWS that met a fault.
    pub(crate) fn aws_hits(&self) -> u64 {
        let hits = self.hits.lock().unwrap_or_else(PoisonError::into_inner);
        hits.iter().map(FaultHits::count).sum()
    }

    /// Who asked at the door of which chat, and when the bot of the doors had taken that.
    pub(crate) fn heard_at_door(&self) -> Vec<(i64, i64, Timestamp)> {
        let at_door = self.at_door.lock();
        at_door.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes a request that was taken, if this update is one of the front bot.
    fn note_door(&self, update: &Request<Bytes>, now: Timestamp) {
        let is_of_front = update.uri().path().ends_with("/webhook");
        let read: Value = match is_of_front {
            true => serde_json::from_slice(update.body()).unwrap_or_default(),
            false => return,
        };
        let request = &read["chat_join_request"];
        if let (Some(person), Some(chat)) = (
            request["from"]["id"].as_i64(),
            request["chat"]["id"].as_i64(),
        ) {
            let at_door = self.at_door.lock();
            let mut at_door = at_door.unwrap_or_else(PoisonError::into_inner);
            at_door.push((person, chat, now));
        }
    }

    fn fail(&self, world: &World, rule: AwsRule) {
        let hits = world.aws.wire().fail(rule);
        self.hits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(hits);
    }
}

/// Sets what holds from the beginning: limits, latencies, the fault policy and the transport of updates.
pub(crate) fn set_up(
    world: &World,
    plan: &SeedPlan,
    active_faults: &ActiveFaults,
    trace: &Trace,
    seed: u64,
) {
    match plan.scope {
        Scope::Pair => world.telegram.set_limit(Some(plan.limit)),
        Scope::Bot => world.telegram.set_bot_limit(Some(plan.limit)),
        Scope::Chat => world.telegram.set_chat_limit(Some(plan.limit)),
    }
    world.telegram.set_latency(plan.way.clone());
    world.telegram.sleep_through(plan.sleeps_through);
    let (of_policy, mut rng) = (active_faults.clone(), Rng::with_seed(seed ^ 0x1d6e));
    world.wire.fault_policy(Box::new(move |call, _| {
        let Some(one_in) = of_policy.rates().calls else {
            return CallOutcome::Pass;
        };
        // Nobody else lives in the invocation of a status call.
        if call.caller == "status" || rng.u32(0..one_in) > 0 {
            return CallOutcome::Pass;
        }
        match (rng.u32(0..5), call.service) {
            (0, _) => CallOutcome::DieBefore,
            (1, _) => CallOutcome::DieAfter,
            // A try that Telegram never saw is not in its journal, by which tries are counted.
            (2, "Telegram") => CallOutcome::Pass,
            (2, _) => CallOutcome::CutBefore,
            (3, _) => CallOutcome::CutAfter,
            _ => CallOutcome::Twice,
        }
    }));
    if plan.bot.as_ref().is_some_and(|bot| bot.limits_messages) {
        // What all messages of a bot together may be is never met here.
        world
            .telegram
            .set_message_limits(MessageLimits::published());
    }
    let transport = noted(world, active_faults);
    world
        .telegram
        .deliver_to(rough(transport, active_faults, trace, seed));
}

/// A transport that notes the requests at the doors that were taken.
fn noted(world: &World, active_faults: &ActiveFaults) -> Deliver {
    let (transport, clock) = (world.transport(), world.clock.clone());
    let active_faults = active_faults.clone();
    Arc::new(move |request| {
        let (transport, clock) = (Arc::clone(&transport), clock.clone());
        let (active_faults, update) = (active_faults.clone(), request.clone());
        async move {
            let answer = transport(request).await;
            if answer.as_ref().is_ok_and(|answer| answer.status() == 200) {
                active_faults.note_door(&update, clock.now());
            }
            answer
        }
        .boxed()
    })
}

/// A transport on which updates are lost, late and come several times.
fn rough(transport: Deliver, active_faults: &ActiveFaults, trace: &Trace, seed: u64) -> Deliver {
    let (active_faults, trace) = (active_faults.clone(), trace.clone());
    let rng = Arc::new(Mutex::new(Rng::with_seed(seed ^ 0x70ad)));
    Arc::new(move |request| {
        let (lot, late, copies) = {
            let rates = active_faults.rates();
            let mut rng = rng.lock().unwrap_or_else(PoisonError::into_inner);
            let lot = match rates.updates {
                _ if rates.no_updates > 0 => 0,
                Some(one_in) if rng.u32(0..one_in) == 0 => rng.u32(0..5),
                _ => 5,
            };
            let late = Duration::from_millis(rng.u64(0..=70_000));
            let copies: Vec<Duration> = (0..rng.usize(1..=4))
                .map(|_| Duration::from_millis(rng.u64(0..COPY_LATE_MS)))
                .collect();
            (lot, late, copies)
        };
        let (transport, trace) = (Arc::clone(&transport), trace.clone());
        async move {
            match lot {
                0 => Err(Reset),
                1 => {
                    let _ = transport(request).await;
                    trace.tell(format_args!("update: its answer is lost"));
                    Err(Reset)
                }
                2 => {
                    // Telegram gives up after a minute and sends it again; the late one arrives all the same.
                    let late = tokio::spawn(async move {
                        sleep(late).await;
                        transport(request).await
                    });
                    late.await.unwrap_or(Err(Reset))
                }
                3 => {
                    let (first, second) = (transport(request.clone()), transport(request));
                    let (answer, _) = tokio::join!(first, second);
                    answer
                }
                4 => {
                    for late in copies {
                        let (transport, copy) = (Arc::clone(&transport), request.clone());
                        tokio::spawn(async move {
                            sleep(late).await;
                            transport(copy).await
                        });
                    }
                    transport(request).await
                }
                _ => transport(request).await,
            }
        }
        .boxed()
    })
}

/// Carries all windows out, to the end of the last one.
pub(crate) async fn perform(
    world: &World,
    plan: &SeedPlan,
    active_faults: &ActiveFaults,
    trace: &Trace,
) -> anyhow::Result<()> {
    let start = Instant::now();
    let windows = plan.windows.iter().map(async |window| {
        sleep_until(start + window.from).await;
        trace.tell(format_args!("fault: {:?}", window.fault));
        let end = start + window.to;
        let runner = WindowRunner {
            world,
            plan,
            active_faults,
            end,
            rng: Rng::with_seed(window.seed),
        };
        runner.run(window).await?;
        trace.tell(format_args!("over: {:?}", window.fault));
        anyhow::Ok(())
    });
    join_all(windows).await.into_iter().collect()
}

struct WindowRunner<'a> {
    world: &'a World,
    plan: &'a SeedPlan,
    active_faults: &'a ActiveFaults,
    end: Instant,
    rng: Rng,
}

impl WindowRunner<'_> {
    async fn run(mut self, window: &FaultWindow) -> anyhow::Result<()> {
        let Self {
            world,
            plan,
            active_faults,
            end,
            ..
        } = self;
        let telegram = &world.telegram;
        match window.fault {
            WorldFault::Aws { apart } => {
                while Instant::now() < end {
                    let rule = self.aws_rule(plan.bot.is_some());
                    active_faults.fail(world, rule);
                    self.pause(apart).await;
                }
                world.aws.wire().clear_faults();
            }
            WorldFault::Calls { one_in } => {
                active_faults.rates().calls = Some(one_in);
                sleep_until(end).await;
                active_faults.rates().calls = None;
            }
            WorldFault::Copies { one_in, later } => {
                active_faults.rates().copies = Some((one_in, later));
                sleep_until(end).await;
                active_faults.rates().copies = None;
                // What was copied last is still under way.
                sleep(later).await;
            }
            WorldFault::Flood { retry_after, html } => {
                let fault = match html {
                    true => Fault::TooManyRequestsHtml,
                    false => Fault::TooManyRequests { retry_after },
                };
                telegram.fail(FaultRule::always(fault));
                sleep_until(end).await;
                telegram.clear_faults();
            }
            WorldFault::Ill { apart } => {
                while Instant::now() < end {
                    telegram.fail(self.telegram_rule());
                    self.pause(apart).await;
                }
                telegram.clear_faults();
            }
            WorldFault::Limit(limit) => {
                telegram.set_limit(Some(limit));
                sleep_until(end).await;
                telegram.set_limit(matches!(plan.scope, Scope::Pair).then_some(plan.limit));
            }
            WorldFault::Rights { bot, chat } => {
                let (bot, chat) = (world.bots[bot], world.chats[chat]);
                let fewer = Rights {
                    can_invite_users: false,
                    ..Rights::all()
                };
                telegram.make_admin(bot, chat, fewer);
                sleep_until(end).await;
                telegram.make_admin(bot, chat, Rights::all());
            }
            WorldFault::Kicked { bot, chat } => {
                let (bot, chat) = (world.bots[bot], world.chats[chat]);
                telegram.kick_bot(bot, chat);
                active_faults.rates().kicked.insert((bot, chat));
                sleep_until(end).await;
                telegram.make_admin(bot, chat, Rights::all());
                active_faults.rates().kicked.remove(&(bot, chat));
            }
            WorldFault::Token { bot } => {
                telegram.revoke_token(world.bots[bot]);
                sleep_until(end).await;
                let bot = world.bots[bot];
                telegram.restore_token(&format!("{bot}:verify-token-of-bot-{bot}"));
            }
            WorldFault::WebEngage { way } => {
                world.webengage.set_mode(mode(way));
                sleep_until(end).await;
                world.webengage.recover();
            }
            WorldFault::Updates { one_in } => {
                active_faults.rates().updates = Some(one_in);
                sleep_until(end).await;
                active_faults.rates().updates = None;
            }
            WorldFault::NoUpdates => {
                active_faults.rates().no_updates += 1;
                sleep_until(end).await;
                active_faults.rates().no_updates -= 1;
            }
            WorldFault::Poison { events } => {
                let queue = if events { EVENTS.queue } else { INVITES.queue };
                let body = match self.rng.u8(0..4) {
                    0 => json!("no job"),
                    1 => json!({"kind": "dance", "chatId": 1}),
                    2 => json!([{}]),
                    _ => json!({"kind": "mint", "requestId": 7}),
                };
                // It must arrive, and once: the faults are for the functions.
                let start = end - window.to;
                while plan.is_hard(Instant::now() - start) {
                    sleep(Duration::from_secs(30)).await;
                }
                world.send(queue, &body).await?;
                active_faults.rates().poison[usize::from(events)] += 1;
            }
            WorldFault::DeadTask => {
                let dead =
                    json!({"kind": "revoke", "inviteLink": "https://t.me/+dead", "chatId": 1});
                world.send(INVITES.dead_letters, &dead).await?;
                active_faults.rates().poison[0] += 1;
            }
            WorldFault::Purge => {
                for queue in [INVITES.queue, MESSAGES.queue, HOOKS.queue] {
                    world.purge(queue).await?;
                }
                // Poison that was on its way to the dead letters is gone as well.
                let dead = world.aws.queue_depth(INVITES.dead_letters);
                active_faults.rates().poison[0] = dead.map_or(0, |depth| depth.total());
            }
            WorldFault::Paused { chat } => {
                let chat = world.chats[chat];
                world
                    .operate(&format!("chats/{chat}/pause"), &json!({"reason": "audit"}))
                    .await;
                sleep_until(end).await;
                let mut reply = None;
                for _ in 0..100 {
                    reply = world
                        .operate(&format!("chats/{chat}/resume"), &json!({}))
                        .await;
                    if reply.as_ref().is_some_and(|reply| reply.status == 200) {
                        return Ok(());
                    }
                    sleep(Duration::from_secs(20)).await;
                }
                anyhow::bail!("a chat could not be resumed: {reply:?}");
            }
            WorldFault::Reissue => {
                let items = world.items("InviteRequests").await?;
                let done = items
                    .iter()
                    .filter(|item| item["status"] == "DONE" && item["joinedAt"].is_null());
                let mut ids: Vec<&str> =
                    done.filter_map(|item| item["requestId"].as_str()).collect();
                ids.sort_unstable();
                if let Some(id) = self.rng.choice(ids) {
                    world
                        .operate(&format!("invites/{id}/reissue"), &json!({}))
                        .await;
                }
            }
            WorldFault::Refused { known } => {
                let words = if known {
                    "USAGE_LIMIT_INVALID"
                } else {
                    "SOMETHING_NEW"
                };
                let refusal = Fault::Refuse(Refusal::bad_request(words));
                active_faults.rates().refusals += 1;
                telegram.fail(FaultRule::on("createChatInviteLink", refusal).times(1));
                sleep_until(end).await;
            }
            WorldFault::WrongLimit => {
                let fault = Fault::WrongMemberLimit(self.rng.bool().then_some(2));
                telegram.fail(FaultRule::on("createChatInviteLink", fault).times(1));
                sleep_until(end).await;
            }
        }
        Ok(())
    }

    async fn pause(&mut self, most: Duration) {
        let nap = most.mul_f64(self.rng.f64()).max(Duration::from_millis(50));
        sleep_until((Instant::now() + nap).min(self.end)).await;
    }

    fn aws_rule(&mut self, has_bot: bool) -> AwsRule {
        let rng = &mut self.rng;
        let action = match rng.u32(0..6) {
            0 => WireFault::Throttle,
            1 => WireFault::InternalError,
            2 => WireFault::ResetBefore,
            3 => WireFault::ResetAfter,
            4 => WireFault::Delay(Duration::from_millis(rng.u64(50..=4000))),
            _ => WireFault::Hang,
        };
        let calls = match has_bot {
            true => [&AWS_CALLS[..], &BOT_CALLS[..]].concat(),
            false => AWS_CALLS.to_vec(),
        };
        let (service, operation, target) = calls[rng.usize(0..calls.len())];
        let rule = AwsRule::new(action).on(service, operation);
        let rule = match target {
            "" => rule,
            target => rule.named(target),
        };
        // The SDK tries three times: only more faults than that are felt.
        rule.skip(rng.u64(0..6)).times(rng.u64(1..=9))
    }

    fn telegram_rule(&mut self) -> FaultRule {
        let rng = &mut self.rng;
        let late = Duration::from_millis(rng.u64(100..=40_000));
        let fault = match rng.u32(0..11) {
            0 => Fault::Internal,
            1 => Fault::BadGateway,
            2 => Fault::BadGatewayAfterEffect,
            3 => Fault::HangThenSucceed(late),
            4 => Fault::AnswerLate(late),
            5 => Fault::HangForever,
            6 => Fault::ResetBefore,
            7 => Fault::ResetAfter,
            8 => Fault::Garbage,
            9 => Fault::TooManyRequests {
                retry_after: rng.u32(1..=60),
            },
            _ => Fault::TooManyRequestsHtml,
        };
        FaultRule::always(fault)
            .skip(rng.u32(0..3))
            .times(rng.u32(1..=4))
    }
}

/// The calls of the functions and of Lambda that may fail.
const AWS_CALLS: [(Service, &str, &str); 23] = [
    (Service::DynamoDb, "GetItem", "InviteRequests"),
    (Service::DynamoDb, "PutItem", "InviteRequests"),
    (Service::DynamoDb, "UpdateItem", "InviteRequests"),
    (Service::DynamoDb, "Query", "InviteRequests"),
    (Service::DynamoDb, "TransactWriteItems", ""),
    (Service::DynamoDb, "GetItem", "InviteLinks"),
    (Service::DynamoDb, "PutItem", "InviteLinks"),
    (Service::DynamoDb, "PutItem", "ChatTasks"),
    (Service::DynamoDb, "Query", "ChatTasks"),
    (Service::DynamoDb, "UpdateItem", "ChatTasks"),
    (Service::DynamoDb, "DeleteItem", "ChatTasks"),
    (Service::DynamoDb, "GetItem", "RateLimits"),
    (Service::DynamoDb, "UpdateItem", "RateLimits"),
    (Service::DynamoDb, "UpdateItem", "RateLimits"),
    (Service::DynamoDb, "PutItem", "LinkPool"),
    (Service::DynamoDb, "Query", "LinkPool"),
    (Service::Sqs, "SendMessage", INVITES.queue),
    (Service::Sqs, "SendMessage", EVENTS.queue),
    (Service::Sqs, "SendMessageBatch", EVENTS.queue),
    (Service::Sqs, "ReceiveMessage", INVITES.queue),
    (Service::Sqs, "ReceiveMessage", EVENTS.queue),
    (Service::Sqs, "DeleteMessageBatch", INVITES.queue),
    (Service::Sqs, "DeleteMessageBatch", EVENTS.queue),
];

/// Those of what serves the bot.
const BOT_CALLS: [(Service, &str, &str); 24] = [
    (Service::DynamoDb, "GetItem", "Members"),
    (Service::DynamoDb, "PutItem", "Members"),
    (Service::DynamoDb, "GetItem", "People"),
    (Service::DynamoDb, "UpdateItem", "People"),
    (Service::DynamoDb, "UpdateItem", "Updates"),
    (Service::DynamoDb, "UpdateItem", "Updates"),
    (Service::DynamoDb, "TransactWriteItems", ""),
    (Service::DynamoDb, "GetItem", "Messages"),
    (Service::DynamoDb, "UpdateItem", "Messages"),
    (Service::DynamoDb, "Query", "MessageTasks"),
    (Service::DynamoDb, "UpdateItem", "MessageTasks"),
    (Service::DynamoDb, "DeleteItem", "MessageTasks"),
    (Service::DynamoDb, "GetItem", "RelayMap"),
    (Service::DynamoDb, "PutItem", "RelayMap"),
    (Service::DynamoDb, "GetItem", "Actors"),
    (Service::DynamoDb, "UpdateItem", "Actors"),
    (Service::DynamoDb, "Query", "UpdateFeed"),
    (Service::DynamoDb, "UpdateItem", "Bots"),
    (Service::Sqs, "SendMessage", MESSAGES.queue),
    (Service::Sqs, "SendMessage", HOOKS.queue),
    (Service::Sqs, "ReceiveMessage", MESSAGES.queue),
    (Service::Sqs, "ReceiveMessage", HOOKS.queue),
    (Service::Sqs, "DeleteMessageBatch", MESSAGES.queue),
    (Service::Sqs, "DeleteMessageBatch", HOOKS.queue),
];

fn mode(way: u8) -> Mode {
    match way {
        0 => Mode::Down,
        1 => Mode::Hang(Duration::from_secs(15)),
        2 => Mode::InternalErrorAfterIngesting,
        3 => Mode::RateLimited {
            retry_after: Some(60),
        },
        4 => Mode::RateLimited { retry_after: None },
        5 => Mode::HangForever,
        6 => Mode::ResetBefore,
        _ => Mode::ResetAfter,
    }
}
