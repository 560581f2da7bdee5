//! The invite link of a request, told in private to the person who has claimed it, or whom the shop knows in Telegram.

use domain::id::{ChatId, InviteLink, RequestId, TelegramUserId};
use domain::invite::Invite;
use domain::member::entitlement::EntitlementId;
use domain::message::{Button, ButtonAction, Class, Content, Message, MessageId};
use domain::person::Reachable;
use domain::texts::{Address, Date, Label, Language, Text};
use domain::time::Timestamp;
use runtime::aws;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::settings;
use tracing::info;

use crate::queue::{Bells, MessageBell};
use crate::{BotInfos, Messages, People, Seats, StoreError};

/// What tells buyers their links.
pub struct LinkTeller {
    bots: BotInfos,
    people: People,
    seats: Seats,
    messages: Messages,
    bells: Bells<MessageBell>,
    default_language: Language,
}

/// A link that is to be told.
#[derive(Clone, Copy)]
pub struct ToldLink<'a> {
    /// Whose it is.
    pub request_id: RequestId,
    /// The chat of its seat.
    pub canonical_chat: ChatId,
    /// When the request was accepted.
    pub created_at: Timestamp,
    /// Which link of the request it is.
    pub link_version: u32,
    /// The link.
    pub link: &'a InviteLink,
    /// When it stops to work.
    pub expires_at: Option<Timestamp>,
}

impl<'a> ToldLink<'a> {
    /// The present link of a request; nothing if nobody can use it now.
    #[must_use]
    pub fn of(invite: &'a Invite) -> Option<Self> {
        let link = invite.invite_link.as_ref();
        let link = link.filter(|_| invite.has_invite_link() && invite.waits_to_be_used())?;
        Some(Self {
            request_id: invite.request_id,
            canonical_chat: invite.canonical_chat,
            created_at: invite.created_at,
            link_version: invite.link_version,
            link,
            expires_at: invite.link_expires_at,
        })
    }

    /// What is said of it, as HTML.
    #[must_use]
    pub fn html(&self, language: Language) -> String {
        let link = Address(self.link.expose());
        let until = self
            .expires_at
            .map(|until| Text::LinkWorksUntil { until: Date(until) });
        let texts = [Some(Text::LinkDelivered { link }), until];
        let lines = texts.iter().flatten().map(|text| text.html(language));
        lines.collect::<Vec<String>>().join("\n\n")
    }

    /// The button that opens it.
    #[must_use]
    pub fn button(&self, language: Language) -> Button {
        Button {
            text: Label::JoinChat.plain(language),
            action: ButtonAction::Url(self.link.expose().to_owned()),
        }
    }
}

impl LinkTeller {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, aws: &aws::Shared, clock: &Clock) -> Self {
        Self {
            bots: BotInfos::from_env(aws.dynamodb(), env),
            people: People::from_env(aws.dynamodb(), env),
            seats: Seats::from_env(aws.dynamodb(), env),
            messages: Messages::from_env(aws.dynamodb(), env),
            bells: Bells::from_env(aws.sqs(), env, clock),
            default_language: settings::default_language(env),
        }
    }

    /// Has a person told their link, if the bot may write to them and nobody ended their seat. Durable on return. The message is known by request and
    /// version, so that it is sent once, whoever tells it again.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was put; telling it again is harmless.
    pub async fn tell(
        &self,
        person: TelegramUserId,
        told: ToldLink<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(front) = self.bots.front_lately(now).await? else {
            return Ok(());
        };
        let known = self.people.get(person).await?;
        let Some(known) = known.filter(|known| known.reachable == Reachable::Yes) else {
            info!(invite.id = %told.request_id, outcome = "not_started", "a link is not told in private, since the bot can't write to its buyer");
            return Ok(());
        };
        let seat = self.seats.get(person, told.canonical_chat).await?;
        let id = EntitlementId::of_request(told.request_id);
        let is_ended = seat
            .entitlements
            .get(&id)
            .is_some_and(|of| of.cut_at.is_some());
        if is_ended {
            info!(invite.id = %told.request_id, outcome = "seat_ended", "a link is not told to a person whose seat has ended");
            return Ok(());
        }
        let language = Language::choose(known.language, None, self.default_language);
        let cause = format!("request#{}#link#{}", told.request_id, told.link_version);
        let message = Message {
            id: MessageId::new(told.created_at, &cause),
            bot: front.bot,
            // A private chat has the id of its person.
            chat: ChatId(person.0),
            thread: None,
            class: Class::Transactional,
            content: Content::Text {
                html: told.html(language),
                buttons: vec![vec![told.button(language)]],
                protect: true,
                silent: false,
            },
            not_before: None,
            // It opens nothing any more by then.
            not_after: told.expires_at,
        };
        self.messages.put(&message, now).await?;
        self.bells.ring(front.bot).await;
        Ok(())
    }
}
