//! The page of an order, as HTML: its script only looks whether the page has become another.

use std::fmt::Write as _;

use bytes::Bytes;
use domain::claim::{ClaimToken, PublicUrl};
use domain::id::OrderId;
use domain::money::AmountTable;
use domain::order::fold::OrderState;
use domain::order::payment_status::PaymentStatus;
use domain::texts::html::{self, escape};
use domain::texts::{Date, Language, OrderPageWords, PageHead};
use domain::time::Timestamp;
use http::{Response, StatusCode};
use store::OrderPage;

use crate::code;
use crate::shell::{Script, Shell};

const SCRIPT: Script = Script::Asking(include_str!("page.js"));
/// The most UTF-16 units of a title.
const TITLE_UNITS: usize = 200;

/// An order, as its buyer sees it.
pub(crate) struct OrderView<'a> {
    pub(crate) order: OrderId,
    /// The token of the page, which opened it.
    pub(crate) token: &'a str,
    pub(crate) page: &'a OrderPage,
    /// The claim links of its chats; of a gift its own.
    pub(crate) ways_in: Vec<ClaimToken>,
    pub(crate) public_url: Option<&'a PublicUrl>,
    /// The name of the front bot, without `@`.
    pub(crate) bot: Option<&'a str>,
    /// What links of Telegram's web site begin with.
    pub(crate) link_base: &'a str,
    pub(crate) now: Timestamp,
}

