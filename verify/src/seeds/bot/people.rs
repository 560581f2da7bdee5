//! Buyers of claim links and those who have them, too: who taps, asks, blocks, leaves, comes back, moves and writes. Each does
//! again what came to nothing, as people do, until there is no excuse left.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use domain::time::Timestamp;
use futures_util::future::join_all;
use serde_json::json;
use simulators::telegram::{Conversation, Tap, User};
use tokio::time::{Instant, sleep, sleep_until};

use super::super::clients::Clients;
use super::super::payment::{ClaimPlan, Mover, Payment, Voided};

/// How long what people do may come to nothing, after the faults.
const PROGRESS: Duration = Duration::from_secs(3 * 3600);
/// How soon they look what became of it, at first and at most.
const LOOKS: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(60)];
/// How long they wait until they do it again, at first and at most: apps refuse who asks five times in a quarter of an hour.
const PATIENCE: [Duration; 2] = [Duration::from_secs(240), Duration::from_secs(3600)];

/// Who is in a chat in the end, and who is not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Whereabouts {
    pub(crate) chat: i64,
    pub(crate) inside: Option<i64>,
    pub(crate) outside: Vec<i64>,
}

/// Who asks at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    /// Somebody who has no seat, as far as they know.
    Unentitled,
    /// Somebody who was told to.
    Entitled,
    /// The same, in vain so far.
    Again,
}

/// Somebody who was entitled asked at the door.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) chat: i64,
    pub(crate) person: i64,
    pub(crate) at: Timestamp,
}

/// What people did, and what they must find in the end.
#[derive(Debug, Default)]
pub(crate) struct Lived {
    pub(crate) wrong: Vec<String>,
    pub(crate) whereabouts: Vec<Whereabouts>,
    pub(crate) asks: Vec<Ask>,
    /// Who took a request back, to ask anew.
    pub(crate) withdrawn: Vec<i64>,
    /// What was written, by whom, in order.
    pub(crate) said: Vec<(i64, String)>,
    /// Who blocked the bot for a while.
    pub(crate) blocked: Vec<i64>,
}

/// All who have to do with claim links, or write.
pub(crate) struct People<'a> {
    pub(crate) clients: &'a Clients<'a>,
    /// When the faults are over.
    pub(crate) faults_end: Instant,
    /// The request link of each chat that is claimed.
    pub(crate) doors: Vec<Option<String>>,
    pub(crate) lived: Mutex<Lived>,
}

impl<'a> People<'a> {
    /// Those of a world whose faults last so long from now.
    ///
    /// # Errors
    /// What DynamoDB says.
    pub(crate) async fn new(clients: &'a Clients<'a>, faults: Duration) -> anyhow::Result<Self> {
        let mut doors = Vec::new();
        for chat in &clients.world.chats {
            doors.push(clients.world.door(*chat).await?);
        }
        Ok(Self {
            clients,
            faults_end: Instant::now() + faults,
            doors,
            lived: Mutex::default(),
        })
    }

    /// All that they do.
    pub(crate) async fn live(&self) {
        let start = Instant::now();
        join_all(self.clients.payments.iter().map(async |payment| {
            sleep_until(start + payment.at).await;
            tokio::join!(self.claim(payment), self.talk(payment));
        }))
        .await;
    }

    pub(crate) fn lived(&self) -> MutexGuard<'_, Lived> {
        self.lived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn talk(&self, payment: &Payment) {
        let person = buyer(payment);
        let world = self.clients.world;
        for (number, after) in payment.words.iter().enumerate() {
            sleep(*after).await;
            let words = format!("word {person} {number}");
            let place = Conversation::private(world.bots[0], person);
            world.telegram.says(place, &User::new(person), &words);
            self.tell(person, &format!("writes {number}"));
            self.lived().said.push((person, words));
        }
    }

    async fn claim(&self, payment: &Payment) {
        let Some(plan) = &payment.claim else {
            return;
        };
        let mut whereabouts = Whereabouts {
            chat: self.clients.world.chats[payment.chat],
            inside: None,
            outside: Vec::new(),
        };
        if let Err(error) = self.claim_as(payment, plan, &mut whereabouts).await {
            let number = payment.number;
            let wrong = format!("liveness: payment {number}: {error:#}");
            self.lived().wrong.push(wrong);
            return;
        }
        self.lived().whereabouts.push(whereabouts);
    }

