//! Finding requests: by their own id, by the shop's payment, by the shop's user, by a link.

use domain::id::{ChatId, IdentitySource, LinkHash, RequestId};
use domain::invite::Invite;
use domain::purchase::{self, TRANSACTION_ID_MAX_CHARS, USER_ID_MAX_CHARS};
use domain::text;
use futures_util::future::try_join_all;
use runtime::response::Rejection;
use serde_json::{Value, json};
use store::Cursor;

use crate::view::OperatorInviteView;
use crate::{App, unavailable};

/// How many requests of a user one answer shows.
const PAGE: i32 = 20;
/// The longest link that is looked for, in characters; Telegram's have some 30.
const LINK_MAX_CHARS: usize = 256;

/// What is told where a plus may have been meant and nothing is found.
const PLUS_HINT: &str = "A plus in a query is a space: to look for a plus, write %2B.";

/// What is looked for.
enum By {
    Request(RequestId),
    Transaction { id: String, chat: Option<ChatId> },
    User { id: String, after: Option<Cursor> },
    Link(LinkHash),
}

impl By {
    fn read(query: &str) -> Result<Self, Rejection> {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (name.into_owned(), text::clean(&value)))
            .collect();
        let value = |wanted: &str| {
            let mut all = pairs.iter().filter(|(name, _)| name == wanted);
            match (all.next(), all.next()) {
                (None, _) => Ok(None),
                (Some((_, value)), None) => Ok(Some(value.clone())),
                (Some(_), Some(_)) => Err(Rejection::InvalidQuery),
            }
        };
        let within = |text: &str, most: usize| !text.is_empty() && text.chars().count() <= most;
        let wanted = (
            value("requestId")?,
            value("transactionId")?,
            value("userId")?,
            value("link")?,
        );
        match wanted {
            (Some(id), None, None, None) => Ok(Self::Request(crate::request_id(&id)?)),
            (None, Some(id), None, None) => {
                let chat = value("chatId")?.map(|id| crate::chat_id(&id)).transpose()?;
                if !within(&id, TRANSACTION_ID_MAX_CHARS) {
                    return Err(purchase::Rejection::InvalidTransactionId.into());
                }
                Ok(Self::Transaction { id, chat })
            }
            (None, None, Some(id), None) => {
                let after = value("cursor")?.map(|text| text.parse()).transpose();
                let after = after.map_err(|_| Rejection::InvalidParameter)?;
                if !within(&id, USER_ID_MAX_CHARS) {
                    return Err(purchase::Rejection::InvalidUserId.into());
                }
                Ok(Self::User { id, after })
            }
            (None, None, None, Some(url)) => {
                if !within(&url, LINK_MAX_CHARS) {
                    return Err(Rejection::InvalidParameter);
                }
                // In a query a plus that is not encoded is a space, and no link has one.
                Ok(Self::Link(LinkHash::sought(&url.replace(' ', "+"))))
            }
            _ => Err(Rejection::InvalidQuery),
        }
    }
}

/// Finds what the query asks for; what is not there is an empty list.
pub(crate) async fn find(app: &App, query: &str) -> Result<Value, Rejection> {
    let (ids, next) = match By::read(query)? {
        By::Request(id) => (vec![id], None),
        By::Transaction { id, chat } => (of_transaction(app, &id, chat)?, None),
        By::User { id, after } => {
            let page = app.invites.of_user(&id, after, PAGE).await;
            let page = page.map_err(unavailable)?;
            (page.ids, page.next)
        }
        By::Link(link) => {
            let record = app.links.get(&link).await.map_err(unavailable)?;
            let owner = record.and_then(|record| record.owner);
            (
                owner.into_iter().map(|owner| owner.request_id).collect(),
                None,
            )
        }
    };
    let records = try_join_all(ids.into_iter().map(|id| app.invites.get(id))).await;
    let records: Vec<Option<Invite>> = records.map_err(unavailable)?;
    let views: Vec<OperatorInviteView> = records
        .into_iter()
        .flatten()
        .map(OperatorInviteView::from)
        .collect();
    let is_nothing = views.is_empty();
    let mut found = json!({"invites": views});
    if is_nothing && query.contains('+') {
        found["hint"] = PLUS_HINT.into();
    }
    if let Some(next) = next {
        found["cursor"] = next.to_string().into();
    }
    Ok(found)
}

/// A payment's requests: one in each chat that it may be for.
fn of_transaction(
    app: &App,
    transaction: &str,
    chat: Option<ChatId>,
) -> Result<Vec<RequestId>, purchase::Rejection> {
    let id =
        |canonical_id| RequestId::derive(canonical_id, IdentitySource::Transaction(transaction));
    match chat {
        Some(chat) => {
            let (_, canonical_id) = app.chats.known(chat)?;
            Ok(vec![id(canonical_id)])
        }
        None => Ok(app
            .chats
            .all()
            .map(|(_, canonical_id)| id(canonical_id))
            .collect()),
    }
}
