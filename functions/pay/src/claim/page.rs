//! The page of a claim link, as HTML: its script only copies a text.

use bytes::Bytes;
use domain::claim::ClaimToken;
use domain::texts::html::escape;
use domain::texts::{ClaimPageWords, Language, PageHead};
use http::{Response, StatusCode};

use crate::code;
use crate::shell::{Script, Shell};

const SCRIPT: Script = Script::Still(include_str!("page.js"));

/// What a page shows.
pub(crate) enum ClaimPage<'a> {
    /// The ways to claim the seat.
    Open(Door<'a>, ClaimToken),
    /// The same of a gift.
    Gift(Door<'a>, ClaimToken),
    /// The way to the bot, which knows the holder, and hears of it from anybody else.
    Taken(Door<'a>, ClaimToken),
    /// The way to the bot alone.
    Replaced(Door<'a>),
    /// The same.
    Voided(Door<'a>),
    /// What to do with a link of nobody.
    Unknown,
    /// That it is to be shown later.
    Later,
    /// That the order is not paid.
    Unpaid,
}

/// Where the bot is.
#[derive(Clone, Copy)]
pub(crate) struct Door<'a> {
    /// What links of Telegram's web site begin with.
    pub(crate) link_base: &'a str,
    /// The name of the bot, without `@`.
    pub(crate) bot: &'a str,
}

impl ClaimPage<'_> {
    /// The word for logs.
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Open(..) => "open",
            Self::Gift(..) => "gift",
            Self::Taken(..) => "taken",
            Self::Replaced(_) => "replaced",
            Self::Voided(_) => "voided",
            Self::Unknown => "unknown",
            Self::Later => "unavailable",
            Self::Unpaid => "unpaid",
        }
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::Open(..) | Self::Gift(..) | Self::Taken(..) | Self::Unpaid => StatusCode::OK,
            Self::Replaced(_) | Self::Voided(_) => StatusCode::GONE,
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Later => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    const fn head(&self, words: &ClaimPageWords) -> PageHead {
        match self {
            Self::Open(..) => words.open,
            Self::Gift(..) => words.gift,
            Self::Taken(..) => words.taken,
            Self::Replaced(_) => words.replaced,
            Self::Voided(_) => words.voided,
            Self::Unknown => words.unknown,
            Self::Later => words.later,
            Self::Unpaid => words.unpaid,
        }
    }

    /// What follows the head.
    fn body(&self, words: &ClaimPageWords) -> String {
        match self {
            Self::Open(door, token) | Self::Gift(door, token) => {
                let link = token.link(door.link_base, door.bot);
                let in_app = token.app_link(door.bot);
                let ways = ways(words.in_app, in_app.expose(), words, link.expose());
                let code = code::svg(link.expose(), words.code).map(|svg| {
                    let scan = escape(words.scan);
                    format!("<div class=\"part\"><p id=\"scan\">{scan}</p>{svg}</div>")
                });
                format!(
                    "{ways}<p class=\"soft\">{once}</p>{code}{sending}",
                    once = escape(words.once),
                    code = code.unwrap_or_default(),
                    sending = sending(words, door.bot, token),
                )
            }
            Self::Taken(door, token) => {
                let link = token.link(door.link_base, door.bot);
                let in_app = token.app_link(door.bot);
                ways(words.to_bot, in_app.expose(), words, link.expose())
            }
            Self::Replaced(door) | Self::Voided(door) => {
                let in_app = format!("tg://resolve?domain={}", door.bot);
                let link = format!("{}/{}", door.link_base, door.bot);
                ways(words.to_bot, &in_app, words, &link)
            }
            Self::Unknown | Self::Later | Self::Unpaid => String::new(),
        }
    }

    /// The answer: the page in a language.
    pub(crate) fn answer(&self, language: Language) -> Response<Bytes> {
        let words = language.claim_page();
        let shell = Shell {
            body: self.body(words),
            script: matches!(self, Self::Open(..) | Self::Gift(..)).then_some(SCRIPT),
            ..Shell::of_head(language, self.status(), self.head(words))
        };
        shell.answer()
    }
}

/// The two links: into the app, and by Telegram's web site for where nothing takes the first.
fn ways(label: &str, in_app: &str, words: &ClaimPageWords, link: &str) -> String {
    format!(
        "<p class=\"ways\"><a class=\"way\" id=\"app\" href=\"{}\">{}</a><a class=\"way\" id=\"web\" href=\"{}\">{}</a></p>",
        escape(in_app),
        escape(label),
        escape(link),
        escape(words.in_browser),
    )
}

/// The text that claims where no link opens the bot, as a field: it can be selected without a script.
fn sending(words: &ClaimPageWords, bot: &str, token: &ClaimToken) -> String {
    format!(
        "<div class=\"part\"><p><label for=\"command\">{paste} <b>@{bot}</b></label></p>\
         <div class=\"send\"><input id=\"command\" readonly value=\"/start {payload}\">\
         <button type=\"button\" id=\"copy\" data-copied=\"{copied}\" hidden>{copy}</button></div>\
         <p id=\"said\" role=\"status\"></p></div>",
        paste = escape(words.paste),
        bot = escape(bot),
        payload = escape(&token.payload()),
        copied = escape(words.copied),
        copy = escape(words.copy),
    )
}

#[cfg(test)]
mod tests {
    use domain::claim::{Claim, ClaimKeys};
    use domain::id::RequestId;

    use super::*;

    const DOOR: Door<'_> = Door {
        link_base: "https://t.me",
        bot: "admit_bot",
    };

    fn token() -> ClaimToken {
        let claim = Claim {
            request_id: RequestId::from_bytes([7; 16]),
            version: 0,
        };
        let keys = ClaimKeys::parse("page-claim-key-0123456789abcdef-0123456789");
        keys.unwrap().sign(claim).unwrap()
    }

    fn html(page: &ClaimPage<'_>, language: Language) -> String {
        String::from_utf8(page.answer(language).into_body().to_vec()).unwrap()
    }

    #[test]
    fn each_page_is_whole_in_each_language() {
        let pages = [
            (ClaimPage::Open(DOOR, token()), 200),
            (ClaimPage::Gift(DOOR, token()), 200),
            (ClaimPage::Taken(DOOR, token()), 200),
            (ClaimPage::Replaced(DOOR), 410),
            (ClaimPage::Voided(DOOR), 410),
            (ClaimPage::Unknown, 404),
            (ClaimPage::Later, 503),
            (ClaimPage::Unpaid, 200),
        ];
        for (page, status) in pages {
            for language in Language::ALL {
                let answer = page.answer(language);
                assert_eq!(answer.status(), status);
                assert_eq!(answer.headers()["content-language"], language.code());
                assert_eq!(answer.headers()["cache-control"], "no-store");
                assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
                assert!(!answer.headers().contains_key("set-cookie"));
                let html = html(&page, language);
                assert!(html.contains(&format!("<html lang=\"{}\">", language.code())));
                let head = page.head(language.claim_page());
                for words in [head.title, head.lead] {
                    assert!(html.contains(&escape(words)), "{words}");
                }
                for other in Language::ALL {
                    let choice = format!("?lang={}", other.code());
                    assert_eq!(html.matches(&choice).count(), 1);
                }
                // The token is where it is of use, and nowhere else.
                let is_shown = html.contains(token().expose());
                let is_useful = status == 200 && !matches!(page, ClaimPage::Unpaid);
                assert_eq!(is_shown, is_useful, "{}", page.as_str());
                let is_claimable = matches!(page, ClaimPage::Open(..) | ClaimPage::Gift(..));
                for part in ["<svg", "<input", "<script>"] {
                    assert_eq!(html.contains(part), is_claimable, "{part}");
                }
            }
        }
    }

    #[test]
    fn an_open_page_has_both_links_the_code_and_the_text() {
        let token = token();
        let payload = format!("c_{}", token.expose());
        let html = html(&ClaimPage::Open(DOOR, token), Language::English);
        for part in [
            format!("href=\"tg://resolve?domain=admit_bot&amp;start={payload}\""),
            format!("href=\"https://t.me/admit_bot?start={payload}\""),
            format!("value=\"/start {payload}\""),
            "<b>@admit_bot</b>".to_owned(),
            "aria-label=\"QR code of your link\"".to_owned(),
        ] {
            assert!(html.contains(&part), "{part} in {html}");
        }
    }

    #[test]
    fn what_the_table_and_the_settings_hold_is_text_and_never_markup() {
        let door = Door {
            link_base: "https://t.me/\"><i>",
            bot: "\"><b>",
        };
        for page in [
            ClaimPage::Open(door, token()),
            ClaimPage::Taken(door, token()),
            ClaimPage::Replaced(door),
            ClaimPage::Voided(door),
        ] {
            let html = html(&page, Language::English);
            assert!(!html.contains("\"><b>") && !html.contains("<i>"), "{html}");
        }
    }

    #[test]
    fn nothing_of_a_page_stands_where_its_policy_would_not_let_it_work() {
        let html = html(&ClaimPage::Open(DOOR, token()), Language::English);
        assert!(!html.contains(" style=") && !html.contains(" onclick="));
    }
}
