//! What others say, cleared of our secrets before it is kept: a proxy's error page shows the URL with the bot's token, a
//! refusal repeats the link that it is about.
//!
//! The secrets of the process are learned where they are read, in [`Env`](crate::config::Env). Tokens of bots, invite
//! links and claim links are known by their form as well, so that one of yesterday is cleared, too.

use std::sync::{PoisonError, RwLock};

use domain::claim;
use domain::text;

/// The shortest secret that is cleared, in bytes: a shorter one is guessed in no time and stands in ordinary words.
const SECRET_MIN: usize = 8;
/// How many secrets are remembered: a process has a few, a test of many worlds has those of each.
const SECRETS_MAX: usize = 1024;
/// The fewest digits before the colon of a bot's token.
const TOKEN_DIGITS_MIN: usize = 6;
/// The fewest characters after the colon of a bot's token; today there are 35.
const TOKEN_SECRET_MIN: usize = 20;
/// The fewest characters of the payload of a claim link; today there are 48.
const CLAIM_MIN: usize = 40;
/// The fewest characters of a link's part where no host of Telegram's stands before it.
const LINK_PART_MIN: usize = 16;

/// The secrets of this process, in the order in which they were learned.
static SECRETS: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// Whether the setting of this name is a secret, or a list of secrets.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    ["_KEY", "_KEYS", "_TOKEN", "_SECRET", "_PASSWORD", "_EMAIL"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// Remembers what is secret of a setting: each part of its list, and what follows the colon in it.
pub(crate) fn learn(name: &str, value: &str) {
    if !is_secret(name) {
        return;
    }
    let forms = text::list(value).flat_map(|part| {
        let after = part.split_once(':').map(|(_, rest)| rest.trim());
        [Some(part), after]
            .into_iter()
            .flatten()
            .flat_map(spellings)
    });
    let forms: Vec<String> = forms.filter(|form| form.len() >= SECRET_MIN).collect();
    let is_known = |known: &[String]| forms.iter().all(|form| known.contains(form));
    if is_known(&SECRETS.read().unwrap_or_else(PoisonError::into_inner)) {
        return;
    }
    let mut known = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
    for form in forms {
        if !known.contains(&form) {
            if known.len() >= SECRETS_MAX {
                known.remove(0);
            }
            known.push(form);
        }
    }
}