    async fn claim_as(
        &self,
        payment: &Payment,
        plan: &ClaimPlan,
        found: &mut Whereabouts,
    ) -> anyhow::Result<()> {
        let world = self.clients.world;
        let (me, [rival, stranger, other]) = (buyer(payment), others(payment));
        found.outside = vec![me, rival, stranger, other];
        let Some(after) = plan.taps_after else {
            return Ok(());
        };
        let door = self.doors[payment.chat].as_deref();
        let Some((id, link)) = self.link_of(payment).await? else {
            return Ok(());
        };
        sleep(after).await;
        if let (true, Some(door)) = (plan.asks_first, door) {
            self.ask(me, found.chat, door, Asking::Unentitled);
        }
        if plan.voided == Some(Voided::BeforeClaim) {
            self.shop_until_answered(&id, "void", &json!({})).await?;
        }
        let mut taps = vec![me; plan.taps];
        if plan.has_rival {
            taps.push(rival);
        }
        fastrand::shuffle(&mut taps);
        for person in taps {
            self.tap_claim(person, &link)?;
        }
        if plan.voided == Some(Voided::BeforeClaim) {
            if let Some(door) = door {
                self.ask(me, found.chat, door, Asking::Unentitled);
            }
            return Ok(());
        }
        let has_way = |person: i64| world.way_in(person).is_some();
        if let Some(time) = plan.blocks_for {
            let (bot, user) = (world.bots[0], User::new(me));
            self.lived().blocked.push(me);
            world.telegram.blocks(bot, &user);
            self.tell(me, "blocks the bot");
            sleep(time).await;
            let start = || {
                world.telegram.presses_start(bot, &user, "");
                self.tell(me, "is back");
                Ok(())
            };
            self.until("is told what was missed", start, || has_way(me))
                .await?;
        }
        let is_failed = self.is_failed(payment).await;
        let tap = || self.tap_claim(me, &link);
        let is_told = || has_way(me) || has_way(rival);
        if !is_told() && (is_failed || !self.until_told(payment, tap, is_told).await?) {
            return Ok(());
        }
        if plan.has_stranger {
            self.tap_claim(stranger, &link)?;
        }
        let holder = match (has_way(me), has_way(rival)) {
            (true, false) => me,
            (false, true) => rival,
            _ => anyhow::bail!("I11: {me} and {rival} both have a way in"),
        };
        let Some(door) = door else {
            let tap = || {
                let ways = world.ways_in(holder);
                if let Some(way) = ways.last() {
                    self.clients.tap(way, holder);
                }
                Ok(())
            };
            let is_in = || world.telegram.status(found.chat, holder).is_present();
            self.until("comes in by the link", tap, is_in).await?;
            found.holds(holder);
            return Ok(());
        };
        if plan.voided == Some(Voided::AfterClaim) {
            self.shop_until_answered(&id, "void", &json!({})).await?;
            self.ask(holder, found.chat, door, Asking::Unentitled);
            return Ok(());
        }
        for person in [me, rival, stranger] {
            let has_come = match person {
                _ if person == rival => plan.has_rival,
                _ if person == stranger => plan.has_stranger,
                _ => true,
            };
            if has_come && person != holder {
                self.ask(person, found.chat, door, Asking::Unentitled);
            }
        }
        self.comes_in(holder, found.chat, door).await?;
        found.holds(holder);
        if let Some(after) = plan.leaves_after {
            sleep(after).await;
            while !self.is_watched(found.chat) {
                sleep(LOOKS[1]).await;
            }
            world.telegram.leave(found.chat, holder);
            self.tell(holder, "leaves");
            sleep(LOOKS[0]).await;
            self.comes_in(holder, found.chat, door).await?;
        }
        let Some(mover) = plan.moved_by else {
            return Ok(());
        };
        let new = self.moves(mover, holder, &id, &link).await?;
        let claim = || self.tap_claim(other, &new);
        self.until("claims a seat that moves", claim, || has_way(other))
            .await?;
        // What was good once.
        self.tap_claim(stranger, &link)?;
        self.comes_in(other, found.chat, door).await?;
        let is_out = || !world.telegram.status(found.chat, holder).is_present();
        self.until("is out after the move", || Ok(()), is_out)
            .await?;
        found.holds(other);
        found.outside.push(holder);
        Ok(())
    }

