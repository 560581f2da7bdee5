//! What a bot shows of itself: its menus of commands and its descriptions.

use domain::texts::CommandMenu;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{CALL_TIMEOUT, Telegram, TelegramError};

/// Which of the two texts about a bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AboutBot {
    /// What an empty private chat shows, to 512 characters.
    Description,
    /// What the bot's profile shows, to 120 characters.
    ShortDescription,
}

impl AboutBot {
    const fn methods(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Description => ("getMyDescription", "setMyDescription", "description"),
            Self::ShortDescription => (
                "getMyShortDescription",
                "setMyShortDescription",
                "short_description",
            ),
        }
    }
}

#[derive(Deserialize)]
struct OfferedCommand {
    command: String,
    description: String,
}

/// What the bot shows of itself.
impl Telegram {
    /// Whether a menu is as it should be, for just its scope and language.
    ///
    /// # Errors
    /// [`TelegramError`].
    pub async fn offers(&self, menu: &CommandMenu) -> Result<bool, TelegramError> {
        let mut parameters = json!({"scope": menu.scope});
        if let Some(code) = menu.language_code {
            parameters["language_code"] = code.into();
        }
        let offered: Vec<OfferedCommand> = self
            .call("getMyCommands", &parameters, CALL_TIMEOUT)
            .await?;
        let offered = offered
            .iter()
            .map(|offered| (offered.command.as_str(), offered.description.as_str()));
        let wanted = menu
            .commands
            .iter()
            .map(|wanted| (wanted.command, wanted.description));
        Ok(offered.eq(wanted))
    }

    /// Sets a menu. Idempotent.
    ///
    /// # Errors
    /// [`TelegramError`].
    pub async fn offer(&self, menu: &CommandMenu) -> Result<(), TelegramError> {
        let mut parameters = json!({"scope": menu.scope, "commands": menu.commands});
        if let Some(code) = menu.language_code {
            parameters["language_code"] = code.into();
        }
        self.call::<bool>("setMyCommands", &parameters, CALL_TIMEOUT)
            .await
            .map(|_| ())
    }

    /// What apps of a language show about the bot; without a text of their own, or without a language, what all show.
    ///
    /// # Errors
    /// [`TelegramError`].
    pub async fn about(
        &self,
        about: AboutBot,
        language_code: Option<&str>,
    ) -> Result<String, TelegramError> {
        let (method, _, field) = about.methods();
        let parameters = match language_code {
            Some(code) => json!({"language_code": code}),
            None => json!({}),
        };
        let shown: Value = self.call(method, &parameters, CALL_TIMEOUT).await?;
        Ok(shown[field].as_str().unwrap_or_default().to_owned())
    }

    /// Sets it. Idempotent.
    ///
    /// # Errors
    /// [`TelegramError`].
    pub async fn set_about(
        &self,
        about: AboutBot,
        language_code: Option<&str>,
        text: &str,
    ) -> Result<(), TelegramError> {
        let (_, method, field) = about.methods();
        let mut parameters = json!({});
        parameters[field] = text.into();
        if let Some(code) = language_code {
            parameters["language_code"] = code.into();
        }
        self.call::<bool>(method, &parameters, CALL_TIMEOUT)
            .await
            .map(|_| ())
    }
}
