//! The tables and queues that the functions use, as `template.yaml` declares them.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, CreateGlobalSecondaryIndexAction,
    GlobalSecondaryIndexUpdate, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, TimeToLiveSpecification,
};
use aws_sdk_sqs::types::QueueAttributeName;
use domain::id::BotId;
use domain::lease::LimitKey;
use domain::text::list;
use runtime::settings;

/// A table: its name, its key, a string, its sort key, if it has one, and whether its items end by themselves.
pub struct TableShape {
    /// Its name.
    pub name: &'static str,
    /// Its key, a string.
    pub key: &'static str,
    /// Its sort key, and the type of that.
    pub sort_key: Option<(&'static str, SortKey)>,
    /// Whether it has a TTL, on `expiresAt`.
    pub ends: bool,
}

/// What a sort key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// A string.
    Text,
    /// A number.
    Number,
}

const fn table(name: &'static str, key: &'static str) -> TableShape {
    TableShape {
        name,
        key,
        sort_key: None,
        ends: true,
    }
}

/// The tables.
pub const TABLES: [TableShape; 27] = [
    table("InviteRequests", "requestId"),
    table("InviteLinks", "linkHash"),
    TableShape {
        sort_key: Some(("key", SortKey::Text)),
        ends: false,
        ..table("ChatTasks", "lane")
    },
    table("RateLimits", "limitKey"),
    TableShape {
        sort_key: Some(("slot", SortKey::Number)),
        ends: false,
        ..table("LinkPool", "shard")
    },
    table("Dedup", "dedupKey"),
    TableShape {
        sort_key: Some(("item", SortKey::Text)),
        ends: false,
        ..table("Bots", "botId")
    },
    TableShape {
        ends: false,
        ..table("Chats", "chatId")
    },
    TableShape {
        sort_key: Some(("chatId", SortKey::Text)),
        ..table("Members", "telegramUserId")
    },
    TableShape {
        sort_key: Some(("messageId", SortKey::Text)),
        ..table("Messages", "chatId")
    },
    TableShape {
        sort_key: Some(("messageId", SortKey::Text)),
        ends: false,
        ..table("MessageTasks", "lane")
    },
    table("Updates", "updateKey"),
    TableShape {
        sort_key: Some(("seq", SortKey::Number)),
        ..table("UpdateFeed", "block")
    },
    table("Actors", "keyHash"),
    table("RelayMap", "message"),
    table("People", "telegramUserId"),
    TableShape {
        sort_key: Some(("item", SortKey::Text)),
        ..table("Jobs", "jobId")
    },
    table("Erasures", "personMark"),
    TableShape {
        ends: false,
        ..table("Endpoints", "endpointId")
    },
    TableShape {
        sort_key: Some(("event", SortKey::Text)),
        ..table("Deliveries", "endpointShard")
    },
    TableShape {
        sort_key: Some(("item", SortKey::Text)),
        ..table("Orders", "orderId")
    },
    table("PaymentEvents", "eventKey"),
    TableShape {
        ends: false,
        ..table("PaymentRefs", "refKey")
    },
    TableShape {
        sort_key: Some(("transaction", SortKey::Text)),
        ends: false,
        ..table("Ledger", "day")
    },
    TableShape {
        sort_key: Some(("row", SortKey::Text)),
        ends: false,
        ..table("Payables", "payee")
    },
    TableShape {
        ends: false,
        ..table("Products", "productId")
    },
    table("Quotes", "quoteId"),
];

/// An index of a table, with keys alone: both of its own are strings.
pub struct Index {
    /// The table.
    pub table: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it is looked up by.
    pub hash: &'static str,
    /// What it is ordered by.
    pub range: &'static str,
}

