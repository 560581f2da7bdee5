//! What the page of a claim link says, plain text, in each language: one that lacks a sentence does not compile.

use super::Language;

/// What stands at the head of a page: what it is about, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageHead {
    /// The heading.
    pub title: &'static str,
    /// What to do.
    pub lead: &'static str,
}

/// The words of the page in a language.
#[derive(Debug, PartialEq, Eq)]
pub struct ClaimPageWords {
    /// Nobody has claimed the seat.
    pub open: PageHead,
    /// Somebody has.
    pub taken: PageHead,
    /// Another claim link took the place of this one.
    pub replaced: PageHead,
    /// The seller took the seat back.
    pub voided: PageHead,
    /// We never made this link, or it is forgotten.
    pub unknown: PageHead,
    /// Something of ours is away.
    pub later: PageHead,
    /// Its order is not paid.
    pub unpaid: PageHead,
    /// Somebody bought it for the person who gets the link.
    pub gift: PageHead,
    /// That the link is for one person.
    pub once: &'static str,
    /// The link into the app.
    pub in_app: &'static str,
    /// The link by the browser.
    pub in_browser: &'static str,
    /// The link to the bot alone.
    pub to_bot: &'static str,
    /// Stands above the code that a phone scans.
    pub scan: &'static str,
    /// What the code is, for who can't see it.
    pub code: &'static str,
    /// Stands above the text to send, before the name of the bot.
    pub paste: &'static str,
    /// Copies that text.
    pub copy: &'static str,
    /// It is copied.
    pub copied: &'static str,
    /// Heads the choice of a language.
    pub languages: &'static str,
}

impl Language {
    /// The words of the page of a claim link.
    #[must_use]
    pub const fn claim_page(self) -> &'static ClaimPageWords {
        match self {
            Self::English => &ENGLISH,
            Self::Hindi => &HINDI,
            Self::Russian => &RUSSIAN,
            Self::Spanish => &SPANISH,
            Self::Portuguese => &PORTUGUESE,
        }
    }

    /// The language that a browser wants most of ours, by its `Accept-Language`
    /// (<https://www.rfc-editor.org/rfc/rfc9110#section-12.5.4>); of equals the first.
    #[must_use]
    pub fn of_browser(accept_language: &str) -> Option<Self> {
        let mut best: Option<(Self, f32)> = None;
        for part in accept_language.split(',') {
            let (tag, parameters) = part.split_once(';').unwrap_or((part, "q=1"));
            let quality = parameters.trim().strip_prefix("q=");
            let quality: f32 = quality.and_then(|q| q.trim().parse().ok()).unwrap_or(0.0);
            if let Some(language) = Self::of_tag(tag)
                && quality > best.map_or(0.0, |(_, before)| before)
            {
                best = Some((language, quality));
            }
        }
        best.map(|(language, _)| language)
    }
}

static ENGLISH: ClaimPageWords = ClaimPageWords {
    open: PageHead {
        title: "Your access is ready",
        lead: "Open the bot in Telegram and press Start. It lets you into the chat that you paid for.",
    },
    taken: PageHead {
        title: "This link has been used",
        lead: "Was it you? Open the bot: it shows you the way in again. Was it not you? Open the bot as well, and say so there. Please don't pay again.",
    },
    replaced: PageHead {
        title: "There is a newer link",
        lead: "Another link took the place of this one. Please use the newest that you got. Can't find it? Write to the bot, or ask where you bought.",
    },
    voided: PageHead {
        title: "This link was taken back",
        lead: "The seller took it back, as happens after a refund. If that is a mistake, write to the bot, or ask where you bought.",
    },
    unknown: PageHead {
        title: "We don't know this link",
        lead: "Perhaps a part of it is missing: open it once more from where you got it, or copy the whole of it. If it still doesn't work, ask where you bought. Please don't pay again.",
    },
    later: PageHead {
        title: "Not right now",
        lead: "This page can't be shown at the moment. Please load it again in a minute. Your link stays good.",
    },
    unpaid: PageHead {
        title: "This order is not paid yet",
        lead: "Once the payment has arrived, this link lets you in. If you have just paid, load this page again in a minute.",
    },
    gift: PageHead {
        title: "You got a present",
        lead: "Somebody bought access to a private chat for you. Open the bot in Telegram and press Start: it lets you in.",
    },
    once: "The link is for you alone: the first person who uses it has the access. Please don't pass it on.",
    in_app: "Open in Telegram",
    in_browser: "Open in the browser",
    to_bot: "Open the bot",
    scan: "Is Telegram on your phone? Scan this with its camera.",
    code: "QR code of your link",
    paste: "Does nothing open? Copy this text and send it in Telegram to",
    copy: "Copy",
    copied: "Copied",
    languages: "Language",
};

