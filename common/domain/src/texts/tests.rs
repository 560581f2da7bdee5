//! Every sentence in every language.

use std::collections::BTreeSet;

use super::html::tests::{check, shown};
use super::html::{MESSAGE_UNITS, units};
use super::*;
use crate::command::{COMMANDS, CommandPlace, WrittenCommand};
use crate::id::{ChatId, TelegramUserId};
use crate::time::Timestamp;

/// A sentence: its name, those of its arguments, and how it is made, with the argument of a name changed.
pub(super) type SampledSentence<T> = (&'static str, Vec<&'static str>, fn(&str) -> T);

/// An argument to try a sentence with; `changed` is another one.
pub(super) trait SampleArgument {
    fn sample(changed: bool) -> Self;
}

const HOSTILE: &str =
    "</b><i>&lt;&amp;\u{202e}\"'{}%s\u{2069}<a href=\"x\">\nA\u{301}\u{301}\u{301}\u{301}";

impl SampleArgument for Name<'_> {
    fn sample(changed: bool) -> Self {
        Self(if changed { "Gold" } else { HOSTILE })
    }
}

impl SampleArgument for Code<'_> {
    fn sample(changed: bool) -> Self {
        Self(if changed { "Gold" } else { HOSTILE })
    }
}

impl SampleArgument for LabelName<'_> {
    fn sample(changed: bool) -> Self {
        Self(if changed { "Gold" } else { HOSTILE })
    }
}

impl SampleArgument for Address<'_> {
    fn sample(changed: bool) -> Self {
        Self(if changed {
            "https://t.me/x"
        } else {
            "https://t.me/x?a=1&b=\"<"
        })
    }
}

impl SampleArgument for Date {
    fn sample(changed: bool) -> Self {
        let minute = if changed { 60 } else { 0 };
        Self(Timestamp::from_seconds(1_804_255_500 + minute))
    }
}

impl SampleArgument for u32 {
    fn sample(changed: bool) -> Self {
        if changed { 1 } else { 12 }
    }
}

impl SampleArgument for Role {
    fn sample(changed: bool) -> Self {
        if changed { Self::Owner } else { Self::Operator }
    }
}

impl SampleArgument for CommandName {
    fn sample(changed: bool) -> Self {
        if changed { Self::Grant } else { Self::Access }
    }
}

fn texts() -> Vec<SampledSentence<Text<'static>>> {
    Text::samples()
}

/// The commands and tags of a text, in order of the alphabet: what a translation must not lose.
fn marks(html: &str) -> Vec<String> {
    let words = html.split([' ', '\n', '<', '>', '.', ',', ':', '?', '।']);
    let mut found: Vec<String> = words
        // Not the slashes of an address.
        .filter(|word| !word.starts_with("//"))
        .filter(|word| word.starts_with('/') || ["b", "code"].contains(word))
        .map(str::to_owned)
        .collect();
    found.sort_unstable();
    found
}

#[test]
fn every_text_is_html_that_telegram_takes_and_within_its_limit() {
    for (name, _, make) in texts() {
        for language in Language::ALL {
            let html = make("").html(language);
            assert_eq!(check(&html), Ok(()), "{name} in {language:?}");
            let length = units(&html);
            assert!((2..=MESSAGE_UNITS).contains(&length), "{name}: {length}");
            assert_eq!(html.trim(), html, "{name} in {language:?}");
            assert!(!html.contains("  "), "{name} in {language:?}: {html}");
        }
    }
}

#[test]
fn every_language_uses_every_argument() {
    for (name, arguments, make) in texts() {
        for language in Language::ALL {
            let html = make("").html(language);
            for argument in &arguments {
                let changed = make(argument).html(language);
                assert_ne!(html, changed, "{argument} of {name} in {language:?}");
            }
        }
    }
    for (name, arguments, make) in Label::samples() {
        for language in Language::ALL {
            let plain = make("").plain(language);
            for argument in &arguments {
                let changed = make(argument).plain(language);
                assert_ne!(plain, changed, "{argument} of {name} in {language:?}");
            }
        }
    }
}

