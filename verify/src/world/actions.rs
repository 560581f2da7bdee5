//! What is done in a world, and what is asked of it.

use super::*;

impl World {
    /// Somebody taps a link.
    pub fn tap(&self, link: &str, person: i64) -> simulators::telegram::Tap {
        let tap = self.telegram.tap(link, User::new(person));
        if tap == simulators::telegram::Tap::Joined {
            let at = self.clock.now();
            let link = link.to_owned();
            self.observed().joins.push(Join { link, person, at });
        }
        tap
    }

    /// Lets time pass.
    pub async fn wait(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Whether anything is under way: messages, updates, invocations.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let queues = [INVITES.queue, EVENTS.queue, PAYMENTS.queue];
        let left: u64 = queues
            .iter()
            .filter_map(|queue| self.aws.queue_depth(queue))
            .map(simulators::aws::sqs::Depth::total)
            .sum();
        let pending: usize = self
            .bots
            .iter()
            .map(|bot| self.telegram.pending_updates(*bot))
            .sum();
        let by_clock = self.schedules.running.load(Ordering::SeqCst);
        left == 0 && pending == 0 && self.running() + by_clock == 0
    }

    /// Whether nothing is left to do: nothing is under way, no task is due ever, no event is pending, the pool is full.
    ///
    /// # Errors
    /// What DynamoDB says.
    pub async fn is_quiet(&self) -> anyhow::Result<bool> {
        if !self.is_idle() {
            return Ok(false);
        }
        for chat in &self.chats {
            let bots = self.bots.iter().map(|bot| format!("bot#{bot}"));
            let mints = (0..4).map(|shard| format!("mint#{shard}"));
            for lane in mints.chain(bots).chain(["fill".to_owned()]) {
                if !self.is_lane_empty(&format!("{chat}#{lane}")).await? {
                    return Ok(false);
                }
            }
        }
        for shard in PendingShard::all() {
            if self.has_pending(&shard.to_string()).await? {
                return Ok(false);
            }
        }
        let target = self.pool_target() * self.chats.len();
        Ok(target == 0 || self.pooled().await? >= target)
    }

    pub(super) async fn is_lane_empty(&self, lane: &str) -> anyhow::Result<bool> {
        let call = self.admin.dynamodb().query().table_name("ChatTasks");
        let call = call
            .key_condition_expression("lane = :lane")
            .expression_attribute_values(":lane", AttributeValue::S(lane.to_owned()));
        Ok(call.limit(1).send().await?.count == 0)
    }

    async fn has_pending(&self, shard: &str) -> anyhow::Result<bool> {
        let call = self.admin.dynamodb().query().table_name("InviteRequests");
        let call = call
            .index_name("Pending")
            .key_condition_expression("pendingShard = :shard")
            .expression_attribute_values(":shard", AttributeValue::S(shard.to_owned()));
        Ok(call.limit(1).send().await?.count > 0)
    }

    /// How many links the pool of each chat is to hold.
    #[must_use]
    pub fn pool_target(&self) -> usize {
        self.pool_target.load(Ordering::SeqCst)
    }

    /// Deploys the worker with another target. The shop's function may go on with the one before.
    pub fn set_pool_target(&self, target: usize) {
        self.pool_target.store(target, Ordering::SeqCst);
        self.workers
            .redeploy("LINK_POOL_TARGET", &target.to_string());
    }

    /// How many slots hold a link that are to hold one.
    ///
    /// # Errors
    /// What DynamoDB says.
    pub async fn pooled(&self) -> anyhow::Result<usize> {
        let target = self.pool_target() as u64;
        let pooled = self.items("LinkPool").await?;
        let within = pooled
            .iter()
            .filter(|item| item["slot"].as_u64() < Some(target));
        Ok(within.count())
    }

    /// Waits until nothing is left to do.
    ///
    /// # Errors
    /// If there is still something after 40 days of the world's time.
    pub async fn run_until_idle(&self) -> anyhow::Result<()> {
        let start = Instant::now();
        let mut nap = Duration::from_millis(100);
        while !self.is_quiet().await? {
            let depths = [INVITES.queue, EVENTS.queue].map(|queue| self.aws.queue_depth(queue));
            anyhow::ensure!(
                start.elapsed() < SETTLE_MAX,
                "not settled after {SETTLE_MAX:?}: queues {depths:?}, tasks {:?}",
                self.items("ChatTasks").await?
            );
            tokio::time::sleep(nap).await;
            nap = (nap * 2).min(Duration::from_secs(30));
        }
        Ok(())
    }

    /// Sends a message to a queue, past the functions.
    ///
    /// # Errors
    /// What SQS says.
    pub async fn send(&self, queue: &str, body: &Value) -> anyhow::Result<()> {
        let call = self.admin.sqs().send_message();
        call.queue_url(self.aws.queue_url(queue))
            .message_body(body.to_string())
            .send()
            .await?;
        Ok(())
    }

    /// SQS requests of bells: sent, received and deleted.
    #[must_use]
    pub fn bell_calls(&self) -> u64 {
        let calls = ["SendMessage", "ReceiveMessage", "DeleteMessageBatch"];
        let calls = calls.iter();
        calls
            .map(|operation| self.wire.count("SQS", operation, INVITES.queue))
            .sum()
    }

    /// Writes of leases.
    #[must_use]
    pub fn lease_writes(&self) -> u64 {
        self.wire.count("DynamoDB", "UpdateItem", "RateLimits")
    }

    /// Loses all messages of a queue; SQS does it once a minute, and what it refuses before that stays.
    ///
    /// # Errors
    /// What SQS says.
    pub async fn purge(&self, queue: &str) -> anyhow::Result<()> {
        let call = self.admin.sqs().purge_queue();
        match call.queue_url(self.aws.queue_url(queue)).send().await {
            Err(refused)
                if refused
                    .as_service_error()
                    .is_some_and(|refused| refused.is_purge_queue_in_progress()) =>
            {
                Ok(())
            }
            purged => Ok(purged.map(|_| ())?),
        }
    }

    /// Changes the lease of the first chat, past the functions.
    ///
    /// # Errors
    /// What DynamoDB says.
    pub async fn set_lease(&self, attribute: &str, number: i64) -> anyhow::Result<()> {
        let call = self.admin.dynamodb().update_item();
        call.table_name("RateLimits")
            .key("limitKey", AttributeValue::S(self.chats[0].to_string()))
            .update_expression("SET #name = :value")
            .expression_attribute_names("#name", attribute)
            .expression_attribute_values(":value", AttributeValue::N(number.to_string()))
            .send()
            .await?;
        Ok(())
    }

    /// All items of a table. Only a test may scan.
    ///
    /// # Errors
    /// What DynamoDB says.
    #[expect(clippy::disallowed_methods, reason = "a test reads all there is")]
    pub async fn items(&self, table: &str) -> anyhow::Result<Vec<Value>> {
        let dynamo = self.admin.dynamodb();
        let mut pages = dynamo.scan().table_name(table).into_paginator().send();
        let mut items = Vec::new();
        while let Some(page) = pages.next().await {
            items.extend(page?.items.unwrap_or_default().iter().map(plain));
        }
        Ok(items)
    }

    pub(crate) fn observed(&self) -> std::sync::MutexGuard<'_, Observed> {
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