static HINDI: ClaimPageWords = ClaimPageWords {
    open: PageHead {
        title: "आपका एक्सेस तैयार है",
        lead: "Telegram में बॉट खोलें और Start दबाएँ। आपने जिस चैट के लिए भुगतान किया है, बॉट आपको उसमें ले लेगा।",
    },
    taken: PageHead {
        title: "यह लिंक इस्तेमाल हो चुका है",
        lead: "क्या वह आप ही थे? बॉट खोलें: वह अंदर जाने का रास्ता फिर से दिखाएगा। वह आप नहीं थे? तब भी बॉट खोलें और वहाँ बताएँ। कृपया दोबारा भुगतान न करें।",
    },
    replaced: PageHead {
        title: "एक नया लिंक आ चुका है",
        lead: "इस लिंक की जगह दूसरा लिंक आ चुका है। कृपया वही लिंक इस्तेमाल करें जो आपको सबसे बाद में मिला। वह नहीं मिल रहा? बॉट को लिखें, या जहाँ से ख़रीदा था वहाँ पूछें।",
    },
    voided: PageHead {
        title: "यह लिंक रद्द कर दिया गया है",
        lead: "विक्रेता ने यह लिंक रद्द कर दिया है, जैसा रिफ़ंड के बाद होता है। अगर यह ग़लती है, तो बॉट को लिखें, या जहाँ से ख़रीदा था वहाँ पूछें।",
    },
    unknown: PageHead {
        title: "हम यह लिंक नहीं पहचानते",
        lead: "शायद इसका कोई हिस्सा छूट गया है: इसे वहीं से फिर से खोलें जहाँ से मिला था, या पूरा कॉपी करें। फिर भी काम न करे, तो जहाँ से ख़रीदा था वहाँ पूछें। कृपया दोबारा भुगतान न करें।",
    },
    later: PageHead {
        title: "अभी नहीं",
        lead: "यह पेज इस समय नहीं दिखाया जा सकता। कृपया एक मिनट में इसे फिर से लोड करें। आपका लिंक काम करता रहेगा।",
    },
    unpaid: PageHead {
        title: "इस ऑर्डर का भुगतान अभी नहीं हुआ है",
        lead: "भुगतान मिलते ही यह लिंक आपको अंदर ले जाएगा। अगर भुगतान अभी-अभी हुआ है, तो एक मिनट में इस पेज को फिर से लोड करें।",
    },
    gift: PageHead {
        title: "आपको एक तोहफ़ा मिला है",
        lead: "किसी ने आपके लिए एक निजी चैट का एक्सेस ख़रीदा है। Telegram में बॉट खोलें और Start दबाएँ: वह आपको अंदर ले लेगा।",
    },
    once: "यह लिंक सिर्फ़ आपके लिए है: जो इसे पहले इस्तेमाल करेगा, एक्सेस उसी का होगा। कृपया इसे आगे न भेजें।",
    in_app: "Telegram में खोलें",
    in_browser: "ब्राउज़र में खोलें",
    to_bot: "बॉट खोलें",
    scan: "क्या Telegram आपके फ़ोन पर है? इसे फ़ोन के कैमरे से स्कैन करें।",
    code: "आपके लिंक का QR कोड",
    paste: "कुछ नहीं खुल रहा? यह टेक्स्ट कॉपी करें और Telegram में यहाँ भेजें:",
    copy: "कॉपी करें",
    copied: "कॉपी हो गया",
    languages: "भाषा",
};

