//! The world of the simulator: bots, chats, members and links, and the rules by which they change.
//!
//! No I/O and no clock: what happens is decided here from the state and `now`, and each change of membership puts
//! the updates that Telegram would send into the inboxes of the bots that may see them.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use serde_json::{Value, json};

use super::chat::{Chat, ChatKind, Member, OWNER_ID};
use super::conversation::Draft;
use super::inbox::Inbox;
use super::join_request::JoinRequest;
use super::link::Link;
use super::member::{MemberStatus, Rights, User};
use super::person::Person;
use super::profile::BotProfile;
use super::purchase::Stars;
use super::queries::Queries;
use super::refusal::Refusal;

/// How many links are kept; the oldest is forgotten for a new one.
pub const MOST_LINKS: usize = 500_000;

#[derive(Debug)]
pub(crate) struct Bot {
    pub(crate) user: User,
    pub(crate) inbox: Inbox,
    pub(crate) profile: BotProfile,
}

/// By what a change of membership came about.
#[derive(Clone, Debug)]
pub(crate) enum Via {
    /// By this link.
    Link(String),
    /// By approval of a join request that was made without a link.
    DirectRequest,
    /// Neither: an administrator, or the user himself.
    Hand,
}

#[derive(Debug, Default)]
pub(crate) struct TelegramState {
    pub(crate) bots: BTreeMap<i64, Bot>,
    pub(crate) tokens: HashMap<String, i64>,
    pub(crate) chats: BTreeMap<i64, Chat>,
    pub(crate) links: HashMap<String, Link>,
    /// People who did something outside of chats.
    pub(crate) people: BTreeMap<i64, Person>,
    /// Which bot has met which user: for a bot, others don't exist.
    pub(crate) seen: HashSet<(i64, i64)>,
    pub(crate) queries: Queries,
    pub(crate) stars: Stars,
    /// The links in the order in which they were made.
    link_order: VecDeque<String>,
}

impl TelegramState {
    pub(crate) fn add_chat(&mut self, id: i64, title: &str, kind: ChatKind) {
        self.chats.insert(id, Chat::new(id, title, kind));
    }

    pub(crate) fn add_link(&mut self, link: Link) {
        if self.links.len() >= MOST_LINKS
            && let Some(oldest) = self.link_order.pop_front()
        {
            self.links.remove(&oldest);
        }
        self.link_order.push_back(link.url.clone());
        self.links.insert(link.url.clone(), link);
    }

    pub(crate) fn links_in_order(&self) -> impl Iterator<Item = &Link> {
        self.link_order.iter().filter_map(|url| self.links.get(url))
    }

    /// Who made a link: a bot, or the owner of the chat.
    pub(crate) fn creator(&self, link: &Link) -> Option<&User> {
        if link.creator_bot_id == OWNER_ID {
            let chat = self.chats.get(&link.chat_id)?;
            return chat.members.get(&OWNER_ID).map(|member| &member.user);
        }
        self.bots.get(&link.creator_bot_id).map(|bot| &bot.user)
    }

    /// The person, under the name that they have now.
    pub(crate) fn person(&mut self, user: &User) -> &mut Person {
        let person = self.people.entry(user.id);
        let person = person.or_insert_with(|| Person::new(user.clone()));
        person.user = user.clone();
        person
    }

    /// A user that is known from anywhere.
    pub(crate) fn user(&self, user_id: i64) -> Option<&User> {
        let alone = self.people.get(&user_id).map(|person| &person.user);
        let bot = || self.bots.get(&user_id).map(|bot| &bot.user);
        let member = || {
            let mut chats = self.chats.values();
            chats.find_map(|chat| chat.members.get(&user_id).map(|member| &member.user))
        };
        let requester = || {
            let mut chats = self.chats.values();
            chats.find_map(|chat| chat.requests.get(&user_id).map(|request| &request.user))
        };
        alone.or_else(bot).or_else(member).or_else(requester)
    }

    /// Makes the group `old` the supergroup `new`, and tells its bots.
    pub(crate) fn migrate(&mut self, old: i64, new: i64, now_ms: i64) {
        let Some(former) = self.chats.get_mut(&old) else {
            return;
        };
        former.migrated_to = Some(new);
        let (title, members, before) =
            (former.title.clone(), former.members.clone(), former.json());
        self.add_chat(new, &title, ChatKind::Supergroup);
        for link in self.links.values_mut().filter(|link| link.chat_id == old) {
            link.chat_id = new;
        }
        let Some(chat) = self.chats.get_mut(&new) else {
            return;
        };
        let bots = chat.adopt(members);
        let moved = json!({
            "message_id": 1, "chat": before, "date": now_ms / 1000, "migrate_to_chat_id": new,
        });
        for bot_id in bots {
            if let Some(bot) = self.bots.get_mut(&bot_id) {
                bot.inbox
                    .put(json!({"message": moved.clone()}), now_ms, now_ms);
            }
        }
    }

