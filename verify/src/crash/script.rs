//! What happens in each flow.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::join_all;
use local::resources::{EVENTS, INVITES};
use serde_json::json;
use simulators::aws::{FaultRule as AwsRule, Service, WireFault};
use simulators::telegram::{
    ChatKind, Conversation, Fault, FaultRule, Rights, SeenMessage, Tap, User,
};
use simulators::webengage::Mode;
use tokio::time::Instant;

use super::flow::{DESK, Flow};
use super::flow_runner::FlowRunner;
use super::payment::Payment;

/// The group that a chat becomes.
const NEW_CHAT: i64 = -1_002_000_000_000;
/// The method whose faults are run.
const MINT: &str = "createChatInviteLink";

impl FlowRunner {
    /// Runs a flow until all is quiet.
    pub(super) async fn run(&self, flow: Flow) -> anyhow::Result<()> {
        let (world, payments) = (&self.world, flow.payments());
        let chat = world.chats[0];
        let fail = |fault| world.telegram.fail(FaultRule::on(MINT, fault).times(1));
        match flow {
            Flow::Request
            | Flow::RequestInWindow
            | Flow::RequestByKey
            | Flow::Mint
            | Flow::Copies
            | Flow::TwoUsers
            | Flow::Concurrent => {}
            Flow::MintLimited => fail(Fault::TooManyRequests { retry_after: 3 }),
            Flow::MintTimedOut => fail(Fault::AnswerLate(Duration::from_secs(25))),
            Flow::MintNotSingleUse => fail(Fault::WrongMemberLimit(None)),
            Flow::GivenUp => world.telegram.fail(FaultRule::on(MINT, Fault::Internal)),
            Flow::Poison => {
                for queue in [INVITES.queue, EVENTS.queue] {
                    world.send(queue, &json!({"kind": "nonsense"})).await?;
                }
            }
            Flow::Moved => world.telegram.migrate_chat(chat, NEW_CHAT),
            Flow::ChatBroken => world.telegram.demote_bot(world.bots[0], chat),
            // As if two holders had died: then one task at a time is named before it is begun.
            Flow::Careful => world.set_lease("deaths", 2).await?,
            Flow::Revoke | Flow::Join => {
                self.sell(&payments[0]).await?;
                self.run_until_idle().await?;
                let link = self.link_of(&payments[0]).await?;
                self.call_sites.open();
                self.join(&link, 1000)?;
                return self.quiet().await;
            }
            Flow::EarlyJoin | Flow::Outage => return self.run_through_an_outage(flow).await,
            Flow::Events | Flow::TwoBots => {}
            Flow::PoolTaken | Flow::PoolFilled | Flow::PoolTooOld => {
                return self.run_pool(flow).await;
            }
            Flow::Reissued | Flow::Restored => return self.run_reissue(flow).await,
            Flow::Tick => return self.run_tick(&payments[0]).await,
            Flow::Sweeper => return self.run_sweeper(&payments[0]).await,
            Flow::Claim => return self.run_claim(&payments[0]).await,
            Flow::ClaimBeside => return self.run_claim_beside(&payments[0]).await,
            Flow::Move => return self.run_move(&payments[0]).await,
            Flow::Relay => return self.run_relay().await,
            Flow::Topic => return self.run_topic().await,
            Flow::Endpoint => return self.run_endpoint(&payments[0]).await,
            Flow::Actor => return self.run_actor().await,
            Flow::Checkout
            | Flow::Paid
            | Flow::Nowpayments
            | Flow::Stars
            | Flow::Refund
            | Flow::Payout => return self.run_orders(flow).await,
        }
        self.call_sites.open();
        if flow == Flow::Concurrent {
            // One after the other, so that they have an order.
            for payment in &payments {
                self.sell(payment).await?;
                world.wait(Duration::from_millis(50)).await;
            }
        }
        for reply in join_all(payments.iter().map(|payment| self.sell(payment))).await {
            reply?;
        }
        if flow == Flow::Poison {
            // It is shown for 45 minutes; the calls of the ticks meanwhile are like those of any other flow.
            world.wait(Duration::from_secs(30)).await;
            self.call_sites.close();
        }
        if flow == Flow::ChatBroken {
            world.wait(Duration::from_secs(100)).await;
            world
                .telegram
                .make_admin(world.bots[0], chat, Rights::all());
        }
        self.run_until_idle().await?;
        if matches!(flow, Flow::Events | Flow::TwoBots) {
            for (payment, person) in payments.iter().zip(1000..) {
                self.join(&self.link_of(payment).await?, person)?;
            }
        }
        self.quiet().await
    }

