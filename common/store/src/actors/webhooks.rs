//! Actors' webhooks, and the lease under which one run at a time sends to each.
//!
//! `hooks` may write how far it has come, and nothing else of an actor: its rights name these attributes, so its updates
//! mention no other one, in conditions neither, and have nothing returned.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};

use super::super::StoreError;
use super::super::item::{n, s};
use super::attributes::*;
use super::{Actors, TRIES as CHANGE_TRIES, values};
use domain::actor::webhook::{ActorWebhook, WebhookProgress};
use domain::actor::{Actor, ActorName};
use domain::id::FeedSeq;
use domain::time::Timestamp;

/// What ends with a webhook, and with each change of one: a run that sends by the former one stops, and what failed is sent
/// again at once.
const OF_SENDING: &str =
    "webhookHolder, webhookUntil, webhookFailing, webhookFailedAt, webhookFailure";

impl Actors {
    /// The actors whose updates are sent, by name (1 read unit).
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn with_webhooks(&self) -> Result<Vec<ActorName>, StoreError> {
        let list = self.list().await?;
        let found = list.iter().filter(|(_, entry)| values::has_webhook(entry));
        let names = found.map(|(name, _)| name.parse().map_err(|()| self.0.malformed(ACTORS)));
        let mut names: Vec<ActorName> = names.collect::<Result<_, StoreError>>()?;
        names.sort();
        Ok(names)
    }

    /// Stores where an actor's updates are sent from now on, or that they are asked for; answers whether the actor is there.
    /// `kinds` are those that are asked for from now on, if any are named. A poll that is under way ends by a webhook.
    /// Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; storing it again is harmless.
    pub async fn set_webhook(
        &self,
        name: &ActorName,
        webhook: Option<&ActorWebhook>,
        kinds: Option<&BTreeSet<String>>,
    ) -> Result<bool, StoreError> {
        for _ in 0..CHANGE_TRIES {
            let writes = self.writes_of_webhook(name, webhook, kinds);
            if self
                .transact(writes, "TransactWriteItems of a webhook")
                .await?
            {
                return Ok(true);
            }
            if self.get(name).await?.is_none() {
                return Ok(false);
            }
        }
        Err(self.contended())
    }

    fn writes_of_webhook(
        &self,
        name: &ActorName,
        webhook: Option<&ActorWebhook>,
        kinds: Option<&BTreeSet<String>>,
    ) -> Result<Vec<TransactWriteItem>, BuildError> {
        let (mut set, mut remove) = (vec!["askedOffset = :none"], vec![OF_SENDING]);
        let mut record = self
            .change(record_key(name))
            .condition_expression("attribute_exists(keyHash)")
            .expression_attribute_values(":none", n(0));
        match webhook {
            Some(webhook) => {
                set.extend(["webhookUrl = :url", "webhookConnections = :most"]);
                record = record
                    .expression_attribute_values(":url", s(&webhook.url))
                    .expression_attribute_values(":most", n(webhook.max_connections));
            }
            None => remove.extend([WEBHOOK_URL, WEBHOOK_CONNECTIONS, WEBHOOK_TAKEN]),
        }
        match webhook.and_then(|webhook| webhook.secret.as_ref()) {
            Some(secret) => {
                set.push("webhookSecret = :secret");
                record = record.expression_attribute_values(":secret", s(secret));
            }
            None => remove.push(WEBHOOK_SECRET),
        }
        if let Some(kinds) = kinds {
            set.push("allowedUpdates = :kinds");
            record = record.expression_attribute_values(":kinds", values::kinds(kinds));
        }
        let change = format!("SET {} REMOVE {}", set.join(", "), remove.join(", "));
        let listing = self
            .change_of_list()
            .condition_expression("attribute_exists(#actors.#name)")
            .expression_attribute_names("#actors", ACTORS)
            .expression_attribute_names("#name", name.as_str())
            .expression_attribute_names("#webhook", WEBHOOK);
        let listing = match webhook {
            Some(_) => listing
                .update_expression("SET #actors.#name.#webhook = :yes")
                .expression_attribute_values(":yes", AttributeValue::Bool(true)),
            None => listing.update_expression("REMOVE #actors.#name.#webhook"),
        };
        let record = record.update_expression(change).build()?;
        Ok(vec![
            TransactWriteItem::builder().update(record).build(),
            TransactWriteItem::builder()
                .update(listing.build()?)
                .build(),
        ])
    }

    /// Takes the sending to an actor for `holder`, until `until`; answers the actor, or nothing if it has no webhook, or
    /// another run has it.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; taking it again is harmless.
    pub async fn lease_webhook(
        &self,
        name: &ActorName,
        holder: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Actor>, StoreError> {
        let call = self
            .update_unseen(record_key(name))
            .update_expression("SET webhookHolder = :holder, webhookUntil = :until")
            .condition_expression(
                "attribute_exists(webhookConnections) AND (attribute_not_exists(webhookUntil) OR webhookUntil <= :now \
                 OR webhookHolder = :holder)",
            )
            .expression_attribute_values(":holder", s(holder))
            .expression_attribute_values(":until", n(until.ms()))
            .expression_attribute_values(":now", n(now.ms()));
        match self
            .conditional(call, "UpdateItem to lease a webhook")
            .await?
        {
            (true, _) => self.get(name).await,
            (false, _) => Ok(None),
        }
    }

    /// Writes how far the sending to an actor has come, if it still is `holder`'s; answers whether it is. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; writing it again is harmless.
    pub async fn note_webhook(
        &self,
        name: &ActorName,
        holder: &str,
        cursor: FeedSeq,
        progress: &WebhookProgress,
    ) -> Result<bool, StoreError> {
        let mut set =
            "SET #cursor = :cursor, webhookTaken = :taken, webhookFailing = :failing".to_owned();
        let mut call = self
            .update_unseen(record_key(name))
            .condition_expression("webhookHolder = :holder AND #cursor <= :cursor")
            .expression_attribute_names("#cursor", CURSOR)
            .expression_attribute_values(":cursor", n(cursor))
            .expression_attribute_values(":holder", s(holder))
            .expression_attribute_values(":taken", values::taken(progress))
            .expression_attribute_values(":failing", values::failing(progress));
        if let Some((at, failure)) = &progress.last_failure {
            set.push_str(", webhookFailedAt = :failedAt, webhookFailure = :failure");
            call = call
                .expression_attribute_values(":failedAt", n(at.ms()))
                .expression_attribute_values(":failure", s(failure));
        }
        let call = call.update_expression(set);
        let noted = self.conditional(call, "UpdateItem of what a webhook took");
        noted.await.map(|(is_noted, _)| is_noted)
    }

    /// Gives the sending to an actor back, if it still is `holder`'s.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; it lapses by itself.
    pub async fn release_webhook(&self, name: &ActorName, holder: &str) -> Result<(), StoreError> {
        let call = self
            .update_unseen(record_key(name))
            .update_expression("REMOVE webhookHolder, webhookUntil")
            .condition_expression("webhookHolder = :holder")
            .expression_attribute_values(":holder", s(holder));
        let released = self.conditional(call, "UpdateItem to release a webhook");
        released.await.map(|_| ())
    }
}