impl OrderView<'_> {
    /// The page in a language.
    pub(crate) fn answer(&self, language: Language) -> Response<Bytes> {
        let query = format!("t={}&", self.token);
        let head = self.head(language.order_page());
        let shell = Shell {
            language,
            status: StatusCode::OK,
            title: head.title,
            lead: head.lead,
            body: self.body(language),
            script: self.is_watched().then_some(SCRIPT),
            query: &query,
        };
        shell.answer()
    }

    /// Whether the page is still to become another.
    fn is_watched(&self) -> bool {
        self.page.state.payment_status() == PaymentStatus::Pending
    }

    /// The provider's page, while the order can be paid there.
    fn pay_url(&self) -> Option<&str> {
        let url = self.page.pay_url.as_deref()?;
        let is_payable = matches!(
            self.page.state,
            OrderState::Open | OrderState::Pending | OrderState::Underpaid
        );
        let is_open = is_payable && self.now < self.page.pay_until;
        let is_link = url.starts_with("https://") || url.starts_with("http://");
        (is_open && is_link).then_some(url)
    }

    fn head(&self, words: &OrderPageWords) -> PageHead {
        match self.page.state {
            OrderState::Open if self.now >= self.page.pay_until => words.expired,
            OrderState::Open if self.pay_url().is_none() => words.preparing,
            OrderState::Open => words.open,
            OrderState::Pending => words.pending,
            OrderState::Underpaid => words.underpaid,
            OrderState::Paid if self.ways_in.is_empty() => words.following,
            OrderState::Paid if self.page.is_gift => words.gift,
            OrderState::Paid => words.paid,
            OrderState::PartlyRefunded => words.partly_refunded,
            OrderState::Disputed => words.disputed,
            OrderState::Lost => words.lost,
            OrderState::Refunded => words.refunded,
            OrderState::Refused => words.refused,
            OrderState::Cancelled => words.cancelled,
            OrderState::Expired => words.expired,
        }
    }

    fn body(&self, language: Language) -> String {
        let words = language.order_page();
        let notice = self.page.is_test.then(|| {
            let test = escape(words.test);
            format!("<p class=\"notice\" id=\"test\">{test}</p>")
        });
        [
            notice.unwrap_or_default(),
            self.entrances(language),
            self.payment(words),
            self.facts(language),
            self.again(language),
            self.help(words),
        ]
        .concat()
    }

    /// The link to the provider's page.
    fn payment(&self, words: &OrderPageWords) -> String {
        let Some(url) = self.pay_url() else {
            return String::new();
        };
        let label = match self.page.state {
            OrderState::Pending => words.to_payment,
            OrderState::Underpaid => words.pay_rest,
            _ => words.pay,
        };
        format!(
            "<p class=\"ways\"><a class=\"way\" id=\"pay\" rel=\"noreferrer\" href=\"{}\">{}</a></p>",
            escape(url),
            escape(label),
        )
    }

    /// The links to the ways in, each with the code by which a phone opens the bot.
    fn entrances(&self, language: Language) -> String {
        if self.page.is_gift {
            return self.present(language.order_page());
        }
        let (words, of_claims) = (language.order_page(), language.claim_page());
        let mut parts = String::new();
        for (position, token) in self.ways_in.iter().enumerate() {
            let number = position + 1;
            let counted = |words: &str| match self.ways_in.len() {
                1 => words.to_owned(),
                _ => format!("{words} {number}"),
            };
            let code = self.bot.and_then(|bot| {
                let link = token.link(self.link_base, bot);
                let svg = code::svg(link.expose(), &counted(of_claims.code))?;
                Some(format!("<p>{}</p>{svg}", escape(of_claims.scan)))
            });
            // Writing to a text can't fail.
            let _ = write!(
                parts,
                "<div class=\"part\"><p class=\"ways\"><a class=\"way\" id=\"enter-{number}\" href=\"../c/{token}\">{label}</a></p>{code}</div>",
                token = escape(token.expose()),
                label = escape(&counted(words.enter)),
                code = code.unwrap_or_default(),
            );
        }
        parts
    }

    /// The link that the buyer of a gift gives away. It has no code: that would be for their own phone.
    fn present(&self, words: &OrderPageWords) -> String {
        let Some(token) = self.ways_in.first() else {
            return String::new();
        };
        let address = self.public_url.map(|url| {
            let link = url.page_of_claim(token);
            format!(
                "<div class=\"send\"><input id=\"gift\" readonly aria-label=\"{}\" value=\"{}\"></div>",
                escape(words.give),
                escape(link.expose()),
            )
        });
        format!(
            "<div class=\"part\"><p class=\"ways\"><a class=\"way\" id=\"give\" href=\"../c/{}\">{}</a></p>{}</div>",
            escape(&token.in_page()),
            escape(words.give),
            address.unwrap_or_default(),
        )
    }

    /// What was agreed, and what is missing of it.
    fn facts(&self, language: Language) -> String {
        let (words, page) = (language.order_page(), self.page);
        let table = AmountTable::of_provider(&page.provider);
        let amount = |amount: i128| escape(&table.in_words(&page.currency, amount));
        let until = self.pay_url().map(|_| {
            let date = language.date(Date(page.pay_until));
            escape(&date)
        });
        let facts = [
            (
                "title",
                words.product,
                Some(html::name(&page.title, TITLE_UNITS)),
            ),
            ("due", words.amount, Some(amount(page.due))),
            ("missing", words.missing, page.missing.map(amount)),
            ("until", words.until, until),
            ("order", words.order, Some(self.order.to_string())),
        ];
        let mut list = String::from("<dl>");
        for (id, label, value) in facts {
            if let Some(value) = value {
                // Writing to a text can't fail.
                let _ = write!(
                    list,
                    "<dt>{}</dt><dd id=\"{id}\">{value}</dd>",
                    escape(label)
                );
            }
        }
        list + "</dl>"
    }

    /// The link to this page, and what its script shows and asks.
    fn again(&self, language: Language) -> String {
        let is_awaited = self.page.state == OrderState::Paid && self.ways_in.is_empty();
        if !self.is_watched() && !is_awaited {
            return String::new();
        }
        let words = language.order_page();
        let watching = self.is_watched().then(|| {
            format!(
                "<p class=\"soft\" id=\"watching\" data-shown=\"{state}\" \
                 data-url=\"../v1/payment-status?order_id={order}\" hidden>{watching}</p>",
                state = self.page.state.as_str(),
                order = self.order,
                watching = escape(words.watching),
            )
        });
        format!(
            "<p><a id=\"reload\" href=\"?t={token}&amp;lang={code}\">{reload}</a></p>{watching}",
            token = escape(self.token),
            code = language.code(),
            reload = escape(words.reload),
            watching = watching.unwrap_or_default(),
        )
    }

    fn help(&self, words: &OrderPageWords) -> String {
        let Some(bot) = self.bot else {
            return String::new();
        };
        let (base, bot) = (escape(self.link_base), escape(bot));
        format!(
            "<p class=\"soft\" id=\"help\">{help} <a href=\"{base}/{bot}\">@{bot}</a></p>",
            help = escape(words.help),
        )
    }
}