    /// The chat as that bot may use it, or the refusal that Telegram gives.
    pub(crate) fn chat_for(
        &self,
        bot_id: i64,
        chat_id: &Value,
        now_ms: i64,
    ) -> Result<&Chat, Refusal> {
        let not_found = || Refusal::bad_request("chat not found");
        let chat = match chat_id {
            Value::String(name) => {
                let name = name.strip_prefix('@').ok_or_else(not_found)?;
                let named = |chat: &&Chat| {
                    chat.username
                        .as_deref()
                        .is_some_and(|own| own.eq_ignore_ascii_case(name))
                };
                self.chats.values().find(named)
            }
            other => other.as_i64().and_then(|id| self.chats.get(&id)),
        };
        let chat = chat.ok_or_else(not_found)?;
        let kind = chat.kind.as_str();
        if let Some(new) = chat.migrated_to {
            return Err(Refusal::migrated(new));
        }
        if !chat.members.contains_key(&bot_id) {
            return Err(not_found());
        }
        match chat.status(bot_id, now_ms) {
            _ if chat.deleted => Err(Refusal::forbidden("the group chat was deleted")),
            MemberStatus::Kicked { .. } => Err(Refusal::forbidden(format!(
                "bot was kicked from the {kind} chat"
            ))),
            MemberStatus::Left
            | MemberStatus::Restricted {
                is_member: false, ..
            } => Err(Refusal::forbidden(format!(
                "bot is not a member of the {kind} chat"
            ))),
            MemberStatus::Creator
            | MemberStatus::Administrator(_)
            | MemberStatus::Member
            | MemberStatus::Restricted { .. } => Ok(chat),
        }
    }

    /// The same, for a bot that must be allowed to manage invite links.
    pub(crate) fn inviting_chat(
        &self,
        bot_id: i64,
        chat_id: &Value,
        now_ms: i64,
    ) -> Result<&Chat, Refusal> {
        let chat = self.chat_for(bot_id, chat_id, now_ms)?;
        match chat.rights(bot_id) {
            Some(rights) if rights.can_invite_users => Ok(chat),
            _ => Err(Refusal::bad_request(
                "not enough rights to manage chat invite link",
            )),
        }
    }

    /// The same, for a bot that must be allowed to ban.
    pub(crate) fn restricting_chat(
        &self,
        bot_id: i64,
        chat_id: &Value,
        now_ms: i64,
    ) -> Result<&Chat, Refusal> {
        let chat = self.chat_for(bot_id, chat_id, now_ms)?;
        match chat.rights(bot_id) {
            Some(rights) if rights.can_restrict_members => Ok(chat),
            None if chat.kind == ChatKind::Channel => Err(Refusal::bad_request(
                "need administrator rights in the channel chat",
            )),
            _ => Err(Refusal::bad_request(
                "not enough rights to restrict/unrestrict chat member",
            )),
        }
    }

    /// Gives `user` another status, and tells the bots that may know. `from` is who did it.
    pub(crate) fn change(
        &mut self,
        chat_id: i64,
        user: &User,
        new: MemberStatus,
        from: &User,
        via: &Via,
        now_ms: i64,
    ) {
        let Some(chat) = self.chats.get_mut(&chat_id) else {
            return;
        };
        let old = chat.status(user.id, now_ms);
        if old == new && chat.members.contains_key(&user.id) {
            return;
        }
        let link = match via {
            Via::Link(url) => Some(url.clone()),
            Via::DirectRequest | Via::Hand => None,
        };
        let former = chat
            .members
            .get(&user.id)
            .and_then(|member| member.via.clone());
        let kept = if new.is_present() && old.is_present() {
            former.clone()
        } else {
            link.clone()
        };
        chat.members.insert(
            user.id,
            Member {
                user: user.clone(),
                status: new,
                via: kept,
            },
        );
        if user.is_bot && new.is_present() {
            chat.bots.insert(user.id);
        } else if user.is_bot {
            chat.bots.remove(&user.id);
        }
        if old.is_present()
            && !new.is_present()
            && let Some(used) = former.and_then(|url| self.links.get_mut(&url))
        {
            used.present.remove(&user.id);
        }
        if !old.is_present()
            && new.is_present()
            && let Some(used) = link.as_ref().and_then(|url| self.links.get_mut(url))
        {
            used.record_join(user.id);
        }
        if new.is_present() || matches!(new, MemberStatus::Kicked { .. }) {
            self.drop_request(chat_id, user.id);
        }
        self.tell(chat_id, user, (old, new), from, via, now_ms);
    }

