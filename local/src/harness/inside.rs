//! What a test looks at, or puts, behind the API: queues, lanes and tables, by the real clients.

use aws_lambda_events::sqs::SqsEvent;
use domain::id::ChatId;
use domain::message::Message;
use domain::task::{Mint, Task, Work};
use domain::time::Timestamp;
use runtime::aws::Shared;
use runtime::config::Env;
use serde_json::{Value, json};
use simulators::aws::sqs::Depth;
use simulators::aws::{FaultRule, Service, WireFault};
use store::queue::MessageBells;
use store::{MessageRecord, Messages, People, Put, Tasks};

use super::TestStack;
use crate::env::env_of;
use crate::resources::INVITES;

/// Queues.
impl TestStack {
    /// How many messages a queue holds, whatever their state.
    #[must_use]
    pub fn depth(&self, queue: &str) -> u64 {
        self.aws()
            .queue_depth(queue)
            .map(Depth::total)
            .unwrap_or_default()
    }

    /// No message gets into a queue from now on, until the faults of the wire are cleared.
    pub fn queues_are_down(&self) {
        for operation in ["SendMessage", "SendMessageBatch"] {
            let rule = FaultRule::new(WireFault::InternalError).on(Service::Sqs, operation);
            self.aws().wire().fail(rule.always());
        }
    }

    /// Sends a message to a queue.
    ///
    /// # Panics
    /// If SQS does not take it.
    pub async fn send_raw(&self, queue: &str, body: &str) {
        self.sqs()
            .send_message()
            .queue_url(self.aws().queue_url(queue))
            .message_body(body)
            .send()
            .await
            .expect("SQS takes it");
    }

    /// Moves all dead letters back to where they came from.
    ///
    /// # Panics
    /// If SQS does not begin to.
    pub async fn redrive(&self, dead_letters: &str) {
        let arn = format!("arn:aws:sqs:us-east-1:000000000000:{dead_letters}");
        self.sqs()
            .start_message_move_task()
            .source_arn(arn)
            .send()
            .await
            .expect("SQS moves them");
    }

    /// A batch of bells of the chat, as Lambda hands it to the worker.
    ///
    /// # Panics
    /// Never: it is JSON.
    #[must_use]
    pub fn bells(&self, count: usize) -> SqsEvent {
        let body = json!({"kind": "work", "chatId": self.chat_id}).to_string();
        let records: Vec<Value> = (0..count)
            .map(|n| json!({"messageId": format!("m{n}"), "body": body}))
            .collect();
        serde_json::from_value(json!({"Records": records})).expect("a batch")
    }

    /// Wakes the dispatcher of the chat.
    pub async fn ring(&self) {
        let bell = json!({"kind": "work", "chatId": self.chat_id});
        self.send_raw(INVITES.queue, &bell.to_string()).await;
    }
}

/// Lanes.
impl TestStack {
    /// Puts the task of a payment that has no record yet, as a request that died after it; answers the request's id.
    ///
    /// # Panics
    /// If the table does not take it.
    pub async fn put_mint(&self, number: u32) -> String {
        let id = format!("00000000-0000-8000-8000-{number:012}");
        let mint = Mint {
            request_id: id.parse().expect("a request's id"),
            user_id: format!("u{number}"),
            transaction_id: format!("T{number}"),
            link_version: 0,
        };
        let at = Timestamp::from_ms(1_767_225_600_000);
        let task = Task::new(ChatId(self.chat_id), Work::Mint(mint), at);
        self.put(&task).await;
        id
    }

    /// Puts a task into its lane.
    ///
    /// # Panics
    /// If the table does not take it.
    pub async fn put(&self, task: &Task) {
        let tasks = Tasks::from_env(self.dynamodb(), &mut self.config());
        tasks.put(task).await.expect("DynamoDB takes it");
    }

    /// The lane and key of every task that is not given up.
    ///
    /// # Panics
    /// If DynamoDB does not answer.
    pub async fn tasks(&self) -> Vec<(String, String)> {
        self.items("ChatTasks", "key", &["#failed"]).await
    }

    /// The lane and place of every message that is to be sent and is not parked; reminders are none.
    ///
    /// # Panics
    /// If DynamoDB does not answer.
    pub async fn message_tasks(&self) -> Vec<(String, String)> {
        let beside = ["#parked", "#groups", "#reminders"];
        self.items("MessageTasks", "messageId", &beside).await
    }

    /// The lane and place of every reminder.
    ///
    /// # Panics
    /// If DynamoDB does not answer.
    pub async fn reminders(&self) -> Vec<(String, String)> {
        let mut all = self.items("MessageTasks", "messageId", &[]).await;
        all.retain(|(lane, _)| lane.ends_with("#reminders"));
        all
    }

    /// The lane and key of every item of a table but those of lanes that end like this.
    #[expect(clippy::disallowed_methods, reason = "a test looks at everything")]
    async fn items(&self, table: &str, key: &str, beside: &[&str]) -> Vec<(String, String)> {
        let call = self.dynamodb().scan().table_name(table);
        let mut pages = call.into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.expect("DynamoDB answers");
            let text = |name: &str| item[name].as_s().expect("a text").clone();
            if !beside.iter().any(|end| text("lane").ends_with(end)) {
                items.push((text("lane"), text(key)));
            }
        }
        items
    }
}

/// Messages.
impl TestStack {
    /// Puts a message and rings, as a function does that has something to say.
    ///
    /// # Panics
    /// If a table or a queue does not take it.
    pub async fn say(&self, message: &Message) -> Put {
        let now = Timestamp::from_ms(self.clock.now_ms());
        let put = self.messages().put(message, now).await;
        let bells = MessageBells::from_env(
            self.sqs(),
            &mut self.config(),
            &runtime::clock::Clock::real(),
        );
        bells.ring(message.bot).await;
        put.expect("DynamoDB takes it")
    }

    /// The record of a message.
    ///
    /// # Panics
    /// If there is none.
    pub async fn message(&self, message: &Message) -> MessageRecord {
        let record = self.messages().get(message.chat, &message.id).await;
        record.expect("DynamoDB answers").expect("a record")
    }

    /// The tables of messages.
    #[must_use]
    pub fn messages(&self) -> Messages {
        Messages::from_env(self.dynamodb(), &mut self.config())
    }
}

/// People.
impl TestStack {
    /// The table of people.
    #[must_use]
    pub fn people(&self) -> People {
        People::from_env(self.dynamodb(), &mut self.config())
    }
}

/// Clients.
impl TestStack {
    /// The environment of the functions as one of them reads it.
    #[must_use]
    pub fn config(&self) -> Env {
        env_of(self.env())
    }

    fn clients(&self) -> &Shared {
        self.clients
            .get_or_init(|| Shared::from_env(&mut self.config()))
    }

    /// The tables, by the real client.
    #[must_use]
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        self.clients().dynamodb()
    }

    /// The queues, by the real client.
    #[must_use]
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        self.clients().sqs()
    }
}
