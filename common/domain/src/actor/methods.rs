//! The methods of the Bot API, what an actor needs to call each, and which parameters of it are passed on.

use std::collections::HashMap;
use std::sync::OnceLock;

/// One method a line: see its head.
const TABLE: &str = include_str!("methods.txt");

/// The parameters that may be files.
const FILES: [&str; 11] = [
    "animation",
    "audio",
    "cover",
    "document",
    "live_photo",
    "photo",
    "sticker",
    "thumbnail",
    "video",
    "video_note",
    "voice",
];

/// What an actor needs to call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallRight {
    /// It is about the actor itself, and does not reach the bot.
    Own,
    /// Reads what people send.
    Read,
    /// Sends to a person who wrote to the bot, or to a chat of the key.
    Send,
    /// Changes a message that this key sent.
    Change,
    /// Asks about a chat, or answers the press of a button.
    Ask,
    /// Money, invites, administration: no actor's.
    Nobody,
}

/// A method of the Bot API as actors may call it.
#[derive(Debug, PartialEq, Eq)]
pub struct MethodRule {
    /// Its name, as the Bot API writes it.
    pub name: &'static str,
    /// What an actor needs to call it.
    pub right: CallRight,
    /// The parameters that are passed on.
    pub parameters: Vec<&'static str>,
}

impl MethodRule {
    /// Whether Telegram does it when it stands in the answer of a webhook, where nobody sees its result: it does nothing
    /// there that only asks, or that is about the webhook itself.
    #[must_use]
    pub fn is_done_unseen(&self) -> bool {
        let is_of_bot = !matches!(self.right, CallRight::Own | CallRight::Read);
        is_of_bot && !self.name.starts_with("get")
    }

    /// Whether a file may be passed on under this name: that of a parameter that is a file, or one of the caller's own, by
    /// which `attach://` names it.
    #[must_use]
    pub fn may_be_file(&self, name: &str) -> bool {
        FILES.contains(&name) || !self.parameters.contains(&name)
    }
}

/// The method of this name, whose case does not count; nothing if there is none.
#[must_use]
pub fn method(name: &str) -> Option<&'static MethodRule> {
    static METHODS: OnceLock<HashMap<String, MethodRule>> = OnceLock::new();
    let methods = METHODS.get_or_init(|| {
        let rules = TABLE.lines().filter_map(rule);
        rules
            .map(|rule| (rule.name.to_ascii_lowercase(), rule))
            .collect()
    });
    methods.get(&name.to_ascii_lowercase())
}

fn rule(line: &'static str) -> Option<MethodRule> {
    let mut words = line.split_whitespace();
    let name = words.next().filter(|word| !word.starts_with('#'))?;
    let right = match words.next()? {
        "own" => CallRight::Own,
        "read" => CallRight::Read,
        "send" => CallRight::Send,
        "change" => CallRight::Change,
        "ask" => CallRight::Ask,
        _ => CallRight::Nobody,
    };
    Some(MethodRule {
        name,
        right,
        parameters: words.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_the_bot_api_is_known_in_any_case() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(lines.clone().count(), 180);
        for line in lines {
            let name = line.split(' ').next().unwrap();
            assert_eq!(method(name).unwrap().name, name);
            assert_eq!(method(&name.to_uppercase()).unwrap().name, name);
        }
        assert_eq!(method("GetMe").unwrap().name, "getMe");
        assert_eq!(method("sendmessages"), None);
        assert_eq!(method(""), None);
        assert_eq!(method("#"), None);
    }

    #[test]
    fn money_invites_and_administration_are_nobodys() {
        for name in [
            "sendInvoice",
            "sendPaidMedia",
            "refundStarPayment",
            "answerPreCheckoutQuery",
            "createChatInviteLink",
            "approveChatJoinRequest",
            "banChatMember",
            "promoteChatMember",
            "setMyCommands",
            "getStarTransactions",
            "forwardMessage",
            "getChatAdministrators",
        ] {
            assert_eq!(method(name).unwrap().right, CallRight::Nobody, "{name}");
        }
    }

    #[test]
    fn in_an_answer_nothing_is_done_that_only_asks() {
        for (name, is_done) in [
            ("sendMessage", true),
            ("deleteMessage", true),
            ("answerCallbackQuery", true),
            ("getChat", false),
            ("getFile", false),
            ("getMe", false),
            ("setWebhook", false),
            ("deleteWebhook", false),
            ("logOut", false),
        ] {
            assert_eq!(method(name).unwrap().is_done_unseen(), is_done, "{name}");
        }
    }

    #[test]
    fn no_file_stands_for_another_parameter() {
        let photo = method("sendPhoto").unwrap();
        for (name, may) in [
            ("photo", true),
            ("file0", true),
            ("reply_markup", false),
            ("chat_id", false),
        ] {
            assert_eq!(photo.may_be_file(name), may, "{name}");
        }
    }

    #[test]
    fn no_method_passes_on_what_spends_or_speaks_for_others() {
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            for parameter in line.split(' ').skip(2) {
                let is_kept_out = [
                    "allow_paid_broadcast",
                    "business_connection_id",
                    "suggested_post_parameters",
                    "inline_message_id",
                ]
                .contains(&parameter);
                assert!(!is_kept_out, "{line}");
            }
        }
    }
}
