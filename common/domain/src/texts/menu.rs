//! The menus of commands that Telegram shows: what `setMyCommands` is called with.

use serde::Serialize;

use super::super::command::{COMMANDS, CommandPlace, Role};
use super::super::id::{ChatId, TelegramUserId};
use super::Language;

/// One call of `setMyCommands`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CommandMenu {
    /// Who sees it. The narrowest scope that fits a person wins, whatever its language.
    pub scope: BotCommandScope,
    /// For whose apps; `None` for all languages that have no menu of their own in this scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language_code: Option<&'static str>,
    /// At most 100.
    pub commands: Vec<BotCommand>,
}

/// `BotCommandScope` of the Bot API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum BotCommandScope {
    /// All private chats.
    AllPrivateChats,
    /// All groups.
    AllGroupChats,
    /// One chat; a private chat has the id of its person.
    Chat {
        /// Which.
        chat_id: ChatId,
    },
    /// One person in one chat.
    ChatMember {
        /// The chat.
        chat_id: ChatId,
        /// Who.
        user_id: TelegramUserId,
    },
}

/// `BotCommand` of the Bot API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BotCommand {
    /// The name, without the slash.
    pub command: &'static str,
    /// 1 to 256 characters.
    pub description: &'static str,
}

/// All menus of a deployment whose language is `default`: of everybody, of the operators' chat, and of those with a
/// role in private and in that chat.
///
/// Telegram refuses the private menu of a person who never started the bot (400 `chat not found`).
#[must_use]
pub fn menus(
    default: Language,
    operators_chat: Option<ChatId>,
    staff: &[(TelegramUserId, Role)],
) -> Vec<CommandMenu> {
    let mut scopes = vec![
        (
            BotCommandScope::AllPrivateChats,
            Role::Public,
            CommandPlace::Private,
        ),
        (
            BotCommandScope::AllGroupChats,
            Role::Public,
            CommandPlace::Group,
        ),
    ];
    if let Some(chat_id) = operators_chat {
        let scope = BotCommandScope::Chat { chat_id };
        scopes.push((scope, Role::Operator, CommandPlace::Topic));
    }
    for (user_id, role) in staff.iter().copied() {
        if role >= Role::Operator {
            let chat_id = ChatId(user_id.0);
            let scope = BotCommandScope::Chat { chat_id };
            scopes.push((scope, role, CommandPlace::Private));
        }
        // The others see the menu of the chat.
        if let (Some(chat_id), true) = (operators_chat, role > Role::Operator) {
            let scope = BotCommandScope::ChatMember { chat_id, user_id };
            scopes.push((scope, role, CommandPlace::Topic));
        }
    }
    let of_scope = |(scope, role, place)| {
        Language::ALL.into_iter().map(move |language| CommandMenu {
            scope,
            language_code: (language != default).then_some(language.code()),
            commands: commands(language, role, place),
        })
    };
    scopes.into_iter().flat_map(of_scope).collect()
}

fn commands(language: Language, role: Role, place: CommandPlace) -> Vec<BotCommand> {
    let usable = COMMANDS.iter().filter(|entry| entry.is_for(role, place));
    let shown = usable.map(|entry| BotCommand {
        command: entry.name,
        description: language.summary(entry.command),
    });
    shown.collect()
}