    /// A claim link is bought, its buyer and a stranger tap it, and whoever was first asks to be let in.
    async fn run_claim(&self, payment: &Payment) -> anyhow::Result<()> {
        self.call_sites.open();
        self.sell(payment).await?;
        let link = self.link_of(payment).await?;
        let people = [1000, 1001];
        for person in people {
            self.world.claim(&link, person)?;
        }
        self.run_until_told().await?;
        for person in people {
            let told = self.world.messages_to(person).len();
            anyhow::ensure!(told == 1, "{person} was told {told} times");
        }
        let ways: Vec<(i64, String)> = people
            .into_iter()
            .filter_map(|person| Some((person, self.world.way_in(person)?)))
            .collect();
        let [(holder, door)] = &ways[..] else {
            anyhow::bail!("{} of two have a way in", ways.len());
        };
        for person in people {
            let tap = self.world.tap(door, person);
            anyhow::ensure!(tap == Tap::Requested, "{person} tapped and got {tap:?}");
        }
        self.run_until_told().await?;
        let chat = self.world.chats[0];
        for person in people {
            let is_in = self.world.telegram.status(chat, person).is_present();
            anyhow::ensure!(is_in == (person == *holder), "{person} is in: {is_in}");
        }
        // The request of whoever came second is declined a minute later.
        self.world.wait(Duration::from_secs(130)).await;
        self.quiet().await
    }

    /// A payment of a chat that is not claimed is claimed by one of two before its link is made, and they join by it.
    async fn run_claim_beside(&self, payment: &Payment) -> anyhow::Result<()> {
        let world = &self.world;
        self.call_sites.open();
        self.sell(payment).await?;
        let link = self.answered(payment, "claimLink").await?;
        let people = [1000, 1001];
        for person in people {
            world.claim(&link, person)?;
        }
        self.run_until_told().await?;
        let link = self.link_of(payment).await?;
        let told = |person| {
            let ways = world.messages_to(person).into_iter();
            let ways = ways.flat_map(|message| message.buttons.into_iter().flatten());
            ways.filter(|button| button.url.as_ref() == Some(&link))
                .count()
        };
        let [one, other] = people.map(told);
        let is_once = (one + other == 1) || (self.is_disturbed() && one + other > 1);
        let is_right = is_once && (one == 0) != (other == 0);
        anyhow::ensure!(is_right, "the link was told {one} and {other} times");
        self.join(&link, if one > 0 { people[0] } else { people[1] })?;
        self.quiet().await
    }

    /// The seat of somebody who is inside moves, and two people tap the new claim link: one of them comes in, and whoever
    /// had it is out.
    async fn run_move(&self, payment: &Payment) -> anyhow::Result<()> {
        let (world, chat) = (&self.world, self.world.chats[0]);
        let (holder, people) = (1000, [1001, 1002]);
        self.sell(payment).await?;
        world.claim(&self.link_of(payment).await?, holder)?;
        self.run_until_told().await?;
        let door = world.way_in(holder).context("the holder has no way in")?;
        anyhow::ensure!(world.tap(&door, holder) == Tap::Requested, "no request");
        self.run_until_told().await?;
        let is_in = |person| world.telegram.status(chat, person).is_present();
        anyhow::ensure!(is_in(holder), "the holder is not in");

        self.call_sites.open();
        self.rebind().await?;
        let link = self.link_of(payment).await?;
        for person in people {
            world.claim(&link, person)?;
        }
        self.run_until_told().await?;
        let ways: Vec<i64> = people
            .into_iter()
            .filter(|person| world.way_in(*person).is_some())
            .collect();
        let [next] = ways[..] else {
            anyhow::bail!("{} of two have a way in", ways.len());
        };
        for person in people {
            world.tap(&door, person);
        }
        // A call that nobody knows the end of is looked after a minute later, and then a request is declined.
        world.wait(Duration::from_secs(190)).await;
        self.run_until_told().await?;
        for person in people.into_iter().chain([holder]) {
            let is_in = is_in(person);
            anyhow::ensure!(is_in == (person == next), "{person} is in: {is_in}");
        }
        self.quiet().await
    }