#[test]
fn every_language_names_the_same_commands_and_stresses_as_english_does() {
    for (name, _, make) in texts() {
        let english = marks(&make("").html(Language::English));
        for language in Language::ALL {
            let found = marks(&make("").html(language));
            assert_eq!(found, english, "{name} in {language:?}");
        }
        // Who reads a text can use a command that it names: everybody, in topics operators, and who is told how one is written.
        let reader = match name {
            _ if name.starts_with("Topic") => Role::Operator,
            _ if name.ends_with("HowTo") => Role::Owner,
            _ => Role::Public,
        };
        let is_command =
            |mark: &&String| mark.starts_with('/') && !["/b", "/code"].contains(&mark.as_str());
        for command in english.iter().filter(is_command) {
            let known = WrittenCommand::read(command, "bot");
            let Some(WrittenCommand::Known { command, .. }) = known else {
                panic!("{name} names {command}");
            };
            assert!(command.entry().role <= reader, "{name}");
        }
    }
}

/// Fails if two languages have the same words, or a language is not written in its script.
fn assert_translated(name: &str, of: impl Fn(Language) -> String) {
    let mut seen = BTreeSet::new();
    for language in Language::ALL {
        let text = of(language);
        assert!(seen.insert(text.clone()), "{name} in {language:?}: {text}");
        let has =
            |script: std::ops::RangeInclusive<char>| text.chars().any(|c| script.contains(&c));
        let is_written = match language {
            Language::Hindi => has('\u{900}'..='\u{97f}'),
            Language::Russian => has('\u{400}'..='\u{4ff}'),
            Language::English | Language::Spanish | Language::Portuguese => {
                !has('\u{400}'..='\u{97f}')
            }
        };
        assert!(is_written, "{name} in {language:?}: {text}");
    }
}

#[test]
fn nothing_is_left_untranslated() {
    for (name, arguments, make) in texts() {
        let argument = arguments.first().copied().unwrap_or_default();
        assert_translated(name, |language| make(argument).html(language));
    }
    // Spanish and Portuguese share these words.
    let shared = ["OpenChat", "OpenPrivate", "operator", "admin"];
    for (name, _, make) in Label::samples() {
        if !shared.contains(&name) {
            assert_translated(name, |language| make("chat").plain(language));
        }
    }
    for role in Role::ALL {
        let english = Language::English.role(role);
        if !shared.contains(&english) {
            assert_translated(english, |language| language.role(role).to_owned());
        }
    }
    for entry in COMMANDS {
        assert_translated(entry.name, |language| {
            language.summary(entry.command).to_owned()
        });
    }
}

#[test]
fn what_the_bot_says_of_itself_fits_and_is_translated() {
    assert_translated("description", |language| language.description().to_owned());
    assert_translated("short description", |language| {
        language.short_description().to_owned()
    });
    for language in Language::ALL {
        assert!(language.description().chars().count() <= 512);
        assert!(language.short_description().chars().count() <= 120);
    }
}

#[test]
fn no_sign_stands_for_a_word() {
    let is_sign =
        |c: char| matches!(c, '\u{2190}'..='\u{2bff}' | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}');
    for (name, arguments, make) in texts() {
        for language in Language::ALL {
            let html = make(arguments.first().copied().unwrap_or_default()).html(language);
            assert!(!html.contains(is_sign), "{name} in {language:?}");
        }
    }
    for (name, _, make) in Label::samples() {
        for language in Language::ALL {
            let plain = make("chat").plain(language);
            assert!(!plain.contains(is_sign), "{name} in {language:?}");
        }
    }
}

#[test]
fn buttons_are_short_and_no_html() {
    for (name, arguments, make) in Label::samples() {
        let argument = arguments.first().copied().unwrap_or_default();
        for language in Language::ALL {
            let plain = make(argument).plain(language);
            let length = plain.chars().count();
            assert!(
                (2..=32).contains(&length),
                "{name} in {language:?}: {plain}"
            );
            assert!(!plain.contains(['&', '<', '>', '\n']), "{plain}");
        }
    }
    let chat = LabelName("A & B <3");
    assert_eq!(
        Label::OpenChat { chat }.plain(Language::English),
        "Open \u{2068}A & B <3\u{2069}"
    );
}

