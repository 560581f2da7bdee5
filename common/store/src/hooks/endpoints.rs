//! The table of endpoints: an item for each, and one, `directory`, that tells those who announce what each wants. That one
//! holds no URL and no secret. Both are written by one transaction.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem, Update};

use super::super::item::{Item, Reader, n, s};
use super::super::{StoreError, Table};
use domain::hook::{Endpoint, EndpointId, HookKind, HookSecret, KeptSecret, Subscription};
use domain::time::Timestamp;
use runtime::config::Env;

const ENDPOINT_ID: &str = "endpointId";
const URL: &str = "url";
const KINDS: &str = "types";
const LINKS: &str = "links";
const SECRETS: &str = "secrets";
const SECRET: &str = "secret";
const UNTIL: &str = "until";
const DISABLED: &str = "disabled";
const CREATED_AT: &str = "createdAt";
const FAILING_SINCE: &str = "failingSince";
const PAUSED_UNTIL: &str = "pausedUntil";
const TOLD_SINCE: &str = "toldSince";
const FULL: &str = "full";
const FAILED: &str = "failed";
const VERSION: &str = "version";
/// The key of the item that lists all endpoints.
const DIRECTORY: &str = "directory";
/// How often a change is decided anew because the record had changed.
const TRIES: u32 = 8;

/// The table of endpoints.
#[derive(Clone)]
pub struct Endpoints(Table);

/// What became of a change of an endpoint.
#[derive(Debug)]
pub enum Changed {
    /// The endpoint is like this now; it may have been so before.
    Done(Box<Endpoint>),
    /// There is no such endpoint.
    Missing,
}