static RUSSIAN: ClaimPageWords = ClaimPageWords {
    open: PageHead {
        title: "Ваш доступ готов",
        lead: "Откройте бота в Telegram и нажмите Start. Он впустит вас в чат, доступ к которому вы купили.",
    },
    taken: PageHead {
        title: "Этой ссылкой уже воспользовались",
        lead: "Это были вы? Откройте бота: он снова покажет вход. Не вы? Тоже откройте бота и сообщите об этом там. Пожалуйста, не платите второй раз.",
    },
    replaced: PageHead {
        title: "Есть более новая ссылка",
        lead: "Вместо этой ссылки действует другая. Воспользуйтесь той, что пришла последней. Не можете её найти? Напишите боту или спросите там, где покупали.",
    },
    voided: PageHead {
        title: "Эта ссылка отозвана",
        lead: "Продавец отозвал её, как бывает после возврата денег. Если это ошибка, напишите боту или спросите там, где покупали.",
    },
    unknown: PageHead {
        title: "Мы не знаем такой ссылки",
        lead: "Возможно, часть её потерялась: откройте её ещё раз оттуда, где получили, или скопируйте целиком. Если и это не поможет, спросите там, где покупали. Пожалуйста, не платите второй раз.",
    },
    later: PageHead {
        title: "Не сейчас",
        lead: "Эту страницу сейчас нельзя показать. Загрузите её ещё раз через минуту. Ваша ссылка остаётся в силе.",
    },
    unpaid: PageHead {
        title: "Этот заказ ещё не оплачен",
        lead: "Как только платёж придёт, эта ссылка вас впустит. Если вы только что заплатили, обновите страницу через минуту.",
    },
    gift: PageHead {
        title: "Вам сделали подарок",
        lead: "Вам купили доступ в закрытый чат. Откройте бота в Telegram и нажмите Start: он вас впустит.",
    },
    once: "Ссылка только для вас: доступ получит тот, кто воспользуется ею первым. Пожалуйста, никому её не пересылайте.",
    in_app: "Открыть в Telegram",
    in_browser: "Открыть в браузере",
    to_bot: "Открыть бота",
    scan: "Telegram на телефоне? Наведите на код его камеру.",
    code: "QR-код вашей ссылки",
    paste: "Ничего не открывается? Скопируйте этот текст и отправьте его в Telegram боту",
    copy: "Скопировать",
    copied: "Скопировано",
    languages: "Язык",
};

static SPANISH: ClaimPageWords = ClaimPageWords {
    open: PageHead {
        title: "Tu acceso está listo",
        lead: "Abre el bot en Telegram y pulsa Start. Él te deja entrar en el chat que pagaste.",
    },
    taken: PageHead {
        title: "Este enlace ya se usó",
        lead: "¿Fuiste tú? Abre el bot: te muestra otra vez la entrada. ¿No fuiste tú? Abre el bot también y dilo allí. Por favor, no pagues otra vez.",
    },
    replaced: PageHead {
        title: "Hay un enlace más nuevo",
        lead: "Otro enlace ocupa el lugar de este. Usa el último que recibiste. ¿No lo encuentras? Escribe al bot o pregunta donde compraste.",
    },
    voided: PageHead {
        title: "Este enlace fue anulado",
        lead: "El vendedor lo anuló, como ocurre tras un reembolso. Si es un error, escribe al bot o pregunta donde compraste.",
    },
    unknown: PageHead {
        title: "No conocemos este enlace",
        lead: "Quizá le falta una parte: ábrelo otra vez desde donde lo recibiste o cópialo entero. Si sigue sin funcionar, pregunta donde compraste. Por favor, no pagues otra vez.",
    },
    later: PageHead {
        title: "Ahora mismo no",
        lead: "Esta página no se puede mostrar en este momento. Cárgala otra vez dentro de un minuto. Tu enlace sigue siendo válido.",
    },
    unpaid: PageHead {
        title: "Este pedido aún no está pagado",
        lead: "En cuanto llegue el pago, este enlace te dejará entrar. Si acabas de pagar, vuelve a cargar esta página en un minuto.",
    },
    gift: PageHead {
        title: "Tienes un regalo",
        lead: "Alguien te ha comprado el acceso a un chat privado. Abre el bot en Telegram y pulsa Start: te dejará entrar.",
    },
    once: "El enlace es solo para ti: el acceso es de quien lo use primero. Por favor, no lo reenvíes.",
    in_app: "Abrir en Telegram",
    in_browser: "Abrir en el navegador",
    to_bot: "Abrir el bot",
    scan: "¿Tienes Telegram en el teléfono? Escanea esto con su cámara.",
    code: "Código QR de tu enlace",
    paste: "¿No se abre nada? Copia este texto y envíalo en Telegram a",
    copy: "Copiar",
    copied: "Copiado",
    languages: "Idioma",
};