#[test]
fn buttons_of_one_question_differ() {
    for language in Language::ALL {
        let all: Vec<String> = Label::samples()
            .iter()
            .map(|(.., make)| make("").plain(language))
            .collect();
        let different: BTreeSet<&String> = all.iter().collect();
        assert_eq!(different.len(), all.len(), "{language:?}: {all:?}");
    }
}

#[test]
fn a_name_is_isolated_and_only_text() {
    let html = Text::AlreadyIn {
        chat: Name("</b>\u{202e}evil"),
    }
    .html(Language::English);
    assert_eq!(
        html,
        "You are in <b>\u{2068}&lt;/b&gt;evil\u{2069}</b> already. The button below opens it."
    );
}

#[test]
fn a_date_is_written_in_utc_as_each_language_writes_it() {
    let until = Date(Timestamp::from_seconds(1_804_255_500));
    let chat = Name("Gold");
    for (language, expected) in [
        (Language::English, "Gold: until 5 March 2027, 14:05 UTC"),
        (Language::Hindi, "Gold: 5 मार्च 2027, 14:05 UTC तक"),
        (Language::Russian, "Gold: до 5 марта 2027, 14:05 UTC"),
        (
            Language::Spanish,
            "Gold: hasta el 5 de marzo de 2027, 14:05 UTC",
        ),
        (
            Language::Portuguese,
            "Gold: até 5 de março de 2027, 14:05 UTC",
        ),
    ] {
        let html = Text::AccessUntil { chat, until }.html(language);
        let plain = shown(&html).replace(['\u{2068}', '\u{2069}'], "");
        assert_eq!(plain, expected);
    }
    // The middle of each month of a year.
    for language in Language::ALL {
        let of_month = |month: i64| {
            let until = Date(Timestamp::from_seconds(1_800_000_000 + month * 2_630_000));
            Text::AccessUntil { chat, until }.html(language)
        };
        let without_digits = |text: String| text.replace(|c: char| c.is_ascii_digit(), "");
        let months: BTreeSet<String> = (0..12).map(of_month).map(without_digits).collect();
        assert_eq!(months.len(), 12, "{months:?}");
    }
}

#[test]
fn numbers_have_the_right_noun() {
    let chats = |number, language| Text::WelcomeBack { chats: number }.html(language);
    for (number, language, noun) in [
        (1, Language::English, "1 chat."),
        (2, Language::English, "2 chats."),
        (1, Language::Russian, "1 чату."),
        (3, Language::Russian, "3 чатам."),
        (11, Language::Russian, "11 чатам."),
        (21, Language::Russian, "21 чату."),
        (1, Language::Spanish, "1 chat."),
        (5, Language::Portuguese, "5 chats."),
    ] {
        let html = chats(number, language);
        assert!(html.contains(noun), "{html}");
    }
    let days = |number| Text::Privacy { days: number }.html(Language::Russian);
    for (number, noun) in [
        (1, " 1 день "),
        (22, " 22 дня "),
        (12, " 12 дней "),
        (111, " 111 дней "),
        (90, " 90 дней "),
        (0, " 0 дней "),
    ] {
        assert!(days(number).contains(noun), "{}", days(number));
    }
}

