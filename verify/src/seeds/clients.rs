//! Who buys and who joins: shops that call until they are answered, customers who wait for their link.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use simulators::telegram::Tap;
use tokio::time::{Instant, sleep, sleep_until};

use super::super::world::{Reply, World};
use super::payment::Payment;
use super::script::ActiveFaults;
use super::trace::Trace;

/// How often a shop calls until it gives up; the longest fault of ours is much shorter.
const SHOP_TRIES: u32 = 200;
/// How often the customers look for letters.
const INBOX_POLL: Duration = Duration::from_secs(10);

/// What the shops were answered, and what looked wrong at once.
#[derive(Debug, Default)]
pub(crate) struct Purchases {
    /// By payment: the request's ids of all answers with 200.
    pub(crate) ids: BTreeMap<usize, BTreeSet<String>>,
    pub(crate) wrong: Vec<String>,
}

/// All clients of one run.
pub(crate) struct Clients<'a> {
    pub(crate) world: &'a World,
    pub(crate) active_faults: &'a ActiveFaults,
    pub(crate) trace: &'a Trace,
    pub(crate) payments: &'a [Payment],
    pub(crate) purchases: Mutex<Purchases>,
}

impl Clients<'_> {
    /// All payments, to the last repeat.
    pub(crate) async fn shop(&self) {
        let start = Instant::now();
        join_all(self.payments.iter().map(async |payment| {
            sleep_until(start + payment.at).await;
            self.report(payment).await;
        }))
        .await;
    }

    async fn report(&self, payment: &Payment) {
        join_all((0..payment.at_once).map(|_| self.call(payment))).await;
        let conflict = async {
            if let Some(after) = payment.conflict {
                sleep(after).await;
                self.call_as_another(payment).await;
            }
        };
        let repeats = async {
            for after in &payment.repeats {
                sleep(*after).await;
                self.call(payment).await;
            }
        };
        let asks = join_all(payment.asks_after.iter().map(async |after| {
            sleep(*after).await;
            self.ask(payment).await;
        }));
        tokio::join!(conflict, repeats, asks);
    }

    fn body(&self, payment: &Payment, user: &str) -> Value {
        let mut body = json!({"userId": user, "chatId": self.world.chats[payment.chat]});
        if payment.transaction {
            body["transactionId"] = json!(format!("T{}", payment.number));
        }
        body
    }

    /// Calls until it is accepted.
    async fn call(&self, payment: &Payment) {
        let body = self.body(payment, &format!("u{}", payment.number));
        let key = payment.key.then(|| format!("K{}", payment.number));
        let reply = self.until_answered(&body, key.as_deref()).await;
        let mut purchases = self.purchases();
        match reply {
            Some(reply) if reply.status == 200 => {
                let id = reply.body["requestId"].as_str().unwrap_or_default();
                let ids = purchases.ids.entry(payment.number).or_default();
                ids.insert(id.to_owned());
            }
            reply => purchases.wrong.push(format!(
                "I2: payment {} was answered {reply:?}",
                payment.number
            )),
        }
    }

    /// Another user reports the same transaction: a conflict, and nothing changes.
    async fn call_as_another(&self, payment: &Payment) {
        let body = self.body(payment, "thief");
        let reply = self.until_answered(&body, None).await;
        if reply.as_ref().is_none_or(|reply| reply.status != 409) {
            let wrong = format!("I1: payment {} of another user: {reply:?}", payment.number);
            self.purchases().wrong.push(wrong);
        }
    }

    async fn until_answered(&self, body: &Value, key: Option<&str>) -> Option<Reply> {
        let mut nap = Duration::from_secs(1);
        for _ in 0..SHOP_TRIES {
            let reply = self.world.buy_as(body, key).await;
            let status = reply.as_ref().map(|reply| reply.status);
            self.trace
                .tell(format_args!("shop: {body} is answered {status:?}"));
            if let Some(reply) = reply.filter(|reply| reply.status < 500) {
                return Some(reply);
            }
            sleep(nap).await;
            nap = (nap * 2).min(Duration::from_secs(30));
        }
        None
    }

    async fn ask(&self, payment: &Payment) {
        let id = self
            .purchases()
            .ids
            .get(&payment.number)
            .and_then(|ids| ids.first().cloned());
        let Some(id) = id else {
            return;
        };
        let status = self.world.status_of(&id).await;
        let shown = status.as_ref().map(|status| status["status"].clone());
        self.trace
            .tell(format_args!("customer {}: sees {shown:?}", payment.number));
    }

    /// Waits for letters and actions on them, for ever.
    pub(crate) async fn live(&self, inbox: &mut CustomerInbox) {
        loop {
            let next = self.step(inbox).await;
            sleep_until(next).await;
        }
    }

    /// Reads new letters, does what is due, and answers when to look again.
    pub(crate) async fn step(&self, inbox: &mut CustomerInbox) -> Instant {
        let now = Instant::now();
        let ingested = self.world.webengage.ingested_count();
        if ingested > inbox.read {
            let events = self.world.webengage.ingested();
            let new = usize::try_from(ingested - inbox.read).unwrap_or_default();
            for event in &events[events.len().saturating_sub(new)..] {
                self.read(inbox, &event.body, now);
            }
            inbox.read = ingested;
        }
        while inbox.plans.peek().is_some_and(|plan| plan.at <= now) {
            if let Some(plan) = inbox.plans.pop() {
                self.act(inbox, plan);
            }
        }
        let next = inbox.plans.peek().map(|plan| plan.at);
        next.unwrap_or(now + INBOX_POLL).min(now + INBOX_POLL)
    }

    fn read(&self, inbox: &mut CustomerInbox, body: &Value, now: Instant) {
        let user = body["userId"].as_str().unwrap_or_default();
        let number = user.strip_prefix('u').and_then(|user| user.parse().ok());
        let payment = number.and_then(|number: usize| {
            let mut payments = self.payments.iter();
            payments.find(|payment| payment.number == number)
        });
        let link = body["eventData"]["inviteLink"].as_str();
        let (Some(payment), Some(link)) = (payment, link) else {
            return;
        };
        if body["eventData"].get("telegramUserId").is_some() || !inbox.known.insert(link.to_owned())
        {
            return;
        }
        // What is done with a claim link is another story.
        let (Some(after), None) = (payment.taps_after, &payment.claim) else {
            return;
        };
        inbox.plan(now + after, payment.number, link, Action::Tap);
    }

    fn act(&self, inbox: &mut CustomerInbox, plan: Planned) {
        let Planned {
            payment: number,
            link,
            act,
            ..
        } = plan;
        let Some(payment) = self
            .payments
            .iter()
            .find(|payment| payment.number == number)
        else {
            return;
        };
        let (customer, now) = (10_000 + number as i64, Instant::now());
        match act {
            Action::Tap => {
                let strangers =
                    (0..payment.strangers).map(|n| 1_000_000 + 10 * customer + i64::from(n));
                let mut clients: Vec<i64> = strangers.chain([customer]).collect();
                fastrand::shuffle(&mut clients);
                for person in clients {
                    let tap = self.tap(&link, person);
                    if tap == Tap::Joined
                        && let Some(after) = payment.leaves_after
                    {
                        inbox.plan(
                            now + after,
                            number,
                            &link,
                            Action::Leave { person, waits: 0 },
                        );
                    }
                }
            }
            Action::Leave { person, waits } => {
                let Some(known) = self.world.telegram.link(&link) else {
                    return;
                };
                // Until it is revoked a link works again when its user leaves: that is Telegram's, and no fault.
                if !known.revoked {
                    if waits < 500 {
                        let again = Action::Leave {
                            person,
                            waits: waits + 1,
                        };
                        inbox.plan(now + Duration::from_secs(600), number, &link, again);
                    }
                    return;
                }
                self.world.telegram.leave(known.chat_id, person);
                for person in [person, 5_000_000 + person] {
                    let tap = self.tap(&link, person);
                    if tap == Tap::Joined {
                        let wrong = format!("I1: {person} came by a used link");
                        self.purchases().wrong.push(wrong);
                    }
                }
            }
        }
    }

    pub(super) fn tap(&self, link: &str, person: i64) -> Tap {
        let sees = self.world.telegram.link(link).is_some_and(|link| {
            let kicked = &self.active_faults.rates().kicked;
            !kicked.contains(&(link.creator_bot_id, link.chat_id))
        });
        let tap = if sees {
            self.world.tap(link, person)
        } else {
            // Nobody is told of it.
            let user = simulators::telegram::User::new(person);
            self.world.telegram.tap(link, user)
        };
        self.trace
            .tell(format_args!("person {person}: taps, {tap:?}"));
        tap
    }

    pub(crate) fn purchases(&self) -> std::sync::MutexGuard<'_, Purchases> {
        self.purchases
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the customers know and mean to do.
#[derive(Debug, Default)]
pub(crate) struct CustomerInbox {
    read: u64,
    known: BTreeSet<String>,
    plans: BinaryHeap<Planned>,
    drawn: u64,
}

impl CustomerInbox {
    /// Whether somebody still means to do something.
    pub(crate) fn is_idle(&self, world: &World) -> bool {
        self.plans.is_empty() && self.read == world.webengage.ingested_count()
    }

    fn plan(&mut self, at: Instant, payment: usize, link: &str, act: Action) {
        self.drawn += 1;
        let number = self.drawn;
        let link = link.to_owned();
        self.plans.push(Planned {
            at,
            number,
            payment,
            link,
            act,
        });
    }
}

#[derive(Debug)]
enum Action {
    Tap,
    Leave { person: i64, waits: u32 },
}

#[derive(Debug)]
struct Planned {
    at: Instant,
    number: u64,
    payment: usize,
    link: String,
    act: Action,
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Planned {}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The earliest is the greatest.
impl Ord for Planned {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}
