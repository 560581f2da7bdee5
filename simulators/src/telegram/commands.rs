//! Which of a bot's commands the app offers to a person.

use super::Telegram;
use super::chat::Chat;
use super::conversation::Conversation;
use super::member::{MemberStatus, User};

impl Telegram {
    /// The commands that the app offers to the person in a conversation, by name. The narrowest scope that has any
    /// decides, and in it the person's language before the default.
    #[must_use]
    pub fn offered_commands(
        &self,
        bot_id: i64,
        conversation: Conversation,
        user: &User,
    ) -> Vec<String> {
        let now_ms = self.shared.clock.now_ms();
        let state = self.shared.lock();
        let Some(bot) = state.world.bots.get(&bot_id) else {
            return Vec::new();
        };
        let id = conversation.chat_id();
        let status = |chat: &Chat| chat.status(user.id, now_ms);
        let chat = state.world.chats.get(&id);
        let is_admin = matches!(
            chat.map(status),
            Some(MemberStatus::Creator | MemberStatus::Administrator(_))
        );
        let mut scopes = Vec::new();
        if let Conversation::Private { .. } = conversation {
            scopes.extend([format!("chat:{id}:0"), "all_private_chats".to_owned()]);
        } else {
            scopes.push(format!("chat_member:{id}:{}", user.id));
            scopes.extend(is_admin.then(|| format!("chat_administrators:{id}:0")));
            scopes.push(format!("chat:{id}:0"));
            scopes.extend(is_admin.then(|| "all_chat_administrators".to_owned()));
            scopes.push("all_group_chats".to_owned());
        }
        scopes.push("default".to_owned());
        let language = user.language_code.clone().unwrap_or_default();
        let keys = scopes.into_iter().flat_map(|scope| {
            let languages = [language.chars().take(2).collect(), String::new()];
            languages.map(|language: String| (scope.clone(), language))
        });
        let mut offered = keys.filter_map(|key| bot.profile.commands.get(&key));
        let commands = offered.next().into_iter().flatten();
        let names = commands.filter_map(|command| command["command"].as_str());
        names.map(str::to_owned).collect()
    }
}