#[test]
fn the_language_is_the_chosen_one_or_the_apps_or_the_deployments() {
    use Language::{English, Hindi, Portuguese, Russian};
    for (chosen, code, expected) in [
        (Some(Hindi), Some("ru"), Hindi),
        (None, Some("ru"), Russian),
        (None, Some("pt-br"), Portuguese),
        (None, Some("pt_BR"), Portuguese),
        (None, Some("HI-Deva-IN"), Hindi),
        (None, Some("en"), English),
        (None, Some("fr"), Russian),
        (None, Some("rus"), Russian),
        (None, Some(""), Russian),
        (None, None, Russian),
    ] {
        let found = Language::choose(chosen, code, Russian);
        assert_eq!(found, expected, "{chosen:?} {code:?}");
    }
    for (word, expected) in [
        ("ru", Some(Russian)),
        (" РУССКИЙ ", Some(Russian)),
        ("हिन्दी", Some(Hindi)),
        ("português", Some(Portuguese)),
        ("en-GB", Some(English)),
        ("klingon", None),
        ("", None),
    ] {
        assert_eq!(Language::of_word(word), expected, "{word}");
    }
    for language in Language::ALL {
        let written = serde_json::to_value(language).unwrap();
        assert_eq!(written, language.code());
        let read: Language = serde_json::from_value(written).unwrap();
        assert_eq!(read, language);
    }
}

#[test]
fn help_shows_what_a_role_may_do_there() {
    let html = help(Language::English, Role::Public, CommandPlace::Private);
    assert!(html.contains("\n/access: Your chats"), "{html}");
    assert!(!html.contains("/buyer"), "{html}");
    let html = help(Language::English, Role::Operator, CommandPlace::Topic);
    assert!(html.contains("\n/block: Take no more"), "{html}");
    assert!(!html.contains("/grant"), "{html}");
    for language in Language::ALL {
        for role in Role::ALL {
            let html = help(language, role, CommandPlace::Private);
            assert_eq!(check(&html), Ok(()));
            assert!(!html.ends_with('…'), "{html}");
        }
    }
}

#[test]
fn access_lists_each_seat_or_says_how_to_get_one() {
    let until = Some(Date(Timestamp::from_seconds(1_804_255_500)));
    let seat = |chat, until| AccessLine {
        chat: Name(chat),
        until,
    };
    let html = access(
        Language::English,
        &[seat("Gold", until), seat("Silver", None)],
    );
    let plain = shown(&html).replace(['\u{2068}', '\u{2069}'], "");
    assert_eq!(
        plain,
        "Your access\n\nGold: until 5 March 2027, 14:05 UTC\nSilver: for good"
    );
    let nothing = access(Language::Spanish, &[]);
    assert_eq!(nothing, Text::AccessNothing.html(Language::Spanish));
    // More than a message holds.
    let name = format!("{} {}", "x".repeat(30), "&".repeat(30));
    let html = access(Language::Hindi, &vec![seat(&name, until); 200]);
    assert_eq!(check(&html), Ok(()));
    assert!(units(&html) <= MESSAGE_UNITS && html.contains('…'));
}

#[test]
fn menus_are_within_the_limits_of_telegram() {
    let owner = (TelegramUserId(1), Role::Owner);
    for menu in menus(Language::English, Some(ChatId(-1)), &[owner]) {
        assert!((1..=100).contains(&menu.commands.len()));
        for BotCommand {
            command,
            description,
        } in menu.commands
        {
            let length = description.chars().count();
            assert!((1..=256).contains(&length), "{command}: {description}");
        }
    }
}

fn names(menu: &CommandMenu) -> Vec<&'static str> {
    menu.commands.iter().map(|entry| entry.command).collect()
}