/// A secret as it is, as it stands in a URL, and as it stands in JSON.
fn spellings(secret: &str) -> Vec<String> {
    let in_url: String = secret
        .bytes()
        .map(|byte| match byte {
            b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    let in_json = serde_json::Value::from(secret).to_string();
    let mut all = vec![
        secret.to_owned(),
        in_url,
        in_json.trim_matches('"').to_owned(),
    ];
    all.dedup();
    all
}

/// `words` without the secrets of this process, tokens of bots and invite links.
#[must_use]
pub fn redact(words: &str) -> String {
    let mut words = words.to_owned();
    let mut found: Vec<String> = SECRETS
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
        .filter(|secret| words.contains(secret.as_str()))
        .cloned()
        .collect();
    // The longest first: one may be a part of another.
    found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in found {
        words = words.replace(&secret, "[secret]");
    }
    let words = without(&words, "[token]", token_at);
    let words = without(&words, "[claim]", claim_at);
    without(&words, "[link]", link_at)
}

/// `words` with `instead` in the place of each stretch that `find` tells, by how far it reaches back and forward from
/// where it was asked about.
fn without(words: &str, instead: &str, find: fn(&str, usize) -> Option<(usize, usize)>) -> String {
    let lower = words.to_ascii_lowercase();
    let (mut cleared, mut kept_from, mut at) = (String::with_capacity(words.len()), 0, 0);
    while at < words.len() {
        match find(&lower, at) {
            Some((begin, end)) => {
                cleared.push_str(&words[kept_from..begin.max(kept_from)]);
                cleared.push_str(instead);
                (kept_from, at) = (end, end);
            }
            None => at += 1,
        }
    }
    cleared.push_str(&words[kept_from..]);
    cleared
}

/// How many bytes from `at` on are characters of base64url.
fn run(words: &[u8], at: usize) -> usize {
    let is_of_it = |c: &&u8| c.is_ascii_alphanumeric() || **c == b'-' || **c == b'_';
    words
        .get(at..)
        .unwrap_or_default()
        .iter()
        .take_while(is_of_it)
        .count()
}

/// The token whose colon stands at `at`, in lower case.
fn token_at(words: &str, at: usize) -> Option<(usize, usize)> {
    let bytes = words.as_bytes();
    let colon = [":", "%3a"]
        .iter()
        .find(|colon| bytes[at..].starts_with(colon.as_bytes()))?;
    let digits = bytes[..at]
        .iter()
        .rev()
        .take_while(|c| c.is_ascii_digit())
        .count();
    let secret = run(bytes, at + colon.len());
    (digits >= TOKEN_DIGITS_MIN && secret >= TOKEN_SECRET_MIN)
        .then_some((at - digits, at + colon.len() + secret))
}

/// What stands before the token of a claim link in the address of its page, in lower case.
const BEFORE_CLAIM_TOKENS: [&str; 3] = ["/c/", "/c\\/", "%2fc%2f"];

/// The payload of a claim link that begins at `at`, or the token that follows there in the address of its page, in lower
/// case.
fn claim_at(words: &str, at: usize) -> Option<(usize, usize)> {
    let bytes = words.as_bytes();
    let here = &bytes[at..];
    let is_payload = [claim::PREFIX, claim::ORDER_PREFIX]
        .iter()
        .any(|prefix| here.starts_with(prefix.as_bytes()));
    let begin = match is_payload {
        true => at,
        false => {
            let mut marks = BEFORE_CLAIM_TOKENS.iter();
            at + marks.find(|mark| here.starts_with(mark.as_bytes()))?.len()
        }
    };
    let length = run(bytes, begin);
    (length >= CLAIM_MIN).then_some((begin, begin + length))
}

/// What stands before the part of a link, in lower case, and how long the part must be.
const BEFORE_LINK_PARTS: [(&str, usize); 13] = [
    ("joinchat/", 1),
    ("joinchat\\/", 1),
    ("joinchat%2f", 1),
    ("join?invite=", 1),
    ("join%3finvite%3d", 1),
    ("t.me/+", 1),
    ("telegram.me/+", 1),
    ("telegram.dog/+", 1),
    ("/+", LINK_PART_MIN),
    ("t.me/ ", LINK_PART_MIN),
    ("/%2b", LINK_PART_MIN),
    ("%2f%2b", LINK_PART_MIN),
    ("/\\u002b", LINK_PART_MIN),
];

/// The link whose mark begins at `at`, from its scheme on; `words` are in lower case.
fn link_at(words: &str, at: usize) -> Option<(usize, usize)> {
    let bytes = words.as_bytes();
    let end = BEFORE_LINK_PARTS.iter().find_map(|(mark, fewest)| {
        let begins = bytes[at..].starts_with(mark.as_bytes());
        let part = if begins {
            run(bytes, at + mark.len())
        } else {
            0
        };
        (part >= *fewest).then_some(at + mark.len() + part)
    })?;
    let is_of_url = |c: &&u8| c.is_ascii_alphanumeric() || b".:/\\%-".contains(c);
    let before = bytes[..at].iter().rev().take_while(is_of_url).count();
    Some((at - before, end))
}

/// The words of somebody else as they may be kept: without our secrets, what ends a line or moves a terminal, and what
/// can't be seen.
#[must_use]
pub fn of_others(words: &str) -> String {
    let on_one_line: String = words
        .chars()
        .filter(|c| !text::is_invisible(*c))
        .map(|c| {
            if c.is_control() || ['\u{2028}', '\u{2029}'].contains(&c) {
                ' '
            } else {
                c
            }
        })
        .collect();
    redact(&on_one_line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Env;

    #[test]
    fn every_secret_of_the_environment_is_cleared_in_each_of_its_spellings() {
        let mut env = Env::from_iter([
            (
                "TELEGRAM_BOT_TOKEN",
                "123456:AAredactedRedacted-one,7:short-tail-two",
            ),
            (
                "TELEGRAM_WEBHOOK_SECRET",
                "redacted-hook-one, redacted-hook-two",
            ),
            ("API_KEYS", "redacted/shop key"),
            ("TELEGRAM_CHAT_ID", "-1001234567890"),
        ]);
        env.fill_in("ADMIN_KEYS".to_owned(), "ann:redacted-operator".to_owned());
        env.fill_in(
            "WEBENGAGE_API_KEY".to_owned(),
            "redacted\"engage".to_owned(),
        );
        for secret in [
            "123456:AAredactedRedacted-one",
            "AAredactedRedacted-one",
            "short-tail-two",
            "redacted-hook-one",
            "redacted-hook-two",
            "redacted/shop key",
            "redacted%2Fshop%20key",
            "redacted-operator",
            "redacted\\\"engage",
        ] {
            let said = redact(&format!("before {secret}: after -1001234567890"));
            assert_eq!(said, "before [secret]: after -1001234567890", "{secret}");
        }
    }

    #[test]
    fn tokens_and_links_are_known_by_their_form() {
        let token = "987654321:AAHtest_token-of-nobody-000000000000";
        for (said, kept) in [
            (format!("404 /bot{token}/getMe"), "404 /bot[token]/getMe"),
            (format!("bot{}", token.replace(':', "%3A")), "bot[token]"),
            (
                "see https://t.me/+AbCdEfGhIjKlMnOp.".to_owned(),
                "see [link].",
            ),
            ("\"https://t.me/+x\"".to_owned(), "\"[link]\""),
            (
                format!("/start c_{}, then", "aB-9_".repeat(9)),
                "/start [claim], then",
            ),
            (
                format!("GET https://pay.example/c/{}?lang=ru", "aB-9_".repeat(9)),
                "GET https://pay.example/c/[claim]?lang=ru",
            ),
            (
                format!(r"pay\/c\/{}", "aB-9_".repeat(9)),
                r"pay\/c\/[claim]",
            ),
            ("(t.me/joinchat/AAA_b-c)".to_owned(), "([link])"),
            ("TELEGRAM.ME/+AbC, T.me/+AbC".to_owned(), "[link], [link]"),
            ("tg://join?invite=AbC&x".to_owned(), "[link]&x"),
            (
                "https%3A%2F%2Ft.me%2F%2BAbCdEfGhIjKlMnOp x".to_owned(),
                "[link] x",
            ),
            (r"https:\/\/t.me\/+AbCdEfGhIjKlMnOp".to_owned(), "[link]"),
            ("https://tg.example/+AbCdEfGhIjKlMnOp".to_owned(), "[link]"),
        ] {
            assert_eq!(redact(&said), kept, "{said}");
        }
    }

    #[test]
    fn ordinary_words_stay() {
        for words in [
            "Bad Request: chat not found",
            "Wrong response from the webhook: 401 Unauthorized",
            "at 12:34:56, 3/+4, é:ü %3A / joinchat/ t.me/+ x",
            "arn:aws:sqs:us-east-1:000000000000:InviteQueue",
            "https://t.me/somebody",
            "",
        ] {
            assert_eq!(of_others(words), words);
        }
    }

    #[test]
    fn an_invisible_character_hides_no_secret() {
        let said = "987654321:AAHtest_token\u{200b}-of-nobody-000000000000";
        assert_eq!(of_others(said), "[token]");
        assert_eq!(
            of_others("no\r\nERROR\u{1b}[31m\u{85}\u{2028}yes"),
            "no  ERROR [31m  yes"
        );
    }
}