    /// A person writes twice at once, an operator answers, and both edit what they wrote.
    async fn run_relay(&self) -> anyhow::Result<()> {
        let (ann, olga) = self.open_desk();
        let telegram = &self.world.telegram;
        let private = Conversation::private(self.world.bots[0], ann.id);
        self.call_sites.open();
        let first = telegram.says(private, &ann, "one");
        telegram.says(private, &ann, "two");
        self.run_until_passed_on().await?;
        let topic = self.only_topic()?;
        let answer = telegram.says_in_topic(DESK, topic, &olga, "three");
        self.run_until_passed_on().await?;
        telegram.edits(private, first, "four");
        telegram.edits(Conversation::chat(DESK), answer, "five");
        self.run_until_passed_on().await?;
        let topic = self.only_topic()?;
        self.expect_shown(topic, &["four", "two"])?;
        let heard = self.world.messages_to(ann.id);
        let heard: Vec<&str> = heard.iter().map(|said| said.text.as_str()).collect();
        let answers = heard.iter().filter(|text| **text == "five").count();
        let is_right = match self.is_disturbed() {
            true => answers >= 1,
            false => answers == 1,
        };
        anyhow::ensure!(is_right, "the person heard {heard:?}");
        self.quiet().await
    }

    /// The topic of a person is deleted, and they write again.
    async fn run_topic(&self) -> anyhow::Result<()> {
        let (ann, _) = self.open_desk();
        let telegram = &self.world.telegram;
        let private = Conversation::private(self.world.bots[0], ann.id);
        telegram.says(private, &ann, "one");
        self.run_until_passed_on().await?;
        let topic = self.only_topic()?;
        telegram.deletes_topic(DESK, topic);
        self.call_sites.open();
        telegram.says(private, &ann, "two");
        self.run_until_passed_on().await?;
        let topic = self.only_topic()?;
        self.expect_shown(topic, &["two"])?;
        self.quiet().await
    }

    /// The operators' chat, and a person and an operator.
    fn open_desk(&self) -> (User, User) {
        let telegram = &self.world.telegram;
        telegram.add_chat(DESK, "Desk", ChatKind::Supergroup);
        telegram.make_forum(DESK);
        telegram.make_admin(self.world.bots[0], DESK, Rights::all());
        let olga = User::new(500).named("Olga");
        telegram.add_by_admin(DESK, olga.clone());
        (User::new(700).named("Ann"), olga)
    }

    /// Waits until whatever was written is passed on, or closed: of two topics the second one.
    async fn run_until_passed_on(&self) -> anyhow::Result<()> {
        for _ in 0..4 {
            self.run_until_told().await?;
            self.world.wait(Duration::from_secs(16)).await;
        }
        self.run_until_idle().await
    }

    /// The topic that is open.
    fn only_topic(&self) -> anyhow::Result<i64> {
        let mut topics = self.world.telegram.topics(DESK);
        topics.retain(|topic| !topic.is_closed);
        match &topics[..] {
            [topic] => Ok(topic.thread_id),
            _ => anyhow::bail!("the open topics are {topics:?}"),
        }
    }

    /// What a topic shows. What a run died over is sent again, and words that waited stand in one message.
    fn expect_shown(&self, topic: i64, expected: &[&str]) -> anyhow::Result<()> {
        let all = self.world.telegram.messages(Conversation::chat(DESK));
        let mut shown = all;
        shown.retain(|said| said.thread_id == Some(topic) && !said.is_deleted);
        for words in expected {
            let holds = |said: &&SeenMessage| said.text.lines().any(|line| line == *words);
            let times = shown.iter().filter(holds).count();
            let is_right = match self.is_disturbed() {
                true => times >= 1,
                false => times == 1,
            };
            anyhow::ensure!(is_right, "{words} is shown {times} times");
        }
        Ok(())
    }

