//! What the front bot shows of itself: its menus of commands, and what it is for. Set where it is not so yet; a description
//! that somebody wrote by hand stays. Done again, it changes nothing.

use domain::command::Role;
use domain::id::{ChatId, TelegramUserId};
use domain::texts::{BotCommandScope, CommandMenu, Language, menus};
use runtime::config::Env;
use runtime::settings;
use runtime::telemetry::chain;
use telegram::{AboutBot, Telegram, TelegramError};

use crate::check::{Check, patiently};

const WHAT: &str = "menus of the bot";

/// What the menus are made of.
#[derive(Clone)]
pub struct MenuSetup {
    owners: Vec<TelegramUserId>,
    operator_chat: Option<ChatId>,
    default_language: Language,
}

/// How many menus and texts are as they should be.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    right: usize,
    /// Set just now, or to be set.
    wrong: usize,
}

/// Whether what is not so yet is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Looking,
    Setting,
}

impl MenuSetup {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, operator_chat: Option<ChatId>) -> Self {
        Self {
            owners: settings::bot_owners(env),
            operator_chat,
            default_language: settings::default_language(env),
        }
    }

    /// Sets what is not so yet. A shop sells without it, so a failure is a warning.
    pub async fn register(&self, front: &Telegram) -> Check {
        match self.go_through(front, Doing::Setting).await {
            Ok(shown) => Check::ok(
                WHAT,
                format!("{} set, {} were set", shown.wrong, shown.right),
            ),
            Err(failure) => {
                Check::warning(WHAT, format!("{}: run setup once more", chain(&failure)))
            }
        }
    }

    /// Looks whether all is so.
    pub async fn check(&self, front: &Telegram) -> Check {
        match self.go_through(front, Doing::Looking).await {
            Ok(Shown { right, wrong: 0 }) => Check::ok(WHAT, format!("all {right} are set")),
            Ok(Shown { right, wrong }) => Check::warning(
                WHAT,
                format!(
                    "{wrong} of {} are not as they should be: run setup",
                    right + wrong
                ),
            ),
            Err(failure) => Check::warning(WHAT, chain(&failure)),
        }
    }

    async fn go_through(&self, front: &Telegram, doing: Doing) -> Result<Shown, TelegramError> {
        let owners: Vec<(TelegramUserId, Role)> = self
            .owners
            .iter()
            .map(|owner| (*owner, Role::Owner))
            .collect();
        let mut shown = Shown::default();
        for menu in menus(self.default_language, self.operator_chat, &owners) {
            match of_menu(front, &menu, doing).await {
                Ok(true) => shown.right += 1,
                Ok(false) => shown.wrong += 1,
                // An owner who never started the bot, or is not in the operators' chat, has no menu of their own yet.
                Err(failure) if is_of_person(&menu) && is_unknown(&failure) => {}
                Err(failure) => return Err(failure),
            }
        }
        for about in [AboutBot::Description, AboutBot::ShortDescription] {
            self.of_about(front, about, doing, &mut shown).await?;
        }
        Ok(shown)
    }

    async fn of_about(
        &self,
        front: &Telegram,
        about: AboutBot,
        doing: Doing,
        shown: &mut Shown,
    ) -> Result<(), TelegramError> {
        let of_all = patiently(async || front.about(about, None).await).await?;
        let default = self.default_language;
        if !of_all.is_empty() && of_all != ours(about, default) {
            return Ok(());
        }
        for language in Language::ALL {
            let code = (language != default).then_some(language.code());
            let text = ours(about, language);
            let present = patiently(async || front.about(about, code).await).await?;
            if present == text {
                shown.right += 1;
            } else if present.is_empty() || present == of_all || present == ours(about, default) {
                shown.wrong += 1;
                if doing == Doing::Setting {
                    patiently(async || front.set_about(about, code, text).await).await?;
                }
            }
        }
        Ok(())
    }
}

const fn ours(about: AboutBot, language: Language) -> &'static str {
    match about {
        AboutBot::Description => language.description(),
        AboutBot::ShortDescription => language.short_description(),
    }
}

/// Answers whether the menu was right.
async fn of_menu(
    front: &Telegram,
    menu: &CommandMenu,
    doing: Doing,
) -> Result<bool, TelegramError> {
    let is_right = patiently(async || front.offers(menu).await).await?;
    if !is_right && doing == Doing::Setting {
        patiently(async || front.offer(menu).await).await?;
    }
    Ok(is_right)
}

const fn is_of_person(menu: &CommandMenu) -> bool {
    matches!(
        menu.scope,
        BotCommandScope::Chat { .. } | BotCommandScope::ChatMember { .. }
    )
}

fn is_unknown(failure: &TelegramError) -> bool {
    let unknown = ["chat not found", "user not found", "PARTICIPANT_ID_INVALID"];
    matches!(failure, TelegramError::Refused { status: 400, description, .. }
        if unknown.iter().any(|words| description.contains(words)))
}

/// What only @BotFather can set of the front bot.
pub async fn privacy(front: &Telegram) -> Check {
    let what = format!("privacy mode of bot {}", front.bot());
    match patiently(async || front.me().await).await {
        Ok(me) if me.can_read_all_group_messages => Check::warning(
            what,
            "it is off, so that Telegram sends the bot every message of its groups: turn it on with /setprivacy in @BotFather; a bot of its own for the chats is better still",
        ),
        Ok(_) => Check::ok(what, "on"),
        Err(failure) => Check::warning(what, chain(&failure)),
    }
}