/// The indexes.
pub const INDEXES: [Index; 16] = [
    Index {
        table: "Orders",
        name: "Due",
        hash: "dueShard",
        range: "dueAt",
    },
    Index {
        table: "Orders",
        name: "Cases",
        hash: "caseShard",
        range: "caseSince",
    },
    Index {
        table: "Orders",
        name: "ByBuyer",
        hash: "buyer",
        range: "createdAt",
    },
    Index {
        table: "PaymentEvents",
        name: "OpenEvents",
        hash: "openShard",
        range: "nextAt",
    },
    Index {
        table: "Products",
        name: "List",
        hash: "list",
        range: "productId",
    },
    Index {
        table: "Deliveries",
        name: "Due",
        hash: "dueShard",
        range: "dueAt",
    },
    Index {
        table: "InviteRequests",
        name: "ByUser",
        hash: "userId",
        range: "createdAt",
    },
    Index {
        table: "InviteRequests",
        name: "Pending",
        hash: "pendingShard",
        range: "pendingSince",
    },
    Index {
        table: "Updates",
        name: "Parked",
        hash: "parked",
        range: "parkedAt",
    },
    Index {
        table: "People",
        name: "ByName",
        hash: "usernameKey",
        range: "lastSeenAt",
    },
    Index {
        table: "InviteRequests",
        name: "ByPerson",
        hash: "telegramUserId",
        range: "createdAt",
    },
    Index {
        table: "Deliveries",
        name: "ByRequest",
        hash: "requestId",
        range: "event",
    },
    Index {
        table: "Deliveries",
        name: "ByPerson",
        hash: "telegramUserId",
        range: "event",
    },
    Index {
        table: "RelayMap",
        name: "ByPerson",
        hash: "telegramUserId",
        range: "message",
    },
    Index {
        table: "Jobs",
        name: "ByState",
        hash: "jobState",
        range: "createdAt",
    },
    Index {
        table: "Jobs",
        name: "ByPerson",
        hash: "telegramUserId",
        range: "createdAt",
    },
];

/// How a function is fed from its queue.
pub struct Source {
    /// The queue.
    pub queue: &'static str,
    /// The variable by which functions find it.
    pub url_variable: &'static str,
    /// Where messages go that were shown five times.
    pub dead_letters: &'static str,
    /// The variable by which functions find that.
    pub dead_letters_variable: &'static str,
    /// Longest run of the function, in seconds; a message is hidden for six times as long.
    pub timeout_seconds: u64,
    /// Most messages of one invocation.
    pub batch_size: i32,
    /// Most invocations at once.
    pub maximum_concurrency: usize,
}

/// The queue of the worker.
pub const INVITES: Source = Source {
    queue: "InviteQueue",
    url_variable: "INVITE_QUEUE_URL",
    dead_letters: "InviteDeadLetterQueue",
    dead_letters_variable: "INVITE_DEAD_LETTER_QUEUE_URL",
    timeout_seconds: 90,
    batch_size: 10,
    maximum_concurrency: 5,
};
/// The queue of `messenger`.
pub const MESSAGES: Source = Source {
    queue: "MessageQueue",
    url_variable: "MESSAGE_QUEUE_URL",
    dead_letters: "MessageDeadLetterQueue",
    dead_letters_variable: "MESSAGE_DEAD_LETTER_QUEUE_URL",
    timeout_seconds: 90,
    batch_size: 10,
    maximum_concurrency: 2,
};
/// The queue of `hooks`.
pub const HOOKS: Source = Source {
    queue: "HookQueue",
    url_variable: "HOOK_QUEUE_URL",
    dead_letters: "HookDeadLetterQueue",
    dead_letters_variable: "HOOK_DEAD_LETTER_QUEUE_URL",
    timeout_seconds: 60,
    batch_size: 10,
    maximum_concurrency: 2,
};
/// The queue of `settlement`.
pub const PAYMENTS: Source = Source {
    queue: "PaymentQueue",
    url_variable: "PAYMENT_QUEUE_URL",
    dead_letters: "PaymentDeadLetterQueue",
    dead_letters_variable: "PAYMENT_DEAD_LETTER_QUEUE_URL",
    timeout_seconds: 90,
    batch_size: 10,
    maximum_concurrency: 10,
};
/// The queue of `events`.
pub const EVENTS: Source = Source {
    queue: "EventQueue",
    url_variable: "EVENT_QUEUE_URL",
    dead_letters: "EventDeadLetterQueue",
    dead_letters_variable: "EVENT_DEAD_LETTER_QUEUE_URL",
    timeout_seconds: 30,
    batch_size: 10,
    maximum_concurrency: 5,
};
/// How often the ticks of `worker`, `messenger` and `hooks`, and `sweeper` run.
pub const MINUTE: Duration = Duration::from_secs(60);
/// Longest run of the tick of `worker`.
pub const TICK_TIMEOUT: Duration = Duration::from_secs(INVITES.timeout_seconds);
/// Longest run of the tick of `messenger`.
pub const MESSAGES_TICK_TIMEOUT: Duration = Duration::from_secs(MESSAGES.timeout_seconds);
/// Longest run of `webhook`.
pub const REPLAY_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest run of the tick of `hooks`.
pub const HOOKS_TICK_TIMEOUT: Duration = Duration::from_secs(HOOKS.timeout_seconds);
/// Longest run of `sweeper`.
pub const SWEEP_TIMEOUT: Duration = Duration::from_secs(50);
/// Longest run of `jobs`.
pub const JOBS_TIMEOUT: Duration = Duration::from_secs(50);
/// Longest run of `monitor`.
pub const MONITOR_TIMEOUT: Duration = Duration::from_secs(50);
/// How often a message is shown before it is a dead letter.
pub const MAX_RECEIVE_COUNT: u32 = 5;
/// How long a message is kept, in seconds: 14 days.
pub const RETENTION_SECONDS: u64 = 1_209_600;