    /// Does something again and again until `is_done`.
    async fn until(
        &self,
        what: &str,
        mut act: impl FnMut() -> anyhow::Result<()>,
        is_done: impl Fn() -> bool,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now().max(self.faults_end) + PROGRESS;
        let mut patience = PATIENCE[0];
        loop {
            act()?;
            let (again, mut nap) = (Instant::now() + patience, LOOKS[0]);
            while Instant::now() < again {
                if is_done() {
                    return Ok(());
                }
                anyhow::ensure!(Instant::now() < deadline, "nobody ever {what}");
                sleep(nap).await;
                nap = nap.mul_f64(1.5).min(LOOKS[1]);
            }
            patience = (patience * 2).min(PATIENCE[1]);
        }
    }

    /// Claims until somebody is told the way in; not if the link can't be made for good.
    async fn until_told(
        &self,
        payment: &Payment,
        claim: impl FnMut() -> anyhow::Result<()>,
        is_told: impl Fn() -> bool,
    ) -> anyhow::Result<bool> {
        let told = self.until("has a way in", claim, &is_told).await;
        match told {
            Err(_) if self.is_failed(payment).await => Ok(false),
            told => told.map(|()| true),
        }
    }

    /// The request of a payment and its claim link, as soon as its shop has them; none if it failed.
    async fn link_of(&self, payment: &Payment) -> anyhow::Result<Option<(String, String)>> {
        let deadline = Instant::now().max(self.faults_end) + PROGRESS;
        let name = match self.doors[payment.chat] {
            Some(_) => "inviteLink",
            None => "claimLink",
        };
        let mut nap = LOOKS[0];
        loop {
            let id = {
                let purchases = self.clients.purchases();
                let ids = purchases.ids.get(&payment.number);
                ids.and_then(|ids| ids.first().cloned())
            };
            if let Some(id) = id
                && let Some(status) = self.clients.world.status_of(&id).await
            {
                if let Some(link) = status[name].as_str() {
                    return Ok(Some((id, link.to_owned())));
                }
                if status["status"] == "FAILED" {
                    return Ok(None);
                }
            }
            anyhow::ensure!(Instant::now() < deadline, "there is never a {name}");
            sleep(nap).await;
            nap = nap.mul_f64(1.5).min(LOOKS[1]);
        }
    }

    async fn is_failed(&self, payment: &Payment) -> bool {
        let id = {
            let purchases = self.clients.purchases();
            let ids = purchases.ids.get(&payment.number);
            ids.and_then(|ids| ids.first().cloned())
        };
        let status = match id {
            Some(id) => self.clients.world.status_of(&id).await,
            None => None,
        };
        status.is_some_and(|status| status["status"] == "FAILED")
    }

    async fn shop_until_answered(
        &self,
        id: &str,
        action: &str,
        body: &serde_json::Value,
    ) -> anyhow::Result<serde_json::Value> {
        let deadline = Instant::now().max(self.faults_end) + PROGRESS;
        loop {
            let reply = self.clients.world.change(id, action, body).await;
            let status = reply.as_ref().map(|reply| reply.status);
            let words = format_args!("shop: {action} is answered {status:?}");
            self.clients.trace.tell(words);
            if let Some(reply) = reply.filter(|reply| reply.status < 500) {
                anyhow::ensure!(reply.status == 200, "{action}: {reply:?}");
                return Ok(reply.body);
            }
            anyhow::ensure!(Instant::now() < deadline, "{action} is never answered");
            sleep(LOOKS[1]).await;
        }
    }

