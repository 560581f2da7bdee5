//! What tests and the page do: what people and the owners of chats do.

use super::Telegram;
use super::chat::{ChatKind, OWNER_ID};
use super::join_request::Verdict;
use super::joining::Tap;
use super::link::{Link, Terms};
use super::member::{MemberStatus, Rights, User};
use super::profile::BotProfile;
use super::state::{Bot, Via};
use crate::telegram::inbox::Inbox;

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
                profile: BotProfile::default(),
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

    /// Makes the bot the processor of the chat's join requests: it is asked by a query with each. None: nobody is.
    pub fn set_request_processor(&self, chat_id: i64, bot_id: Option<i64>) {
        self.shared.change(|state, _| {
            if let Some(chat) = state.world.chats.get_mut(&chat_id) {
                chat.request_processor = bot_id;
            }
        });
    }

    /// The owner makes an invite link: one that makes members, or join requests. Bots see it cut.
    pub fn owner_makes_link(&self, chat_id: i64, creates_join_request: bool) -> String {
        self.shared.change(|state, now_ms| {
            let terms = Terms {
                creates_join_request,
                ..Terms::default()
            };
            let link = Link::new(chat_id, OWNER_ID, terms, now_ms);
            let url = link.url.clone();
            state.world.add_link(link);
            url
        })
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
            .change(|state, now_ms| state.world.tap(link, &user, now_ms))
    }

    /// `user` asks to join without a link, as in a public chat that approves its members.
    pub fn ask_to_join(&self, chat_id: i64, user: User) {
        self.shared
            .change(|state, now_ms| state.world.ask_to_join(chat_id, &user, None, now_ms));
    }

    /// The person takes a join request back; bots are not told. False if none waits.
    pub fn withdraws(&self, chat_id: i64, user_id: i64) -> bool {
        self.shared
            .change(|state, _| state.world.drop_request(chat_id, user_id).is_some())
    }

    /// Whether a join request of the person waits.
    #[must_use]
    pub fn is_requesting(&self, chat_id: i64, user_id: i64) -> bool {
        let state = self.shared.lock();
        let chat = state.world.chats.get(&chat_id);
        chat.is_some_and(|chat| chat.requests.contains_key(&user_id))
    }

    /// The person is, or is no longer, in as many chats as one can be in: they can't join one more.
    pub fn set_in_too_many_chats(&self, user: &User, is_so: bool) {
        self.shared
            .change(|state, _| state.world.person(user).is_in_too_many_chats = is_so);
    }

    /// The owner approves a join request by hand. False if it can't be.
    pub fn owner_approves(&self, chat_id: i64, user_id: i64) -> bool {
        self.owner_settles(chat_id, user_id, Verdict::Approved)
    }

    /// The owner declines a join request by hand. False if none waits.
    pub fn owner_declines(&self, chat_id: i64, user_id: i64) -> bool {
        self.owner_settles(chat_id, user_id, Verdict::Declined)
    }

    fn owner_settles(&self, chat_id: i64, user_id: i64, verdict: Verdict) -> bool {
        let owner = User::new(OWNER_ID).named("Owner");
        self.shared.change(|state, now_ms| {
            let world = &mut state.world;
            world
                .settle_request(chat_id, user_id, &owner, verdict, now_ms)
                .is_ok()
        })
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
