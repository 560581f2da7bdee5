//! What a message means as a command, and what the table promises.

use super::*;

const BOT: &str = "AdmitBot";

fn read(message: &str) -> Option<WrittenCommand<'_>> {
    WrittenCommand::read(message, BOT)
}

#[test]
fn a_command_is_taken_as_people_and_apps_write_it() {
    for (message, command, arguments) in [
        ("/start", CommandName::Start, ""),
        ("/start c_abc", CommandName::Start, "c_abc"),
        ("  /START\n c_abc ", CommandName::Start, "c_abc"),
        ("/help@AdmitBot", CommandName::Help, ""),
        ("/help@admitbot me", CommandName::Help, "me"),
        ("/Help, please", CommandName::Help, ", please"),
        ("/help.", CommandName::Help, "."),
        ("/lang ru", CommandName::Language, "ru"),
        ("/Unsubscribe", CommandName::Stop, ""),
        ("/note a\nb", CommandName::Note, "a\nb"),
        ("/grant -1001 forever", CommandName::Grant, "-1001 forever"),
    ] {
        let known = WrittenCommand::Known { command, arguments };
        assert_eq!(read(message), Some(known), "{message:?}");
    }
}

#[test]
fn what_is_not_for_us_is_not_a_command() {
    for message in [
        "",
        "/",
        "//aside",
        "/ help",
        "help",
        "say /help",
        "/help@OtherBot",
        "/help@",
        "/help@AdmitBot2",
        "/help@AdmitBot@OtherBot",
        "/etc/hosts",
        "/help/me",
        "/помощь",
        "/helpé",
        "/<b>",
        "\u{200b}/help",
    ] {
        assert_eq!(read(message), None, "{message:?}");
    }
}

#[test]
fn an_unknown_command_keeps_its_word() {
    for (message, word) in [
        ("/acess now", "acess"),
        ("/Foo@AdmitBot", "Foo"),
        ("/_", "_"),
    ] {
        let unknown = WrittenCommand::Unknown { word };
        assert_eq!(read(message), Some(unknown), "{message:?}");
    }
}

#[test]
fn the_nearest_command_is_one_that_the_person_may_use_there() {
    use CommandPlace::{Group, Private, Topic};
    let long = "a".repeat(4000);
    for (word, role, place, meant) in [
        ("acess", Role::Public, Private, Some(CommandName::Access)),
        ("HLEP", Role::Public, Private, Some(CommandName::Help)),
        ("start1", Role::Public, Private, Some(CommandName::Start)),
        ("suport", Role::Public, Group, Some(CommandName::Support)),
        ("lnik", Role::Public, Private, Some(CommandName::Access)),
        ("privcy", Role::Public, Private, Some(CommandName::Privacy)),
        ("privcy", Role::Public, Group, None),
        ("grnat", Role::Public, Private, None),
        ("grnat", Role::Operator, Private, None),
        ("grnat", Role::Admin, Private, Some(CommandName::Grant)),
        ("grnat", Role::Admin, Topic, Some(CommandName::Grant)),
        ("grnat", Role::Operator, Topic, None),
        ("acess", Role::Owner, Topic, None),
        ("unblok", Role::Operator, Topic, Some(CommandName::Unblock)),
        ("unblok", Role::Operator, Private, None),
        ("ned", Role::Admin, Private, None),
        ("ent", Role::Admin, Private, Some(CommandName::End)),
        ("weather", Role::Owner, Private, None),
        ("", Role::Owner, Private, None),
        (&long, Role::Owner, Private, None),
    ] {
        assert_eq!(nearest(word, role, place), meant, "{word} of {role:?}");
    }
}

#[test]
fn each_kind_of_payload_is_told_apart() {
    use StartPayload::{Claim, Nothing, OrderClaim, Product, Referral, Source, Unknown};
    let longest = format!("c_{}", "x".repeat(62));
    let too_long = format!("c_{}", "x".repeat(63));
    for (arguments, payload) in [
        ("", Nothing),
        (" \n", Nothing),
        ("c_AQ-b_c", Claim("AQ-b_c")),
        ("c_AQ and more", Claim("AQ")),
        (&longest, Claim(&longest[2..])),
        (&too_long, Unknown(&too_long)),
        ("o_AQ_b", OrderClaim("AQ_b")),
        (
            "p_vip-gold",
            Product {
                product: "vip-gold",
                code: None,
            },
        ),
        (
            "p_vip_ann_7",
            Product {
                product: "vip",
                code: Some("ann_7"),
            },
        ),
        (
            "p_vip_",
            Product {
                product: "vip",
                code: None,
            },
        ),
        ("p__ann", Unknown("p__ann")),
        ("r_ann", Referral("ann")),
        ("s_ad_1", Source("ad_1")),
        ("c_", Unknown("c_")),
        ("p_", Unknown("p_")),
        ("C_AQ", Unknown("C_AQ")),
        ("c", Unknown("c")),
        ("_AQ", Unknown("_AQ")),
        ("x_AQ", Unknown("x_AQ")),
        ("c_AQ=", Unknown("c_AQ=")),
        ("c_да", Unknown("c_да")),
        ("https://t.me/x", Unknown("https://t.me/x")),
    ] {
        // `Debug` hides what differs.
        assert!(StartPayload::read(arguments) == payload, "{arguments:?}");
    }
}

#[test]
fn no_log_shows_a_payload() {
    for arguments in ["c_SECRET", "o_SECRET", "p_SECRET_SECRET", "SECRET"] {
        let message = format!("/start {arguments}");
        let shown = format!("{:?} {:?}", read(&message), StartPayload::read(arguments));
        assert!(!shown.contains("SECRET"), "{shown}");
    }
}

#[test]
fn a_name_means_one_command_and_telegram_takes_it() {
    let mut words = Vec::new();
    for entry in COMMANDS {
        assert_eq!(entry.command.entry().name, entry.name);
        assert!(!entry.places.is_empty(), "{}", entry.name);
        words.push(entry.name);
        words.extend(entry.aliases);
    }
    for word in &words {
        let is_allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
        assert!(
            (1..=32).contains(&word.len()) && word.bytes().all(is_allowed),
            "{word}"
        );
        let same = words.iter().filter(|other| *other == word).count();
        assert_eq!(same, 1, "{word}");
    }
}

#[test]
fn a_role_may_do_what_lesser_ones_may_and_no_more() {
    let grant = CommandName::Grant.entry();
    let allowed: Vec<Role> = Role::ALL
        .into_iter()
        .filter(|role| grant.is_for(*role, CommandPlace::Private))
        .collect();
    assert_eq!(allowed, [Role::Admin, Role::Owner]);
    assert!(!grant.is_for(Role::Owner, CommandPlace::Group));
    for entry in COMMANDS {
        // In front of others nobody works, and nothing personal is shown.
        let is_public = entry.role == Role::Public;
        assert!(is_public || !entry.places.contains(&CommandPlace::Group));
    }
}