    /// Has a seat moved; answers the next claim link.
    async fn moves(
        &self,
        mover: Mover,
        holder: i64,
        id: &str,
        link: &str,
    ) -> anyhow::Result<String> {
        let world = self.clients.world;
        let body = json!({"claimVersion": 0});
        match mover {
            Mover::Shop => {
                self.shop_until_answered(id, "rebind", &body).await?;
            }
            Mover::Operator => {
                let deadline = Instant::now().max(self.faults_end) + PROGRESS;
                loop {
                    let reply = world.operate(&format!("invites/{id}/rebind"), &body).await;
                    if reply.as_ref().is_some_and(|reply| reply.status == 200) {
                        break;
                    }
                    anyhow::ensure!(Instant::now() < deadline, "rebind: {reply:?}");
                    sleep(LOOKS[1]).await;
                }
            }
            Mover::Holder => {
                let place = Conversation::private(world.bots[0], holder);
                let told = || {
                    let messages = world.messages_to(holder).into_iter();
                    let words = messages.flat_map(|message| {
                        let words = message.text.split_whitespace();
                        words.map(str::to_owned).collect::<Vec<_>>()
                    });
                    let mut links = words.filter(|word| word.contains("?start=c_"));
                    links.find(|word| word != link)
                };
                let press = || {
                    let below = world.messages_to(holder).pop().context("no message")?;
                    let user = User::new(holder);
                    let data = format!("~move:{id}:0");
                    let asked =
                        world
                            .telegram
                            .sends_callback(place, &user, below.message_id, &data);
                    asked.map(|_| ()).context("a message without buttons")
                };
                let is_told = || told().is_some();
                self.until("is told the link of a move", press, is_told)
                    .await?;
                return told().context("no link");
            }
        }
        let deadline = Instant::now().max(self.faults_end) + PROGRESS;
        loop {
            let status = world.status_of(id).await.unwrap_or_default();
            match status["inviteLink"].as_str() {
                Some(new) if new != link => return Ok(new.to_owned()),
                _ => {}
            }
            anyhow::ensure!(Instant::now() < deadline, "the link never changes");
            sleep(LOOKS[1]).await;
        }
    }

    fn tap_claim(&self, person: i64, link: &str) -> anyhow::Result<()> {
        self.tell(person, "taps a claim link");
        self.clients.world.claim(link, person)
    }

    /// Whether the bots are told what happens in a chat: one that was thrown out is not, and nobody tells it afterwards.
    fn is_watched(&self, chat: i64) -> bool {
        let door_bot = self.clients.world.bots[0];
        let rates = self.clients.active_faults.rates();
        !rates.kicked.contains(&(door_bot, chat))
    }

    /// Asks at the door; whoever asks in vain for long takes it back and asks anew.
    fn ask(&self, person: i64, chat: i64, door: &str, asking: Asking) {
        if !self.is_watched(chat) {
            return;
        }
        let world = self.clients.world;
        let mut tap = world.telegram.tap(door, User::new(person));
        if tap == Tap::AlreadyRequested && asking == Asking::Again {
            world.telegram.withdraws(chat, person);
            self.lived().withdrawn.push(person);
            tap = world.telegram.tap(door, User::new(person));
        }
        self.tell(person, &format!("asks at the door, {tap:?}"));
        if tap == Tap::Requested && asking != Asking::Unentitled {
            let at = world.clock.now();
            self.lived().asks.push(Ask { chat, person, at });
        }
    }

    async fn comes_in(&self, person: i64, chat: i64, door: &str) -> anyhow::Result<()> {
        let mut asking = Asking::Entitled;
        let ask = || {
            self.ask(person, chat, door, asking);
            asking = Asking::Again;
            Ok(())
        };
        let telegram = &self.clients.world.telegram;
        let is_in = || telegram.status(chat, person).is_present();
        self.until("comes in at the door", ask, is_in).await
    }

    fn tell(&self, person: i64, words: &str) {
        let trace = self.clients.trace;
        trace.tell(format_args!("person {person}: {words}"));
    }
}

impl Whereabouts {
    fn holds(&mut self, person: i64) {
        self.inside = Some(person);
        self.outside.retain(|other| *other != person);
    }
}

fn number(payment: &Payment) -> i64 {
    i64::try_from(payment.number).unwrap_or_default()
}

/// Who paid.
fn buyer(payment: &Payment) -> i64 {
    10_000 + number(payment)
}

/// Who has the link at the same time, who gets it later, and the other account of whoever has the seat.
fn others(payment: &Payment) -> [i64; 3] {
    [6_000_000, 7_000_000, 8_000_000].map(|first| first + number(payment))
}
