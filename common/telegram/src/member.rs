//! People at the door of a chat and inside it.

use serde::Deserialize;
use serde_json::json;

use domain::id::{ChatId, TelegramUserId};
use domain::member::presence::LookFinding;
use domain::time::Timestamp;

use super::error::TelegramError;
use super::{CALL_TIMEOUT, Telegram};

/// A member, as `getChatMember` shows them (<https://core.telegram.org/bots/api#chatmember>).
#[derive(Deserialize)]
struct ChatMember {
    status: String,
    user: ChatUser,
    /// Of somebody restricted: whether they are inside.
    #[serde(default)]
    is_member: bool,
    /// In seconds since the Unix epoch; 0 is for ever.
    #[serde(default)]
    until_date: i64,
}

#[derive(Deserialize)]
struct ChatUser {
    #[serde(default)]
    is_bot: bool,
}

impl ChatMember {
    fn finding(&self) -> LookFinding {
        let until = (self.until_date > 0).then(|| Timestamp::from_seconds(self.until_date));
        match self.status.as_str() {
            "kicked" => LookFinding::Kicked { until },
            "left" => LookFinding::Out,
            "restricted" if !self.is_member => LookFinding::Out,
            "restricted" if !self.user.is_bot => LookFinding::In,
            // With a date, Telegram itself lets them go then.
            "member" if !self.user.is_bot && until.is_none() => LookFinding::In,
            // Administrators, the owner, bots, and whatever is not known here: nobody to be taken out.
            _ => LookFinding::Exempt,
        }
    }
}

impl Telegram {
    /// Lets a person in who asked for it.
    ///
    /// # Errors
    /// [`TelegramError`]. That the person is in already, or does not ask any more, is refused as well.
    pub async fn approve_join_request(
        &self,
        chat: ChatId,
        person: TelegramUserId,
    ) -> Result<(), TelegramError> {
        let parameters = json!({"chat_id": chat, "user_id": person});
        self.call::<bool>("approveChatJoinRequest", &parameters, CALL_TIMEOUT)
            .await
            .map(|_| ())
    }

    /// Declines the join request of a person, who may ask again.
    ///
    /// # Errors
    /// [`TelegramError`]. That the person is in already, or does not ask any more, is refused as well.
    pub async fn decline_join_request(
        &self,
        chat: ChatId,
        person: TelegramUserId,
    ) -> Result<(), TelegramError> {
        let parameters = json!({"chat_id": chat, "user_id": person});
        self.call::<bool>("declineChatJoinRequest", &parameters, CALL_TIMEOUT)
            .await
            .map(|_| ())
    }

    /// Where a person is.
    ///
    /// # Errors
    /// [`TelegramError`].
    pub async fn whereabouts(
        &self,
        chat: ChatId,
        person: TelegramUserId,
    ) -> Result<LookFinding, TelegramError> {
        let parameters = json!({"chat_id": chat, "user_id": person});
        let found = self.call::<ChatMember>("getChatMember", &parameters, CALL_TIMEOUT);
        match found.await {
            Ok(member) => Ok(member.finding()),
            // Whoever was never there.
            Err(TelegramError::Refused {
                status: 400,
                description,
                ..
            }) if description.contains("PARTICIPANT_ID_INVALID") => Ok(LookFinding::Out),
            Err(failure) => Err(failure),
        }
    }

    /// Takes a person out of a supergroup or channel, who may come back at once; it lifts a ban, too. Asking twice is
    /// harmless.
    ///
    /// # Errors
    /// [`TelegramError`]. An administrator is not taken out.
    pub async fn remove_member(
        &self,
        chat: ChatId,
        person: TelegramUserId,
    ) -> Result<(), TelegramError> {
        let parameters = json!({"chat_id": chat, "user_id": person});
        self.call::<bool>("unbanChatMember", &parameters, CALL_TIMEOUT)
            .await
            .map(|_| ())
    }

    /// Bans a person, for ever. Idempotent.
    ///
    /// # Errors
    /// [`TelegramError`].
    pub async fn ban_member(
        &self,
        chat: ChatId,
        person: TelegramUserId,
    ) -> Result<(), TelegramError> {
        let parameters = json!({"chat_id": chat, "user_id": person});
        self.call::<bool>("banChatMember", &parameters, CALL_TIMEOUT)
            .await
            .map(|_| ())
    }
}