/// Creates the tables and indexes that are missing.
///
/// # Errors
/// What DynamoDB says.
pub async fn create_tables(dynamo: &aws_sdk_dynamodb::Client) -> anyhow::Result<()> {
    for TableShape {
        name: table,
        key,
        sort_key,
        ends,
    } in TABLES
    {
        let key = Some((key, ScalarAttributeType::S, KeyType::Hash));
        let sort_key = sort_key.map(|(key, sort_key)| {
            let of_type = match sort_key {
                SortKey::Text => ScalarAttributeType::S,
                SortKey::Number => ScalarAttributeType::N,
            };
            (key, of_type, KeyType::Range)
        });
        let mut create = dynamo
            .create_table()
            .table_name(table)
            .billing_mode(BillingMode::PayPerRequest);
        for (name, of_type, role) in key.into_iter().chain(sort_key) {
            create = create
                .attribute_definitions(attribute(name, of_type)?)
                .key_schema(part(name, role)?);
        }
        let created = create.send().await;
        match created {
            Ok(_) if !ends => {}
            Ok(_) => {
                let ttl = TimeToLiveSpecification::builder()
                    .attribute_name("expiresAt")
                    .enabled(true)
                    .build()?;
                dynamo
                    .update_time_to_live()
                    .table_name(table)
                    .time_to_live_specification(ttl)
                    .send()
                    .await?;
            }
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_resource_in_use_exception()) => {}
            Err(error) => return Err(error).with_context(|| format!("creating the table {table}")),
        }
    }
    for index in &INDEXES {
        create_index(dynamo, index)
            .await
            .with_context(|| format!("creating the index {} of {}", index.name, index.table))?;
    }
    Ok(())
}

/// Frees the leases that a process left which was killed: the folder is ours, so none of its dispatchers lives.
///
/// # Errors
/// What DynamoDB says.
pub async fn free_leases(
    dynamo: &aws_sdk_dynamodb::Client,
    env: &HashMap<String, String>,
) -> anyhow::Result<()> {
    let chats = settings::chats(&mut crate::env::env_of(env));
    let chats = chats.all().map(|(_, chat)| LimitKey::from(chat));
    let tokens = env.get("TELEGRAM_BOT_TOKEN").map_or("", String::as_str);
    let bots = list(tokens).filter_map(BotId::of_token);
    for key in chats.chain(bots.map(LimitKey::from)) {
        let freed = dynamo
            .update_item()
            .table_name("RateLimits")
            .key("limitKey", AttributeValue::S(key.to_string()))
            .update_expression("REMOVE #owner, #until")
            .condition_expression("attribute_exists(#owner)")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_names("#until", "until")
            .send()
            .await;
        if let Err(error) = freed
            && !error
                .as_service_error()
                .is_some_and(|error| error.is_conditional_check_failed_exception())
        {
            return Err(error).context("freeing a lease");
        }
    }
    Ok(())
}