impl Endpoints {
    /// The table `Endpoints`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self(Table::from_env(client, env, "Endpoints", "ENDPOINTS_TABLE"))
    }

    /// The ids of all endpoints, and what those want that no operator disabled (1 read unit).
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn directory(&self) -> Result<Vec<(EndpointId, Option<Subscription>)>, StoreError> {
        let Some(item) = self.item(DIRECTORY).await? else {
            return Ok(Vec::new());
        };
        let entries = item.iter().filter(|(name, _)| *name != ENDPOINT_ID);
        let entries = entries.map(|(name, value)| {
            let id: EndpointId = name.parse().map_err(|_| self.0.malformed(DIRECTORY))?;
            let item = value.as_m().map_err(|_| self.0.malformed(DIRECTORY))?;
            let reader = Reader {
                table: &self.0,
                item,
            };
            let subscription = (!reader.flag(DISABLED)).then(|| -> Result<_, StoreError> {
                Ok(Subscription {
                    endpoint: id.clone(),
                    kinds: self.kinds(item)?,
                    wants_links: reader.flag(LINKS),
                    since: reader.parsed(TOLD_SINCE)?,
                    is_full: reader.flag(FULL),
                    is_failed: reader.flag(FAILED),
                })
            });
            Ok((id, subscription.transpose()?))
        });
        let mut entries: Vec<_> = entries.collect::<Result<_, StoreError>>()?;
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(entries)
    }

    /// An endpoint, as of now (1 read unit).
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn get(&self, id: &EndpointId) -> Result<Option<Endpoint>, StoreError> {
        let item = self.item(id.as_str()).await?;
        item.map(|item| self.read(&item)).transpose()
    }

    /// Registers an endpoint, which is new. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told.
    pub async fn create(&self, endpoint: &Endpoint) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            if self.write(endpoint, 0).await? {
                return Ok(());
            }
        }
        Err(self.contended())
    }

    /// Decides by the endpoint as it is, and writes what comes of it; nothing if that is the same. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn change(
        &self,
        id: &EndpointId,
        decide: impl Fn(Endpoint) -> Endpoint,
    ) -> Result<Changed, StoreError> {
        for _ in 0..TRIES {
            let Some(read) = self.get(id).await? else {
                return Ok(Changed::Missing);
            };
            let changed = decide(read.clone());
            if changed == read {
                return Ok(Changed::Done(Box::new(read)));
            }
            let changed = Endpoint {
                version: read.version + 1,
                ..changed
            };
            if self.write(&changed, read.version).await? {
                return Ok(Changed::Done(Box::new(changed)));
            }
        }
        Err(self.contended())
    }

    /// Forgets an endpoint. Durable on return; done twice it is as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told.
    pub async fn delete(&self, id: &EndpointId) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            let build = || -> Result<_, BuildError> {
                let delete = Delete::builder()
                    .table_name(&self.0.name)
                    .key(ENDPOINT_ID, s(id));
                let entry = self
                    .directory_update()
                    .update_expression("REMOVE #id")
                    .expression_attribute_names("#id", id.as_str());
                Ok(vec![
                    TransactWriteItem::builder().delete(delete.build()?).build(),
                    TransactWriteItem::builder().update(entry.build()?).build(),
                ])
            };
            if self
                .transact(build(), "TransactWriteItems to delete an endpoint")
                .await?
            {
                return Ok(());
            }
        }
        Err(self.contended())
    }

    async fn item(&self, key: &str) -> Result<Option<Item>, StoreError> {
        let call = self.0.client.get_item().table_name(&self.0.name);
        let call = call.key(ENDPOINT_ID, s(key)).consistent_read(true).send();
        Ok(call
            .await
            .map_err(self.0.fault("GetItem of an endpoint"))?
            .item)
    }

    fn directory_update(&self) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        Update::builder()
            .table_name(&self.0.name)
            .key(ENDPOINT_ID, s(DIRECTORY))
    }

    /// Writes an endpoint, if it still is of version `read`; answers whether it was.
    async fn write(&self, endpoint: &Endpoint, read: u64) -> Result<bool, StoreError> {
        let build = || -> Result<_, BuildError> {
            let put = Put::builder()
                .table_name(&self.0.name)
                .set_item(Some(item_of(endpoint)));
            let put = match read {
                0 => put.condition_expression("attribute_not_exists(endpointId)"),
                _ => put
                    .condition_expression("version = :read")
                    .expression_attribute_values(":read", n(read)),
            };
            let entry = self
                .directory_update()
                .update_expression("SET #id = :entry")
                .expression_attribute_names("#id", endpoint.id.as_str())
                .expression_attribute_values(":entry", AttributeValue::M(entry_of(endpoint)));
            Ok(vec![
                TransactWriteItem::builder().put(put.build()?).build(),
                TransactWriteItem::builder().update(entry.build()?).build(),
            ])
        };
        self.transact(build(), "TransactWriteItems of an endpoint")
            .await
    }

    /// Carries out a transaction; answers whether nobody else was faster.
    async fn transact(
        &self,
        writes: Result<Vec<TransactWriteItem>, BuildError>,
        operation: &'static str,
    ) -> Result<bool, StoreError> {
        let writes = writes
            .map_err(SdkError::<TransactWriteItemsError>::construction_failure)
            .map_err(self.0.fault(operation))?;
        let call = self.0.client.transact_write_items();
        let Err(error) = call.set_transact_items(Some(writes)).send().await else {
            return Ok(true);
        };
        let is_race = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(exception)) => {
                let codes = exception
                    .cancellation_reasons()
                    .iter()
                    .filter_map(|reason| reason.code());
                codes
                    .into_iter()
                    .any(|code| matches!(code, "ConditionalCheckFailed" | "TransactionConflict"))
            }
            _ => false,
        };
        match is_race {
            true => Ok(false),
            false => Err(self.0.fault(operation)(error)),
        }
    }

    fn contended(&self) -> StoreError {
        StoreError::Contended {
            table: self.0.name.clone(),
        }
    }

    fn kinds(&self, item: &Item) -> Result<BTreeSet<HookKind>, StoreError> {
        let words = item.get(KINDS).and_then(|value| value.as_ss().ok());
        let words = words.ok_or_else(|| self.0.malformed(KINDS))?;
        // A kind that this version does not know is of a later one.
        Ok(words.iter().filter_map(|word| word.parse().ok()).collect())
    }

    fn read(&self, item: &Item) -> Result<Endpoint, StoreError> {
        let reader = Reader {
            table: &self.0,
            item,
        };
        let secrets = reader
            .maps(SECRETS)?
            .into_iter()
            .map(|kept| {
                let secret = HookSecret::parse(kept.text(SECRET)?);
                Ok(KeptSecret {
                    secret: secret.ok_or_else(|| self.0.malformed(SECRET))?,
                    until: kept.optional_instant(UNTIL)?,
                })
            })
            .collect::<Result<_, StoreError>>()?;
        let disabled = reader.optional_text(DISABLED)?.map(str::parse).transpose();
        Ok(Endpoint {
            id: reader.parsed(ENDPOINT_ID)?,
            url: reader.text(URL)?.to_owned(),
            kinds: self.kinds(item)?,
            wants_links: reader.flag(LINKS),
            secrets,
            disabled: disabled.map_err(|()| self.0.malformed(DISABLED))?,
            created_at: reader.parsed::<Timestamp>(CREATED_AT)?,
            told_since: reader.parsed(TOLD_SINCE)?,
            failing_since: reader.optional_instant(FAILING_SINCE)?,
            paused_until: reader.optional_instant(PAUSED_UNTIL)?,
            is_full: reader.flag(FULL),
            version: reader.number(VERSION)?,
        })
    }
}