    /// Takes a request away; bots are not told.
    pub(crate) fn drop_request(&mut self, chat_id: i64, user_id: i64) -> Option<JoinRequest> {
        let request = self.chats.get_mut(&chat_id)?.requests.remove(&user_id)?;
        let link = request
            .link
            .as_ref()
            .and_then(|url| self.links.get_mut(url));
        if let Some(link) = link {
            link.requests.remove(&user_id);
        }
        Some(request)
    }

    fn tell(
        &mut self,
        chat_id: i64,
        user: &User,
        change: (MemberStatus, MemberStatus),
        from: &User,
        via: &Via,
        now_ms: i64,
    ) {
        let (old, new) = change;
        let Some(chat) = self.chats.get_mut(&chat_id) else {
            return;
        };
        let is_channel = chat.kind == ChatKind::Channel;
        let mut changed = json!({
            "chat": chat.json(), "from": from.json(), "date": now_ms / 1000,
            "old_chat_member": old.json(user, is_channel), "new_chat_member": new.json(user, is_channel),
        });
        if matches!(via, Via::DirectRequest) {
            changed["via_join_request"] = json!(true);
        }
        let service = if is_channel || old.is_present() == new.is_present() {
            None
        } else {
            let draft = if new.is_present() {
                Draft::service(from.clone(), "new_chat_members", json!([user.json()]))
            } else {
                Draft::service(from.clone(), "left_chat_member", user.json())
            };
            let message = chat.log.put(draft, now_ms);
            Some(json!({"message": message.json(&chat.json())}))
        };
        let watchers = watchers(chat);
        for (bot_id, rights) in watchers {
            let is_self = bot_id == user.id;
            let mut body = changed.clone();
            if let Via::Link(url) = via
                && let Some(link) = self.links.get(url)
                && let Some(creator) = self.creator(link)
            {
                body["invite_link"] = link.json(creator, bot_id);
            }
            self.seen.extend([(bot_id, user.id), (bot_id, from.id)]);
            let Some(bot) = self.bots.get_mut(&bot_id) else {
                continue;
            };
            if is_self {
                bot.inbox
                    .put(json!({"my_chat_member": body}), now_ms, now_ms);
            } else if rights.is_some() {
                bot.inbox.put(json!({"chat_member": body}), now_ms, now_ms);
            }
            if let Some(service) = service.clone().filter(|_| !is_self) {
                bot.inbox.put(service, now_ms, now_ms);
            }
        }
        // A bot that is no longer in the chat still learns of its own removal.
        if !new.is_present()
            && let Some(bot) = self.bots.get_mut(&user.id)
        {
            bot.inbox
                .put(json!({"my_chat_member": changed}), now_ms, now_ms);
        }
    }
}

/// The bots in the chat, each with its rights if it is an administrator.
pub(super) fn watchers(chat: &Chat) -> Vec<(i64, Option<Rights>)> {
    chat.bots
        .iter()
        .map(|bot_id| (*bot_id, chat.rights(*bot_id)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::telegram::link::Terms;

    #[test]
    fn a_hundred_thousand_links_and_joins_are_no_burden() {
        let mut world = TelegramState::default();
        world.add_chat(-1, "Chat", ChatKind::Supergroup);
        let bot = User::bot(7);
        world.bots.insert(
            7,
            Bot {
                user: bot.clone(),
                inbox: Inbox::new(),
                profile: BotProfile::default(),
            },
        );
        let admin = MemberStatus::Administrator(Rights::all());
        world.change(-1, &bot, admin, &User::new(OWNER_ID), &Via::Hand, 0);
        let started = Instant::now();
        for id in 1001..=101_000 {
            let link = Link::new(
                -1,
                7,
                Terms {
                    member_limit: Some(1),
                    ..Terms::default()
                },
                0,
            );
            let (url, user) = (link.url.clone(), User::new(id));
            world.add_link(link);
            world.change(-1, &user, MemberStatus::Member, &user, &Via::Link(url), 0);
        }
        assert_eq!(world.links.len(), 100_000);
        assert!(world.links.values().all(Link::is_full));
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{:?}",
            started.elapsed()
        );
    }
}