/// Adds an index to its table, which may be one of an earlier version, unless it is there.
async fn create_index(dynamo: &aws_sdk_dynamodb::Client, index: &Index) -> anyhow::Result<()> {
    let described = dynamo.describe_table().table_name(index.table).send();
    let table = described.await?.table.context("a table without a word")?;
    let there = table.global_secondary_indexes.unwrap_or_default();
    if there
        .iter()
        .any(|known| known.index_name.as_deref() == Some(index.name))
    {
        return Ok(());
    }
    let keys = Projection::builder().projection_type(ProjectionType::KeysOnly);
    let create = CreateGlobalSecondaryIndexAction::builder()
        .index_name(index.name)
        .key_schema(part(index.hash, KeyType::Hash)?)
        .key_schema(part(index.range, KeyType::Range)?)
        .projection(keys.build())
        .build()?;
    // DynamoDB adds one index at a time.
    dynamo
        .update_table()
        .table_name(index.table)
        .attribute_definitions(attribute(index.hash, ScalarAttributeType::S)?)
        .attribute_definitions(attribute(index.range, ScalarAttributeType::S)?)
        .global_secondary_index_updates(
            GlobalSecondaryIndexUpdate::builder().create(create).build(),
        )
        .send()
        .await?;
    Ok(())
}

fn attribute(name: &str, of_type: ScalarAttributeType) -> anyhow::Result<AttributeDefinition> {
    let attribute = AttributeDefinition::builder().attribute_name(name);
    Ok(attribute.attribute_type(of_type).build()?)
}

fn part(name: &str, role: KeyType) -> anyhow::Result<KeySchemaElement> {
    let part = KeySchemaElement::builder().attribute_name(name);
    Ok(part.key_type(role).build()?)
}

/// Creates the queues of `sources` that are missing; answers their URLs by the variables of the functions.
///
/// # Errors
/// What SQS says.
pub async fn create_queues(
    sqs: &aws_sdk_sqs::Client,
    sources: impl Iterator<Item = &'static Source>,
) -> anyhow::Result<HashMap<&'static str, String>> {
    let mut urls = HashMap::new();
    for source in sources {
        let dead_letters = sqs
            .create_queue()
            .queue_name(source.dead_letters)
            .attributes(
                QueueAttributeName::MessageRetentionPeriod,
                RETENTION_SECONDS.to_string(),
            )
            .send()
            .await
            .with_context(|| format!("creating the queue {}", source.dead_letters))?;
        let dead_letters_url = dead_letters.queue_url.context("a queue without URL")?;
        let attributes = sqs
            .get_queue_attributes()
            .queue_url(&dead_letters_url)
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await?;
        let arn = attributes
            .attributes
            .and_then(|mut all| all.remove(&QueueAttributeName::QueueArn))
            .context("a queue without ARN")?;
        let redrive =
            serde_json::json!({"deadLetterTargetArn": arn, "maxReceiveCount": MAX_RECEIVE_COUNT});
        let queue = sqs
            .create_queue()
            .queue_name(source.queue)
            .attributes(
                QueueAttributeName::MessageRetentionPeriod,
                RETENTION_SECONDS.to_string(),
            )
            .attributes(
                QueueAttributeName::VisibilityTimeout,
                (source.timeout_seconds * 6).to_string(),
            )
            .attributes(QueueAttributeName::RedrivePolicy, redrive.to_string())
            .send()
            .await
            .with_context(|| format!("creating the queue {}", source.queue))?;
        urls.insert(
            source.url_variable,
            queue.queue_url.context("a queue without URL")?,
        );
        urls.insert(source.dead_letters_variable, dead_letters_url);
    }
    Ok(urls)
}
