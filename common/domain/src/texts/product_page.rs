//! What the page of a product says, plain text, in each language: one that lacks a sentence does not compile.

use super::{Language, PageHead};

/// The words of the page in a language.
#[derive(Debug, PartialEq, Eq)]
pub struct ProductPageWords {
    /// There is no such product.
    pub unknown: PageHead,
    /// The page can't be shown now.
    pub later: PageHead,
    /// Nothing of it is sold at this time.
    pub nothing: &'static str,
    /// Stands behind the price of what is paid anew each time.
    pub renews: &'static str,
    /// The link into the app.
    pub buy: &'static str,
    /// That one buys in the bot.
    pub how: &'static str,
}

impl Language {
    /// The words of the page of a product.
    #[must_use]
    pub const fn product_page(self) -> &'static ProductPageWords {
        match self {
            Self::English => &ENGLISH,
            Self::Hindi => &HINDI,
            Self::Russian => &RUSSIAN,
            Self::Spanish => &SPANISH,
            Self::Portuguese => &PORTUGUESE,
        }
    }
}

static ENGLISH: ProductPageWords = ProductPageWords {
    unknown: PageHead {
        title: "We don't sell this",
        lead: "There is nothing at this address any more, or a part of it is missing. Ask where you got the link.",
    },
    later: PageHead {
        title: "Not right now",
        lead: "This page can't be shown at the moment. Please load it again in a minute.",
    },
    nothing: "Nothing of this is sold at the moment.",
    renews: "renews until you end it",
    buy: "Buy in Telegram",
    how: "You choose and pay in the bot, which lets you in afterwards.",
};

static HINDI: ProductPageWords = ProductPageWords {
    unknown: PageHead {
        title: "हम यह नहीं बेचते",
        lead: "इस पते पर अब कुछ नहीं है, या पते का कोई हिस्सा छूट गया है। जहाँ से लिंक मिला था वहाँ पूछें।",
    },
    later: PageHead {
        title: "अभी नहीं",
        lead: "यह पेज इस समय नहीं दिखाया जा सकता। कृपया एक मिनट में इसे फिर से लोड करें।",
    },
    nothing: "इसमें से अभी कुछ नहीं बिक रहा है।",
    renews: "आपके बंद करने तक अपने आप बढ़ता है",
    buy: "Telegram में ख़रीदें",
    how: "आप बॉट में चुनते और भुगतान करते हैं, फिर वह आपको अंदर ले लेता है।",
};

static RUSSIAN: ProductPageWords = ProductPageWords {
    unknown: PageHead {
        title: "Мы этого не продаём",
        lead: "По этому адресу больше ничего нет, или часть адреса потерялась. Спросите там, где вы взяли ссылку.",
    },
    later: PageHead {
        title: "Не сейчас",
        lead: "Эту страницу сейчас не удаётся показать. Обновите её через минуту.",
    },
    nothing: "Сейчас из этого ничего не продаётся.",
    renews: "продлевается, пока вы не отмените",
    buy: "Купить в Telegram",
    how: "Вы выбираете и платите в боте, после этого он вас впускает.",
};

static SPANISH: ProductPageWords = ProductPageWords {
    unknown: PageHead {
        title: "Esto no lo vendemos",
        lead: "En esta dirección ya no hay nada, o falta una parte de ella. Pregunta donde te dieron el enlace.",
    },
    later: PageHead {
        title: "Ahora mismo no",
        lead: "En este momento no se puede mostrar esta página. Vuelve a cargarla en un minuto.",
    },
    nothing: "Ahora mismo no se vende nada de esto.",
    renews: "se renueva hasta que lo canceles",
    buy: "Comprar en Telegram",
    how: "Eliges y pagas en el bot, que después te deja entrar.",
};

static PORTUGUESE: ProductPageWords = ProductPageWords {
    unknown: PageHead {
        title: "Não vendemos isto",
        lead: "Não há mais nada neste endereço, ou falta uma parte dele. Pergunte onde você recebeu o link.",
    },
    later: PageHead {
        title: "Agora não dá",
        lead: "Não é possível mostrar esta página no momento. Recarregue em um minuto.",
    },
    nothing: "No momento nada disto está à venda.",
    renews: "renova até você encerrar",
    buy: "Comprar no Telegram",
    how: "Você escolhe e paga no bot, que depois deixa você entrar.",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_has_all_of_it_in_its_own_words() {
        let all = |words: &'static ProductPageWords| {
            let heads = [words.unknown, words.later];
            let heads = heads.map(|head| [head.title, head.lead]).concat();
            let rest = [words.nothing, words.renews, words.buy, words.how];
            [heads, rest.to_vec()].concat()
        };
        let english = all(Language::English.product_page());
        for language in Language::ALL {
            for (position, sentence) in all(language.product_page()).into_iter().enumerate() {
                assert_eq!(sentence.trim(), sentence, "{language:?}");
                assert!(!sentence.is_empty() && !sentence.contains("  "));
                let is_english = sentence == english[position];
                assert_eq!(is_english, language == Language::English, "{sentence}");
                let has = |script: std::ops::RangeInclusive<char>| {
                    sentence.chars().any(|c| script.contains(&c))
                };
                match language {
                    Language::Hindi => assert!(has('\u{900}'..='\u{97f}'), "{sentence}"),
                    Language::Russian => assert!(has('\u{400}'..='\u{4ff}'), "{sentence}"),
                    _ => assert!(!has('\u{400}'..='\u{97f}'), "{sentence}"),
                }
            }
        }
    }
}