#[cfg(test)]
mod tests {
    use domain::claim::{Claim, ClaimKeys};
    use domain::id::RequestId;

    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_795_176_000_000);
    const LATER: Timestamp = Timestamp::from_ms(1_795_179_600_000);

    fn order_page(state: OrderState) -> OrderPage {
        OrderPage {
            state,
            title: "Gold <b>\"club\"".to_owned(),
            provider: "stripe".to_owned(),
            currency: "usd".to_owned(),
            due: 3000,
            missing: (state == OrderState::Underpaid).then_some(150),
            pay_url: Some("https://pay.example/?a=1&b=\"".to_owned()),
            pay_until: LATER,
            is_test: false,
            is_gift: false,
            requests: Vec::new(),
            version: 1,
            revision: 1,
        }
    }

    fn claims(count: u8) -> Vec<ClaimToken> {
        let keys = ClaimKeys::parse("page-claim-key-0123456789abcdef-0123456789").unwrap();
        let claim = |byte| Claim {
            request_id: RequestId::from_bytes([byte; 16]),
            version: 0,
        };
        let signed = (0..count).map(|byte| keys.sign(claim(byte)));
        signed.collect::<Option<_>>().unwrap()
    }

    fn view(page: &OrderPage, ways_in: Vec<ClaimToken>) -> OrderView<'_> {
        OrderView {
            order: OrderId::from_random([7; 16]),
            token: "page-token",
            page,
            ways_in,
            public_url: None,
            bot: Some("admit_bot"),
            link_base: "https://t.me",
            now: NOW,
        }
    }

    fn html(view: &OrderView<'_>, language: Language) -> String {
        String::from_utf8(view.answer(language).into_body().to_vec()).unwrap()
    }

    #[test]
    fn each_state_has_its_words_its_ways_and_nothing_more_in_each_language() {
        use OrderState as S;
        for (state, ways, is_payable, is_watched) in [
            (S::Open, 0, true, true),
            (S::Pending, 0, true, true),
            (S::Underpaid, 0, true, true),
            (S::Disputed, 0, false, true),
            (S::Paid, 2, false, false),
            (S::PartlyRefunded, 2, false, false),
            (S::Lost, 0, false, false),
            (S::Refunded, 0, false, false),
            (S::Refused, 0, false, false),
            (S::Cancelled, 0, false, false),
            (S::Expired, 0, false, false),
        ] {
            let page = order_page(state);
            let view = view(&page, claims(ways));
            for language in Language::ALL {
                let html = html(&view, language);
                let head = view.head(language.order_page());
                for words in [head.title, head.lead] {
                    assert!(html.contains(&escape(words)), "{words}");
                }
                assert_eq!(html.contains("id=\"pay\""), is_payable, "{state:?}");
                assert_eq!(html.contains("<script>"), is_watched, "{state:?}");
                assert_eq!(html.matches("href=\"../c/").count(), usize::from(ways));
                assert_eq!(html.matches("<svg").count(), usize::from(ways));
                assert_eq!(
                    html.contains("id=\"missing\">1.50 USD"),
                    state == S::Underpaid
                );
                assert!(html.contains("id=\"due\">30.00 USD"), "{html}");
                assert!(html.contains("@admit_bot") && !html.contains("id=\"test\""));
                for other in Language::ALL {
                    let choice = format!("?t=page-token&amp;lang={}\" lang", other.code());
                    assert_eq!(html.matches(&choice).count(), 1);
                }
            }
        }
    }

    #[test]
    fn the_page_of_a_gift_has_the_link_to_give_away_and_no_way_in() {
        let page = OrderPage {
            is_gift: true,
            ..order_page(OrderState::Paid)
        };
        let keys = ClaimKeys::parse("page-claim-key-0123456789abcdef-0123456789").unwrap();
        let token = keys.sign_order(OrderId::from_random([7; 16])).unwrap();
        let url = PublicUrl::parse("https://a.example").unwrap();
        let shown = OrderView {
            public_url: Some(&url),
            ..view(&page, vec![token.clone()])
        };
        for language in Language::ALL {
            let html = html(&shown, language);
            let payload = token.payload();
            assert!(html.contains(&format!("href=\"../c/{payload}\"")), "{html}");
            assert!(html.contains(&format!("value=\"https://a.example/c/{payload}\"")));
            assert!(html.contains(&escape(language.order_page().gift.title)));
            assert!(
                !html.contains("<svg") && !html.contains("id=\"enter"),
                "{html}"
            );
        }
    }

    #[test]
    fn what_the_table_holds_is_text_and_never_markup_or_a_script() {
        let page = order_page(OrderState::Open);
        let shown = html(&view(&page, Vec::new()), Language::English);
        assert!(shown.contains("Gold &lt;b&gt;&quot;club&quot;"), "{shown}");
        assert!(shown.contains("href=\"https://pay.example/?a=1&amp;b=&quot;\""));
        for url in ["javascript:alert(1)", "tg://x", ""] {
            let page = OrderPage {
                pay_url: Some(url.to_owned()),
                ..order_page(OrderState::Open)
            };
            let shown = html(&view(&page, Vec::new()), Language::English);
            assert!(!shown.contains("id=\"pay\""), "{url}");
            assert!(shown.contains("Almost ready"));
        }
    }

    #[test]
    fn an_order_whose_time_is_over_is_not_paid_and_still_watched() {
        let page = order_page(OrderState::Open);
        let late = OrderView {
            now: LATER,
            ..view(&page, Vec::new())
        };
        let shown = html(&late, Language::English);
        assert!(shown.contains("The time to pay is over"));
        assert!(!shown.contains("id=\"pay\"") && !shown.contains("id=\"until\""));
        assert!(shown.contains("<script>"));
    }

    #[test]
    fn a_page_without_a_bot_has_the_way_in_all_the_same() {
        let page = OrderPage {
            is_test: true,
            ..order_page(OrderState::Paid)
        };
        let view = OrderView {
            bot: None,
            ..view(&page, claims(1))
        };
        let shown = html(&view, Language::English);
        assert!(shown.contains(">Open your access</a>"));
        assert!(!shown.contains("<svg") && !shown.contains("/paysupport"));
        assert!(shown.contains("This is a test: no real money is moved."));
    }
}