#[test]
fn everybody_has_the_menu_of_their_role_place_and_language() {
    let operators = ChatId(-100);
    let staff = [
        (TelegramUserId(1), Role::Member),
        (TelegramUserId(2), Role::Operator),
        (TelegramUserId(3), Role::Admin),
    ];
    let all = menus(Language::Russian, Some(operators), &staff);
    let of = |scope: BotCommandScope, code: Option<&str>| {
        let mut found = all
            .iter()
            .filter(|menu| menu.scope == scope && menu.language_code == code);
        let menu = found.next().unwrap_or_else(|| panic!("{scope:?} {code:?}"));
        assert_eq!(found.next(), None);
        menu
    };
    let private = of(BotCommandScope::AllPrivateChats, None);
    assert_eq!(
        private.commands[0].description,
        "Начать или использовать ссылку"
    );
    let hindi = of(BotCommandScope::AllPrivateChats, Some("hi"));
    assert_eq!(names(hindi), names(private));
    assert!(!names(private).contains(&"buyer"));
    let groups = of(BotCommandScope::AllGroupChats, Some("en"));
    assert_eq!(names(groups), ["access", "support", "help"]);
    let topics = of(BotCommandScope::Chat { chat_id: operators }, None);
    assert!(names(topics).contains(&"block") && !names(topics).contains(&"grant"));
    let chat = |id| BotCommandScope::Chat {
        chat_id: ChatId(id),
    };
    assert!(names(of(chat(2), None)).contains(&"buyer"));
    assert!(names(of(chat(3), Some("es"))).contains(&"grant"));
    let admin = BotCommandScope::ChatMember {
        chat_id: operators,
        user_id: TelegramUserId(3),
    };
    let names_of_admin = names(of(admin, None));
    assert!(names_of_admin.contains(&"grant") && names_of_admin.contains(&"block"));
    // Two for everybody, one for the operators' chat, one for the operator, two for the admin; none for the member.
    assert_eq!(all.len(), 6 * Language::ALL.len());
    let none = menus(Language::English, None, &[]);
    assert_eq!(none.len(), 2 * Language::ALL.len());
}

#[test]
fn a_menu_is_sent_as_the_bot_api_writes_it() {
    let owner = (TelegramUserId(7), Role::Owner);
    let all = menus(Language::English, Some(ChatId(-100)), &[owner]);
    let written: Vec<serde_json::Value> = all
        .iter()
        .map(|menu| serde_json::to_value(menu).unwrap())
        .collect();
    let first = &written[0];
    assert_eq!(
        first["scope"],
        serde_json::json!({"type": "all_private_chats"})
    );
    assert_eq!(first.get("language_code"), None);
    assert_eq!(
        first["commands"][0],
        serde_json::json!({"command": "start", "description": "Begin, or use a link"})
    );
    assert_eq!(written[1]["language_code"], "hi");
    let last = written.last().unwrap();
    assert_eq!(
        last["scope"],
        serde_json::json!({"type": "chat_member", "chat_id": -100, "user_id": 7})
    );
}

/// `docs/COMMANDS.md`, as the table of commands makes it.
fn page_of_commands() -> String {
    let place = |place: &CommandPlace| match place {
        CommandPlace::Private => "private chat",
        CommandPlace::Group => "groups",
        CommandPlace::Topic => "operators' chat",
    };
    let mut page = String::from(
        "# Commands\n\n\
         What people and operators can write to the bot. `/help` shows each person what their role may do, in their\n\
         language. A role may do what those before it may: everybody, member (has a seat now), operator, admin, owner.\n\n\
         A command may name the bot (`/help@YourBot`), in any letter case; one that names another bot is left alone. In a\n\
         group the answer is a button to the private chat. After an unknown command the bot names the nearest one.\n\n\
         In a topic of the operators' chat a command that names nobody is about the person of the topic: `/buyer`, `/end`,\n\
         `/extend 30`; `/grant 30` gives the seat at once there. It is answered where it stands, but for the link of a\n\
         `/grant` outside of topics: everybody who reads it could use it, so its administrator gets it in private, and must\n\
         have started the bot there.\n\n\
         | command | also | least role | where | what it does |\n| --- | --- | --- | --- | --- |\n",
    );
    for entry in COMMANDS {
        let also: Vec<String> = match entry.aliases {
            [] => vec!["-".to_owned()],
            aliases => aliases.iter().map(|alias| format!("`/{alias}`")).collect(),
        };
        let places: Vec<&str> = entry.places.iter().map(place).collect();
        page.push_str(&format!(
            "| `{}` | {} | {} | {} | {} |\n",
            entry.command,
            also.join(", "),
            Language::English.role(entry.role),
            places.join(", "),
            Language::English.summary(entry.command),
        ));
    }
    page
}

#[test]
fn the_page_of_commands_is_what_the_table_says() {
    let page = page_of_commands();
    let stored = include_str!("../../../../docs/COMMANDS.md");
    assert!(stored == page, "docs/COMMANDS.md must be:\n{page}<end>");
}