    /// Whether somebody died, or a call was made twice: then twice is better than never.
    pub(super) fn is_disturbed(&self) -> bool {
        self.times > 1 || self.call_sites.is_disturbed()
    }

    /// As [`FlowRunner::run_until_idle`]; then a minute is over for `messenger`, which sends what nobody rang for. A private
    /// chat gets a message a second.
    pub(super) async fn run_until_told(&self) -> anyhow::Result<()> {
        self.run_until_idle().await?;
        self.world.wait(Duration::from_secs(5)).await;
        let deadline = Instant::now() + Duration::from_secs(60);
        self.world.function("messenger").tick(deadline).await;
        self.run_until_idle().await
    }

    /// Waits until nothing moves; from then on no call is a call site.
    pub(super) async fn quiet(&self) -> anyhow::Result<()> {
        self.run_until_idle().await?;
        self.call_sites.close();
        Ok(())
    }

    /// WebEngage is down while the customer joins.
    async fn run_through_an_outage(&self, flow: Flow) -> anyhow::Result<()> {
        let payment = &flow.payments()[0];
        self.world.webengage.set_mode(Mode::Down);
        if flow == Flow::Outage {
            self.call_sites.open();
        }
        self.sell(payment).await?;
        let link = self.link_of(payment).await?;
        self.call_sites.open();
        self.join(&link, 1000)?;
        self.world.wait(Duration::from_secs(10)).await;
        self.world.webengage.set_mode(Mode::Up);
        self.quiet().await
    }

    /// Links of the pool: made, sold and made again, or too old to be sold.
    async fn run_pool(&self, flow: Flow) -> anyhow::Result<()> {
        if flow == Flow::PoolFilled {
            self.call_sites.open();
        }
        self.run_until_idle().await?;
        if flow == Flow::PoolTooOld {
            self.world.wait(Duration::from_secs(290)).await;
            self.call_sites.open();
            self.world.wait(Duration::from_secs(80)).await;
            self.run_until_idle().await?;
        }
        self.call_sites.open();
        self.sell(&flow.payments()[0]).await?;
        self.quiet().await
    }

    /// An operator has a link replaced; in one of the flows somebody joins by the old one before it is revoked.
    async fn run_reissue(&self, flow: Flow) -> anyhow::Result<()> {
        let payment = &flow.payments()[0];
        self.sell(payment).await?;
        self.run_until_idle().await?;
        let link = self.link_of(payment).await?;
        if flow == Flow::Restored {
            let wait = Fault::TooManyRequests { retry_after: 5 };
            let rule = FaultRule::on("revokeChatInviteLink", wait);
            self.world.telegram.fail(rule.times(1));
        } else {
            self.call_sites.open();
        }
        self.reissue().await?;
        if flow == Flow::Restored {
            self.world.wait(Duration::from_secs(2)).await;
            self.call_sites.open();
            self.join(&link, 1000)?;
        }
        self.quiet().await
    }

    /// No bell could be sent: the tick finds the task.
    async fn run_tick(&self, payment: &Payment) -> anyhow::Result<()> {
        let wire = self.world.aws.wire();
        wire.fail(without(INVITES.queue));
        self.sell(payment).await?;
        self.world.wait(Duration::from_secs(5)).await;
        wire.clear_faults();
        self.call_sites.open();
        self.quiet().await
    }

    /// No event could be queued: the sweeper finds it pending an hour later.
    async fn run_sweeper(&self, payment: &Payment) -> anyhow::Result<()> {
        let wire = self.world.aws.wire();
        wire.fail(without(EVENTS.queue));
        self.sell(payment).await?;
        self.world.wait(Duration::from_secs(3575)).await;
        wire.clear_faults();
        self.call_sites.open();
        self.quiet().await
    }
}

/// SQS takes no message for this queue.
fn without(queue: &str) -> AwsRule {
    let rule = AwsRule::new(WireFault::InternalError).on(Service::Sqs, "SendMessage");
    rule.named(queue).always()
}