fn kinds_of(endpoint: &Endpoint) -> AttributeValue {
    AttributeValue::Ss(endpoint.kinds.iter().map(ToString::to_string).collect())
}

/// What the directory has of an endpoint.
fn entry_of(endpoint: &Endpoint) -> Item {
    let subscription = endpoint.subscription();
    Item::from([
        (KINDS.to_owned(), kinds_of(endpoint)),
        (LINKS.to_owned(), AttributeValue::Bool(endpoint.wants_links)),
        (TOLD_SINCE.to_owned(), s(endpoint.told_since)),
        (FULL.to_owned(), AttributeValue::Bool(endpoint.is_full)),
        (
            DISABLED.to_owned(),
            AttributeValue::Bool(subscription.is_none()),
        ),
        (
            FAILED.to_owned(),
            AttributeValue::Bool(subscription.is_some_and(|wanted| wanted.is_failed)),
        ),
    ])
}

fn item_of(endpoint: &Endpoint) -> Item {
    let secrets = endpoint.secrets.iter().map(|kept| {
        let until = kept.until.map(|until| (UNTIL.to_owned(), s(until)));
        let secret = (SECRET.to_owned(), s(kept.secret.expose()));
        AttributeValue::M(std::iter::once(secret).chain(until).collect())
    });
    let optional = [
        (
            DISABLED,
            endpoint.disabled.map(|disabled| s(disabled.as_str())),
        ),
        (FAILING_SINCE, endpoint.failing_since.map(s)),
        (PAUSED_UNTIL, endpoint.paused_until.map(s)),
    ];
    let always = [
        (ENDPOINT_ID, s(&endpoint.id)),
        (URL, s(&endpoint.url)),
        (KINDS, kinds_of(endpoint)),
        (LINKS, AttributeValue::Bool(endpoint.wants_links)),
        (SECRETS, AttributeValue::L(secrets.collect())),
        (CREATED_AT, s(endpoint.created_at)),
        (TOLD_SINCE, s(endpoint.told_since)),
        (FULL, AttributeValue::Bool(endpoint.is_full)),
        (VERSION, n(endpoint.version)),
    ];
    let optional = optional
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    let all = always.into_iter().chain(optional);
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}