static PORTUGUESE: ClaimPageWords = ClaimPageWords {
    open: PageHead {
        title: "Seu acesso está pronto",
        lead: "Abra o bot no Telegram e toque em Start. Ele deixa você entrar no chat que você pagou.",
    },
    taken: PageHead {
        title: "Este link já foi usado",
        lead: "Foi você? Abra o bot: ele mostra a entrada de novo. Não foi você? Abra o bot também e avise por lá. Por favor, não pague de novo.",
    },
    replaced: PageHead {
        title: "Há um link mais novo",
        lead: "Outro link está no lugar deste. Use o último que você recebeu. Não o encontra? Escreva para o bot ou pergunte onde você comprou.",
    },
    voided: PageHead {
        title: "Este link foi cancelado",
        lead: "O vendedor o cancelou, como acontece depois de um reembolso. Se for um engano, escreva para o bot ou pergunte onde você comprou.",
    },
    unknown: PageHead {
        title: "Não conhecemos este link",
        lead: "Talvez falte uma parte dele: abra-o de novo de onde você o recebeu ou copie-o inteiro. Se ainda não funcionar, pergunte onde você comprou. Por favor, não pague de novo.",
    },
    later: PageHead {
        title: "Agora não",
        lead: "Esta página não pode ser mostrada neste momento. Carregue-a de novo em um minuto. Seu link continua valendo.",
    },
    unpaid: PageHead {
        title: "Este pedido ainda não foi pago",
        lead: "Assim que o pagamento chegar, este link deixa você entrar. Se você acabou de pagar, recarregue esta página em um minuto.",
    },
    gift: PageHead {
        title: "Você ganhou um presente",
        lead: "Alguém comprou para você o acesso a um chat privado. Abra o bot no Telegram e toque em Start: ele deixa você entrar.",
    },
    once: "O link é só para você: o acesso fica com quem o usar primeiro. Por favor, não o repasse.",
    in_app: "Abrir no Telegram",
    in_browser: "Abrir no navegador",
    to_bot: "Abrir o bot",
    scan: "O Telegram está no celular? Escaneie isto com a câmera dele.",
    code: "Código QR do seu link",
    paste: "Nada abre? Copie este texto e envie-o no Telegram para",
    copy: "Copiar",
    copied: "Copiado",
    languages: "Idioma",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sentence_is_translated_and_no_sign_stands_for_a_word() {
        let all = |words: &ClaimPageWords| {
            let heads = [
                words.open,
                words.taken,
                words.replaced,
                words.voided,
                words.unknown,
                words.later,
                words.unpaid,
                words.gift,
            ];
            let heads = heads.map(|head| [head.title, head.lead]).concat();
            let rest = [
                words.once,
                words.in_app,
                words.in_browser,
                words.to_bot,
                words.scan,
                words.code,
                words.paste,
                words.copied,
            ];
            [heads, rest.to_vec()].concat()
        };
        let is_sign = |c: char| matches!(c, '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}');
        let english = all(Language::English.claim_page());
        for language in Language::ALL {
            for (position, sentence) in all(language.claim_page()).into_iter().enumerate() {
                assert_eq!(sentence.trim(), sentence, "{language:?}");
                assert!(!sentence.is_empty() && !sentence.contains("  "));
                assert!(!sentence.contains(is_sign), "{language:?}: {sentence}");
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

    #[test]
    fn a_browser_gets_the_language_that_it_wants_most_of_ours() {
        use Language::{English, Hindi, Portuguese, Russian};
        for (header, expected) in [
            ("pt-BR,pt;q=0.9,en;q=0.8", Some(Portuguese)),
            ("de-DE,de;q=0.9,ru;q=0.5,en;q=0.4", Some(Russian)),
            ("en;q=0.4, hi-IN;q=0.7", Some(Hindi)),
            ("EN-gb", Some(English)),
            ("ru;q=0, en;q=0.1", Some(English)),
            ("en, ru", Some(English)),
            ("fr, *;q=0.5", None),
            ("en;q=much", None),
            ("", None),
            (";;,,q=1", None),
        ] {
            assert_eq!(Language::of_browser(header), expected, "{header}");
        }
    }
}
