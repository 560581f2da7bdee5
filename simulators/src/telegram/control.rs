//! What tests and the page do: what people and the owners of chats do.

use super::Telegram;
use super::chat::{ChatKind, OWNER_ID};
use super::member::{MemberStatus, Rights, User};
use super::state::{Bot, TelegramState, Via};
use crate::telegram::inbox::Inbox;

/// What happens to someone who taps an invite link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tap {
    /// In.
    Joined,
    /// In already; the link is not used.
    AlreadyMember,
    /// The link's time is over.
    Expired,
    /// The link was revoked.
    Revoked,
    /// As many are in by this link as it allows.
    Full,
    /// No such link.
    Unknown,
    /// Banned from the chat.
    Banned,
    /// The link makes join requests; one is waiting now.
    Requested,
}

/// The world.
impl Telegram {
    /// Makes a bot known by its token, and gives its id: the digits before the colon, 0 if there are none. A second
    /// token of the same bot replaces the first.
    pub fn add_bot(&self, token: &str) -> i64 {
        let bot_id = token
            .split(':')
            .next()
            .and_then(|digits| digits.parse().ok())
            .unwrap_or_default();
        self.shared.change(|state, _| {
            let world = &mut state.world;
            world.tokens.retain(|_, owner| *owner != bot_id);
            world.tokens.insert(token.to_owned(), bot_id);
            world.bots.entry(bot_id).or_insert_with(|| Bot {
                user: User::bot(bot_id),
                inbox: Inbox::new(),
            });
        });
        bot_id
    }

    /// Refuses the bot's token with 401 from now on.
    pub fn revoke_token(&self, bot_id: i64) {
        self.shared
            .change(|state, _| state.world.tokens.retain(|_, owner| *owner != bot_id));
    }

    /// Accepts the token again.
    pub fn restore_token(&self, token: &str) {
        self.add_bot(token);
    }

    /// Makes a chat, owned by [`OWNER_ID`]. Replaces a chat of the same id.
    pub fn add_chat(&self, chat_id: i64, title: &str, kind: ChatKind) {
        self.shared
            .change(|state, _| state.world.add_chat(chat_id, title, kind));
    }

    /// Gives the chat another title.
    pub fn rename_chat(&self, chat_id: i64, title: &str) {
        self.shared.change(|state, _| {
            if let Some(chat) = state.world.chats.get_mut(&chat_id) {
                title.clone_into(&mut chat.title);
            }
        });
    }

    /// Gives the chat a public name, by which it can be asked for as `@name`.
    pub fn set_chat_username(&self, chat_id: i64, username: &str) {
        self.shared.change(|state, _| {
            if let Some(chat) = state.world.chats.get_mut(&chat_id) {
                chat.username = Some(username.to_owned());
            }
        });
    }

    /// Deletes the chat: bots that were in it are refused with 403.
    pub fn delete_chat(&self, chat_id: i64) {
        self.shared.change(|state, _| {
            if let Some(chat) = state.world.chats.get_mut(&chat_id) {
                chat.deleted = true;
            }
        });
    }

    /// Upgrades a group: members and links move to `new`, calls with `old` are told where to go.
    pub fn migrate_chat(&self, old: i64, new: i64) {
        self.shared.change(|state, now_ms| {
            state.limits.move_chat(old, new);
            state.world.migrate(old, new, now_ms);
        });
    }

    /// Adds the bot to the chat as an administrator, or changes its rights.
    pub fn make_admin(&self, bot_id: i64, chat_id: i64, rights: Rights) {
        self.set_bot_status(bot_id, chat_id, MemberStatus::Administrator(rights));
    }

    /// Makes the bot an ordinary member.
    pub fn demote_bot(&self, bot_id: i64, chat_id: i64) {
        self.set_bot_status(bot_id, chat_id, MemberStatus::Member);
    }

    /// Bans the bot from the chat.
    pub fn kick_bot(&self, bot_id: i64, chat_id: i64) {
        self.set_bot_status(bot_id, chat_id, MemberStatus::Kicked { until_date: 0 });
    }

    /// Takes the bot out of the chat without a ban.
    pub fn remove_bot(&self, bot_id: i64, chat_id: i64) {
        self.set_bot_status(bot_id, chat_id, MemberStatus::Left);
    }

    fn set_bot_status(&self, bot_id: i64, chat_id: i64, status: MemberStatus) {
        self.owner_sets(chat_id, User::bot(bot_id), status);
    }

    fn owner_sets(&self, chat_id: i64, user: User, status: MemberStatus) {
        let owner = User::new(OWNER_ID).named("Owner");
        self.shared.change(|state, now_ms| {
            state
                .world
                .change(chat_id, &user, status, &owner, &Via::Hand, now_ms)
        });
    }
}

/// People.
impl Telegram {
    /// `user` taps the link.
    pub fn tap(&self, link: &str, user: User) -> Tap {
        self.shared
            .change(|state, now_ms| tap(&mut state.world, link, &user, now_ms))
    }

