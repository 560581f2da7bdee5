//! The registry of tables: what each holds of a person.

/// A table, and what it holds of a person.
#[derive(Clone, Copy, Debug)]
pub struct PersonalTable {
    /// Its name.
    pub name: &'static str,
    /// The variable that names another one in its place.
    pub variable: &'static str,
    /// How a person's items are found.
    pub holding: Holding,
    /// What becomes of them.
    pub fate: Fate,
}

/// How a person's items are found in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// It holds nobody, for this reason.
    Nobody(&'static str),
    /// What it holds ends by itself, sooner than it could be found: which, and when.
    Passing(&'static str),
    /// The partition of the person's id, under this key; and the sort key, if it has one.
    Partition(&'static str, Option<&'static str>),
    /// The requests that the person claimed, by their seats, or joined by, by the index `ByPerson`; and those that moved from
    /// them to somebody else, whose history names them.
    Requests,
    /// The links of those requests, by their hashes, and the person among the members of each chat.
    Links,
    /// The tasks that name the person, in the lanes of each chat in which they can stand.
    ChatTasks,
    /// The tasks of the messages that [`Holding::Messages`] finds, and of those in the person's topic.
    MessageTasks,
    /// The messages of the person's private chat, and those of the operators' chat that name them.
    Messages,
    /// What endpoints were told of those requests and of the person, by the indexes `ByRequest` and `ByPerson`.
    Deliveries,
    /// What is copied between the person and the operators, and whose topic it is, by the index `ByPerson`.
    Relay,
    /// What the limits of the front bot note of the person's chat.
    Limits,
    /// The parked updates whose body names the person.
    ParkedUpdates,
    /// The exports of the person, with their lines, by the index `ByPerson`.
    Exports,
    /// The orders by which the person's requests were bought, and those that name the person as their buyer, by the index
    /// `ByBuyer`.
    Orders,
}

/// What becomes of a person's items when they are erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// There are none.
    Untouched,
    /// They end by themselves.
    Ended,
    /// They are deleted.
    Deleted,
    /// They stay for the books, with a pseudonym in the place of the shop's user and without the person.
    Replaced,
    /// They stay without what names the person.
    Cleared,
}

const fn line(
    name: &'static str,
    variable: &'static str,
    holding: Holding,
    fate: Fate,
) -> PersonalTable {
    PersonalTable {
        name,
        variable,
        holding,
        fate,
    }
}

/// Every table, in the order of erasing: links, deliveries and orders are found by requests, and all of these by seats; tasks of
/// messages by their records.
pub const PERSONAL_TABLES: [PersonalTable; 28] = [
    line(
        "InviteLinks",
        "INVITE_LINKS_TABLE",
        Holding::Links,
        Fate::Replaced,
    ),
    line(
        "Deliveries",
        "DELIVERIES_TABLE",
        Holding::Deliveries,
        Fate::Deleted,
    ),
    line("Orders", "ORDERS_TABLE", Holding::Orders, Fate::Replaced),
    line(
        "InviteRequests",
        "INVITE_REQUESTS_TABLE",
        Holding::Requests,
        Fate::Replaced,
    ),
    line(
        "ChatTasks",
        "CHAT_TASKS_TABLE",
        Holding::ChatTasks,
        Fate::Deleted,
    ),
    line(
        "MessageTasks",
        "MESSAGE_TASKS_TABLE",
        Holding::MessageTasks,
        Fate::Deleted,
    ),
    line(
        "Messages",
        "MESSAGES_TABLE",
        Holding::Messages,
        Fate::Deleted,
    ),
    line("RelayMap", "RELAY_MAP_TABLE", Holding::Relay, Fate::Deleted),
    line(
        "Updates",
        "UPDATES_TABLE",
        Holding::ParkedUpdates,
        Fate::Cleared,
    ),
    line(
        "RateLimits",
        "RATE_LIMITS_TABLE",
        Holding::Limits,
        Fate::Cleared,
    ),
    line("Jobs", "JOBS_TABLE", Holding::Exports, Fate::Deleted),
    line(
        "Members",
        "MEMBERS_TABLE",
        Holding::Partition("telegramUserId", Some("chatId")),
        Fate::Deleted,
    ),
    line(
        "People",
        "PEOPLE_TABLE",
        Holding::Partition("telegramUserId", None),
        Fate::Deleted,
    ),
    line(
        "Erasures",
        "ERASURES_TABLE",
        Holding::Nobody("an HMAC of the id, which names nobody, so that what comes again is known"),
        Fate::Untouched,
    ),
    line(
        "UpdateFeed",
        "UPDATE_FEED_TABLE",
        Holding::Passing(
            "what actors may read of the bot's updates, for UPDATES_RETENTION_HOURS; most have read it already",
        ),
        Fate::Ended,
    ),
    line(
        "PaymentEvents",
        "PAYMENT_EVENTS_TABLE",
        Holding::Passing(
            "what a provider reported, whose body goes when it is settled; one that is parked waits for an operator",
        ),
        Fate::Ended,
    ),
    line(
        "PaymentRefs",
        "PAYMENT_REFS_TABLE",
        Holding::Nobody("objects of providers, and the orders that they are of"),
        Fate::Untouched,
    ),
    line(
        "Ledger",
        "LEDGER_TABLE",
        Holding::Nobody("the books: accounts, amounts and ids of orders"),
        Fate::Untouched,
    ),
    line(
        "Payables",
        "PAYABLES_TABLE",
        Holding::Nobody("what owners and affiliates are due, by orders, and where they are paid"),
        Fate::Untouched,
    ),
    line(
        "Reservations",
        "RESERVATIONS_TABLE",
        Holding::Nobody(
            "seats and uses of coupons, by orders; of a coupon that each uses once, a digest of the buyer",
        ),
        Fate::Untouched,
    ),
    line(
        "Actors",
        "ACTORS_TABLE",
        Holding::Nobody("programs that share the bot"),
        Fate::Untouched,
    ),
    line(
        "Endpoints",
        "ENDPOINTS_TABLE",
        Holding::Nobody("who is told what happens"),
        Fate::Untouched,
    ),
    line(
        "LinkPool",
        "LINK_POOL_TABLE",
        Holding::Nobody("links that nobody has bought"),
        Fate::Untouched,
    ),
    line(
        "Dedup",
        "DEDUP_TABLE",
        Holding::Nobody("hashes of a shop's user, for DUPLICATE_WINDOW_SEC"),
        Fate::Untouched,
    ),
    line(
        "Bots",
        "BOTS_TABLE",
        Holding::Nobody("our bots"),
        Fate::Untouched,
    ),
    line(
        "Chats",
        "CHATS_TABLE",
        Holding::Nobody("our chats"),
        Fate::Untouched,
    ),
    line(
        "Products",
        "PRODUCTS_TABLE",
        Holding::Nobody("what is sold"),
        Fate::Untouched,
    ),
    line(
        "Quotes",
        "QUOTES_TABLE",
        Holding::Nobody("prices that were promised, and rates"),
        Fate::Untouched,
    ),
];
