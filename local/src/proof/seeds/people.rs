//! Who buys and who joins: shops that call until they are answered, customers who wait for their link.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use simulators::telegram::Tap;
use tokio::time::{Instant, sleep, sleep_until};

use super::super::world::{Told, World};
use super::plan::Order;
use super::script::Sky;
use super::story::Story;

/// How often a shop calls until it gives up; the longest trouble of ours is much shorter.
const SHOP_TRIES: u32 = 200;
/// How often the customers look for letters.
const POST: Duration = Duration::from_secs(10);

/// What the shops were answered, and what looked wrong at once.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// By order: the request's ids of all answers with 200.
    pub(crate) ids: BTreeMap<usize, BTreeSet<String>>,
    pub(crate) wrong: Vec<String>,
}

/// All people of one run.
pub(crate) struct People<'a> {
    pub(crate) world: &'a World,
    pub(crate) sky: &'a Sky,
    pub(crate) story: &'a Story,
    pub(crate) orders: &'a [Order],
    pub(crate) ledger: Mutex<Ledger>,
}

impl People<'_> {
    /// All orders, to the last repeat.
    pub(crate) async fn shop(&self) {
        let start = Instant::now();
        join_all(self.orders.iter().map(async |order| {
            sleep_until(start + order.at).await;
            self.report(order).await;
        }))
        .await;
    }

    async fn report(&self, order: &Order) {
        join_all((0..order.at_once).map(|_| self.call(order))).await;
        let conflict = async {
            if let Some(after) = order.conflict {
                sleep(after).await;
                self.call_as_another(order).await;
            }
        };
        let repeats = async {
            for after in &order.repeats {
                sleep(*after).await;
                self.call(order).await;
            }
        };
        let asks = join_all(order.asks_after.iter().map(async |after| {
            sleep(*after).await;
            self.ask(order).await;
        }));
        tokio::join!(conflict, repeats, asks);
    }

    fn body(&self, order: &Order, user: &str) -> Value {
        let mut body = json!({"userId": user, "chatId": self.world.chats[order.chat]});
        if order.transaction {
            body["transactionId"] = json!(format!("T{}", order.number));
        }
        body
    }

    /// Calls until it is accepted.
    async fn call(&self, order: &Order) {
        let body = self.body(order, &format!("u{}", order.number));
        let key = order.key.then(|| format!("K{}", order.number));
        let told = self.until_told(&body, key.as_deref()).await;
        let mut ledger = self.ledger();
        match told {
            Some(told) if told.status == 200 => {
                let id = told.body["requestId"].as_str().unwrap_or_default();
                let ids = ledger.ids.entry(order.number).or_default();
                ids.insert(id.to_owned());
            }
            told => ledger
                .wrong
                .push(format!("I2: order {} was answered {told:?}", order.number)),
        }
    }

    /// Another user reports the same transaction: a conflict, and nothing changes.
    async fn call_as_another(&self, order: &Order) {
        let body = self.body(order, "thief");
        let told = self.until_told(&body, None).await;
        if told.as_ref().is_none_or(|told| told.status != 409) {
            let wrong = format!("I1: order {} of another user: {told:?}", order.number);
            self.ledger().wrong.push(wrong);
        }
    }

    async fn until_told(&self, body: &Value, key: Option<&str>) -> Option<Told> {
        let mut nap = Duration::from_secs(1);
        for _ in 0..SHOP_TRIES {
            let told = self.world.buy_as(body, key).await;
            let status = told.as_ref().map(|told| told.status);
            self.story
                .tell(format_args!("shop: {body} is answered {status:?}"));
            if let Some(told) = told.filter(|told| told.status < 500) {
                return Some(told);
            }
            sleep(nap).await;
            nap = (nap * 2).min(Duration::from_secs(30));
        }
        None
    }

    async fn ask(&self, order: &Order) {
        let id = self
            .ledger()
            .ids
            .get(&order.number)
            .and_then(|ids| ids.first().cloned());
        let Some(id) = id else {
            return;
        };
        let status = self.world.status_of(&id).await;
        let shown = status.as_ref().map(|status| status["status"].clone());
        self.story
            .tell(format_args!("customer {}: sees {shown:?}", order.number));
    }

    /// Waits for letters and acts on them, for ever.
    pub(crate) async fn live(&self, post: &mut Post) {
        loop {
            let next = self.step(post).await;
            sleep_until(next).await;
        }
    }

    /// Reads new letters, does what is due, and answers when to look again.
    pub(crate) async fn step(&self, post: &mut Post) -> Instant {
        let now = Instant::now();
        let ingested = self.world.webengage.ingested_count();
        if ingested > post.read {
            let events = self.world.webengage.ingested();
            let new = usize::try_from(ingested - post.read).unwrap_or_default();
            for event in &events[events.len().saturating_sub(new)..] {
                self.read(post, &event.body, now);
            }
            post.read = ingested;
        }
        while post.plans.peek().is_some_and(|plan| plan.at <= now) {
            if let Some(plan) = post.plans.pop() {
                self.act(post, plan);
            }
        }
        let next = post.plans.peek().map(|plan| plan.at);
        next.unwrap_or(now + POST).min(now + POST)
    }

    fn read(&self, post: &mut Post, body: &Value, now: Instant) {
        let user = body["userId"].as_str().unwrap_or_default();
        let number = user.strip_prefix('u').and_then(|user| user.parse().ok());
        let order = number.and_then(|number: usize| {
            let mut orders = self.orders.iter();
            orders.find(|order| order.number == number)
        });
        let link = body["eventData"]["inviteLink"].as_str();
        let (Some(order), Some(link)) = (order, link) else {
            return;
        };
        if body["eventData"].get("telegramUserId").is_some() || !post.known.insert(link.to_owned())
        {
            return;
        }
        let Some(after) = order.taps_after else {
            return;
        };
        post.plan(now + after, order.number, link, Act::Tap);
    }

    fn act(&self, post: &mut Post, plan: Planned) {
        let Planned {
            order: number,
            link,
            act,
            ..
        } = plan;
        let Some(order) = self.orders.iter().find(|order| order.number == number) else {
            return;
        };
        let (customer, now) = (10_000 + number as i64, Instant::now());
        match act {
            Act::Tap => {
                let strangers =
                    (0..order.strangers).map(|n| 1_000_000 + 10 * customer + i64::from(n));
                let mut people: Vec<i64> = strangers.chain([customer]).collect();
                fastrand::shuffle(&mut people);
                for person in people {
                    let tap = self.tap(&link, person);
                    if tap == Tap::Joined
                        && let Some(after) = order.leaves_after
                    {
                        post.plan(now + after, number, &link, Act::Leave { person, waits: 0 });
                    }
                }
            }
            Act::Leave { person, waits } => {
                let Some(known) = self.world.telegram.link(&link) else {
                    return;
                };
                // Until it is revoked a link works again when its user leaves: that is Telegram's, and no fault.
                if !known.revoked {
                    if waits < 500 {
                        let again = Act::Leave {
                            person,
                            waits: waits + 1,
                        };
                        post.plan(now + Duration::from_secs(600), number, &link, again);
                    }
                    return;
                }
                self.world.telegram.leave(known.chat_id, person);
                for person in [person, 5_000_000 + person] {
                    let tap = self.tap(&link, person);
                    if tap == Tap::Joined {
                        let wrong = format!("I1: {person} came by a used link");
                        self.ledger().wrong.push(wrong);
                    }
                }
            }
        }
    }

    fn tap(&self, link: &str, person: i64) -> Tap {
        let sees = self.world.telegram.link(link).is_some_and(|link| {
            let kicked = &self.sky.weather().kicked;
            !kicked.contains(&(link.creator_bot_id, link.chat_id))
        });
        let tap = if sees {
            self.world.tap(link, person)
        } else {
            // Nobody is told of it.
            let user = simulators::telegram::User::new(person);
            self.world.telegram.tap(link, user)
        };
        self.story
            .tell(format_args!("person {person}: taps, {tap:?}"));
        tap
    }

    pub(crate) fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the customers know and mean to do.
#[derive(Debug, Default)]
pub(crate) struct Post {
    read: u64,
    known: BTreeSet<String>,
    plans: BinaryHeap<Planned>,
    drawn: u64,
}

impl Post {
    /// Whether somebody still means to do something.
    pub(crate) fn is_idle(&self, world: &World) -> bool {
        self.plans.is_empty() && self.read == world.webengage.ingested_count()
    }

    fn plan(&mut self, at: Instant, order: usize, link: &str, act: Act) {
        self.drawn += 1;
        let number = self.drawn;
        let link = link.to_owned();
        self.plans.push(Planned {
            at,
            number,
            order,
            link,
            act,
        });
    }
}

#[derive(Debug)]
enum Act {
    Tap,
    Leave { person: i64, waits: u32 },
}

#[derive(Debug)]
struct Planned {
    at: Instant,
    number: u64,
    order: usize,
    link: String,
    act: Act,
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