    /// `user` asks to join without a link, as in a public chat that approves its members.
    pub fn ask_to_join(&self, chat_id: i64, user: User) {
        self.shared
            .change(|state, now_ms| state.world.ask_to_join(chat_id, &user, None, now_ms));
    }

    /// `user` joins a public chat by its name: no link in the update.
    pub fn join_by_name(&self, chat_id: i64, user: User) {
        self.own_change(chat_id, &user, MemberStatus::Member);
    }

    /// The member leaves; one under restrictions stays under them. His link, if he came by one, is free again.
    pub fn leave(&self, chat_id: i64, user_id: i64) {
        let status = match self.status(chat_id, user_id) {
            MemberStatus::Restricted { until_date, .. } => MemberStatus::Restricted {
                is_member: false,
                until_date,
            },
            MemberStatus::Left | MemberStatus::Kicked { .. } => return,
            MemberStatus::Creator | MemberStatus::Administrator(_) | MemberStatus::Member => {
                MemberStatus::Left
            }
        };
        if let Some(user) = self.member(chat_id, user_id) {
            self.own_change(chat_id, &user, status);
        }
    }

    fn own_change(&self, chat_id: i64, user: &User, status: MemberStatus) {
        self.shared.change(|state, now_ms| {
            state
                .world
                .change(chat_id, user, status, user, &Via::Hand, now_ms)
        });
    }

    /// The owner adds `user` by hand: the update has no link, and `from` is the owner.
    pub fn add_by_admin(&self, chat_id: i64, user: User) {
        self.owner_sets(chat_id, user, MemberStatus::Member);
    }

    /// The owner makes the user an administrator.
    pub fn promote(&self, chat_id: i64, user_id: i64, rights: Rights) {
        self.owner_sets_known(chat_id, user_id, MemberStatus::Administrator(rights));
    }

    /// The owner makes the user an ordinary member, which lifts restrictions too.
    pub fn demote(&self, chat_id: i64, user_id: i64) {
        self.owner_sets_known(chat_id, user_id, MemberStatus::Member);
    }

    /// The owner restricts the user, in the chat or not.
    pub fn restrict(&self, chat_id: i64, user: User, is_member: bool) {
        self.owner_sets(
            chat_id,
            user,
            MemberStatus::Restricted {
                is_member,
                until_date: 0,
            },
        );
    }

    /// The owner bans the user, until epoch seconds or for ever (0).
    pub fn ban(&self, chat_id: i64, user: User, until_date: i64) {
        self.owner_sets(chat_id, user, MemberStatus::Kicked { until_date });
    }

    /// The owner lifts a ban, or removes a member without one.
    pub fn unban(&self, chat_id: i64, user_id: i64) {
        self.owner_sets_known(chat_id, user_id, MemberStatus::Left);
    }

    fn owner_sets_known(&self, chat_id: i64, user_id: i64, status: MemberStatus) {
        let user = self
            .member(chat_id, user_id)
            .unwrap_or_else(|| User::new(user_id));
        self.owner_sets(chat_id, user, status);
    }

    fn member(&self, chat_id: i64, user_id: i64) -> Option<User> {
        let state = self.shared.lock();
        state
            .world
            .chats
            .get(&chat_id)?
            .members
            .get(&user_id)
            .map(|member| member.user.clone())
    }

    /// What the user is in the chat now.
    #[must_use]
    pub fn status(&self, chat_id: i64, user_id: i64) -> MemberStatus {
        let now_ms = self.shared.clock.now_ms();
        self.shared
            .lock()
            .world
            .chats
            .get(&chat_id)
            .map_or(MemberStatus::Left, |chat| chat.status(user_id, now_ms))
    }
}

fn tap(world: &mut TelegramState, url: &str, user: &User, now_ms: i64) -> Tap {
    let Some(link) = world.links.get(url) else {
        return Tap::Unknown;
    };
    let (chat_id, wants_approval) = (link.chat_id, link.creates_join_request);
    let Some(chat) = world.chats.get(&chat_id).filter(|chat| !chat.deleted) else {
        return Tap::Unknown;
    };
    let status = chat.status(user.id, now_ms);
    if link.revoked {
        return Tap::Revoked;
    }
    if link.is_expired(now_ms / 1000) {
        return Tap::Expired;
    }
    if status.is_present() {
        return Tap::AlreadyMember;
    }
    if matches!(status, MemberStatus::Kicked { .. }) {
        return Tap::Banned;
    }
    if wants_approval {
        world.ask_to_join(chat_id, user, Some(url), now_ms);
        return Tap::Requested;
    }
    if link.is_full() {
        return Tap::Full;
    }
    // Restrictions outlive leaving: who comes back is restricted still.
    let joined = match status {
        MemberStatus::Restricted { until_date, .. } => MemberStatus::Restricted {
            is_member: true,
            until_date,
        },
        _ => MemberStatus::Member,
    };
    world.change(
        chat_id,
        user,
        joined,
        user,
        &Via::Link(url.to_owned()),
        now_ms,
    );
    Tap::Joined
}
