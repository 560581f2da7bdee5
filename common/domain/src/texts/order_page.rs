//! What the page of an order says, plain text, in each language: one that lacks a sentence does not compile.

use super::{Language, PageHead};
use crate::order::fold::OrderState;

/// The words of the page in a language.
#[derive(Debug, PartialEq, Eq)]
pub struct OrderPageWords {
    /// It is to be paid.
    pub open: PageHead,
    /// It is to be paid, and its provider has no page yet.
    pub preparing: PageHead,
    /// Its provider knows of a payment and has not confirmed it.
    pub pending: PageHead,
    /// Some money came, not enough.
    pub underpaid: PageHead,
    /// It is paid.
    pub paid: PageHead,
    /// It is paid, and for somebody else.
    pub gift: PageHead,
    /// It is paid, and has no way in yet.
    pub following: PageHead,
    /// A part of the money went back.
    pub partly_refunded: PageHead,
    /// A dispute holds the money.
    pub disputed: PageHead,
    /// A dispute took the money.
    pub lost: PageHead,
    /// All of the money went back.
    pub refunded: PageHead,
    /// It could not be sold.
    pub refused: PageHead,
    /// Somebody cancelled it.
    pub cancelled: PageHead,
    /// Its time is over.
    pub expired: PageHead,
    /// Stands before what is bought.
    pub product: &'static str,
    /// Stands before the price.
    pub amount: &'static str,
    /// Stands before what is missing of it.
    pub missing: &'static str,
    /// Stands before the time until which it can be paid.
    pub until: &'static str,
    /// Stands before the number of the order.
    pub order: &'static str,
    /// The link to the provider.
    pub pay: &'static str,
    /// The same, where a payment is on its way.
    pub to_payment: &'static str,
    /// The same, where a part is missing.
    pub pay_rest: &'static str,
    /// The link to the way in; with a number behind it where there are several.
    pub enter: &'static str,
    /// The link to give to somebody else.
    pub give: &'static str,
    /// The link to this page.
    pub reload: &'static str,
    /// That the page looks for the payment by itself.
    pub watching: &'static str,
    /// That no money is moved.
    pub test: &'static str,
    /// Stands before the name of the bot.
    pub help: &'static str,
}

impl Language {
    /// The words of the page of an order.
    #[must_use]
    pub const fn order_page(self) -> &'static OrderPageWords {
        match self {
            Self::English => &ENGLISH,
            Self::Hindi => &HINDI,
            Self::Russian => &RUSSIAN,
            Self::Spanish => &SPANISH,
            Self::Portuguese => &PORTUGUESE,
        }
    }
}

impl OrderPageWords {
    /// Where an order stands, in a few words.
    #[must_use]
    pub const fn title_of(&self, state: OrderState) -> &'static str {
        let head = match state {
            OrderState::Open => self.open,
            OrderState::Pending => self.pending,
            OrderState::Underpaid => self.underpaid,
            OrderState::Paid => self.paid,
            OrderState::PartlyRefunded => self.partly_refunded,
            OrderState::Disputed => self.disputed,
            OrderState::Lost => self.lost,
            OrderState::Refunded => self.refunded,
            OrderState::Refused => self.refused,
            OrderState::Cancelled => self.cancelled,
            OrderState::Expired => self.expired,
        };
        head.title
    }
}

static ENGLISH: OrderPageWords = OrderPageWords {
    open: PageHead {
        title: "Waiting for your payment",
        lead: "Pay with the button below. Once your payment has arrived, this page shows your way in.",
    },
    preparing: PageHead {
        title: "Almost ready",
        lead: "The payment page is being prepared. Please load this page again in a moment.",
    },
    pending: PageHead {
        title: "Your payment is on its way",
        lead: "It is not confirmed yet. That takes minutes, and with some banks days. If you have paid, please don't pay again.",
    },
    underpaid: PageHead {
        title: "A part of the payment is missing",
        lead: "Some of your money has arrived. Pay the rest, and this page shows your way in. If you can't, write to us: nothing is lost.",
    },
    paid: PageHead {
        title: "Your payment has arrived",
        lead: "Thank you! Your way in is below.",
    },
    gift: PageHead {
        title: "Your present is paid",
        lead: "Thank you! Give the link below to the person whom it is for: the first who uses it has the access. Their time begins then, and in 30 days at the latest.",
    },
    following: PageHead {
        title: "Your payment has arrived",
        lead: "Thank you! Your way in is being made. Please load this page again in a moment.",
    },
    partly_refunded: PageHead {
        title: "A part of your payment was returned",
        lead: "That part goes back the way it came. Your order stays paid.",
    },
    disputed: PageHead {
        title: "Your payment is disputed",
        lead: "Your bank looks into this payment. Until it decides, your access rests. Please don't pay again.",
    },
    lost: PageHead {
        title: "Your bank took the payment back",
        lead: "This order gives no access any more. If that is a mistake, write to us.",
    },
    refunded: PageHead {
        title: "Your payment was returned",
        lead: "The money goes back the way it came; with some banks that takes days. This order gives no access any more.",
    },
    refused: PageHead {
        title: "This could not be sold to you",
        lead: "It was sold out, or is not sold any more. If you have paid, your money will be returned; if you have questions, write to us.",
    },
    cancelled: PageHead {
        title: "This order was cancelled",
        lead: "Please don't pay it any more. If you have paid, write to us: nothing is lost.",
    },
    expired: PageHead {
        title: "The time to pay is over",
        lead: "Please don't pay this order any more: order again where you bought. If you have paid already, that still counts, and this page will show it.",
    },
    product: "You buy",
    amount: "Price",
    missing: "Still missing",
    until: "Pay by",
    order: "Order number",
    pay: "Pay now",
    to_payment: "Open the payment page",
    pay_rest: "Pay the rest",
    enter: "Open your access",
    give: "The link of your present",
    reload: "Load this page again",
    watching: "This page looks for your payment by itself.",
    test: "This is a test: no real money is moved.",
    help: "A question about this payment? Send /paysupport in Telegram to",
};

static HINDI: OrderPageWords = OrderPageWords {
    open: PageHead {
        title: "आपके भुगतान का इंतज़ार है",
        lead: "नीचे के बटन से भुगतान करें। भुगतान मिलते ही यह पेज आपको अंदर जाने का रास्ता दिखाएगा।",
    },
    preparing: PageHead {
        title: "लगभग तैयार",
        lead: "भुगतान का पेज तैयार हो रहा है। कृपया थोड़ी देर में इस पेज को फिर से लोड करें।",
    },
    pending: PageHead {
        title: "आपका भुगतान रास्ते में है",
        lead: "अभी इसकी पुष्टि नहीं हुई है। इसमें कुछ मिनट लगते हैं, कुछ बैंकों में कुछ दिन। अगर आप भुगतान कर चुके हैं, तो कृपया दोबारा न करें।",
    },
    underpaid: PageHead {
        title: "भुगतान का एक हिस्सा बाकी है",
        lead: "आपकी कुछ रकम आ चुकी है। बाकी रकम चुकाएँ, फिर यह पेज आपको अंदर जाने का रास्ता दिखाएगा। यह संभव न हो, तो हमें लिखें: कुछ भी खोया नहीं है।",
    },
    paid: PageHead {
        title: "आपका भुगतान मिल गया",
        lead: "धन्यवाद! अंदर जाने का रास्ता नीचे है।",
    },
    gift: PageHead {
        title: "आपके तोहफ़े का भुगतान मिल गया",
        lead: "धन्यवाद! नीचे का लिंक उस व्यक्ति को दें जिसके लिए यह है: जो इसे सबसे पहले इस्तेमाल करेगा, एक्सेस उसी का होगा। उसका समय तभी शुरू होगा, ज़्यादा से ज़्यादा 30 दिन में।",
    },
    following: PageHead {
        title: "आपका भुगतान मिल गया",
        lead: "धन्यवाद! आपका अंदर जाने का रास्ता बन रहा है। कृपया थोड़ी देर में इस पेज को फिर से लोड करें।",
    },
    partly_refunded: PageHead {
        title: "आपके भुगतान का एक हिस्सा लौटाया गया",
        lead: "वह हिस्सा उसी तरीके से लौट रहा है जिससे आया था। आपका ऑर्डर चुकाया हुआ बना रहेगा।",
    },
    disputed: PageHead {
        title: "आपके भुगतान पर विवाद है",
        lead: "आपका बैंक इस भुगतान की जाँच कर रहा है। उसके फ़ैसले तक आपका एक्सेस रुका रहेगा। कृपया दोबारा भुगतान न करें।",
    },
    lost: PageHead {
        title: "आपके बैंक ने भुगतान वापस ले लिया",
        lead: "इस ऑर्डर से अब कोई एक्सेस नहीं मिलता। अगर यह ग़लती है, तो हमें लिखें।",
    },
    refunded: PageHead {
        title: "आपका भुगतान लौटा दिया गया",
        lead: "पैसे उसी तरीके से लौट रहे हैं जिससे आए थे; कुछ बैंकों में कुछ दिन लगते हैं। इस ऑर्डर से अब कोई एक्सेस नहीं मिलता।",
    },
    refused: PageHead {
        title: "यह आपको बेचा नहीं जा सका",
        lead: "यह बिक चुका था, या अब नहीं बिकता। अगर आपने भुगतान किया है, तो आपके पैसे लौटा दिए जाएँगे; कोई सवाल हो तो हमें लिखें।",
    },
    cancelled: PageHead {
        title: "यह ऑर्डर रद्द कर दिया गया",
        lead: "कृपया अब इसका भुगतान न करें। अगर आप भुगतान कर चुके हैं, तो हमें लिखें: कुछ भी खोया नहीं है।",
    },
    expired: PageHead {
        title: "भुगतान का समय समाप्त हो गया",
        lead: "कृपया अब इस ऑर्डर का भुगतान न करें: जहाँ से ख़रीदा था वहाँ फिर से ऑर्डर करें। अगर आप पहले ही भुगतान कर चुके हैं, तो वह गिना जाएगा और यह पेज उसे दिखाएगा।",
    },
    product: "आप ख़रीद रहे हैं",
    amount: "क़ीमत",
    missing: "अभी बाकी",
    until: "इस समय तक भुगतान करें",
    order: "ऑर्डर नंबर",
    pay: "अभी भुगतान करें",
    to_payment: "भुगतान का पेज खोलें",
    pay_rest: "बाकी रकम चुकाएँ",
    enter: "अपना एक्सेस खोलें",
    give: "आपके तोहफ़े का लिंक",
    reload: "यह पेज फिर से लोड करें",
    watching: "यह पेज आपका भुगतान अपने आप देखता रहता है।",
    test: "यह एक टेस्ट है: असली पैसे नहीं लगते।",
    help: "इस भुगतान के बारे में सवाल है? Telegram में /paysupport यहाँ भेजें:",
};

static RUSSIAN: OrderPageWords = OrderPageWords {
    open: PageHead {
        title: "Ждём вашу оплату",
        lead: "Оплатите по кнопке ниже. Когда платёж придёт, эта страница покажет ваш вход.",
    },
    preparing: PageHead {
        title: "Почти готово",
        lead: "Страница оплаты готовится. Пожалуйста, загрузите эту страницу ещё раз чуть позже.",
    },
    pending: PageHead {
        title: "Ваш платёж в пути",
        lead: "Он ещё не подтверждён. На это нужны минуты, а некоторым банкам — дни. Если вы уже заплатили, пожалуйста, не платите второй раз.",
    },
    underpaid: PageHead {
        title: "Не хватает части оплаты",
        lead: "Часть денег пришла. Доплатите остальное, и эта страница покажет ваш вход. Если не получается, напишите нам: ничего не пропало.",
    },
    paid: PageHead {
        title: "Ваш платёж получен",
        lead: "Спасибо! Ваш вход ниже.",
    },
    gift: PageHead {
        title: "Ваш подарок оплачен",
        lead: "Спасибо! Передайте ссылку ниже тому, для кого подарок: доступ получит первый, кто ею воспользуется. Тогда и начнётся его время, но не позже чем через 30 дней.",
    },
    following: PageHead {
        title: "Ваш платёж получен",
        lead: "Спасибо! Ваш вход готовится. Пожалуйста, загрузите эту страницу ещё раз чуть позже.",
    },
    partly_refunded: PageHead {
        title: "Часть оплаты возвращена",
        lead: "Эта часть вернётся тем же путём, каким пришла. Ваш заказ остаётся оплаченным.",
    },
    disputed: PageHead {
        title: "Ваш платёж оспаривается",
        lead: "Ваш банк разбирает этот платёж. Пока он не решит, доступ приостановлен. Пожалуйста, не платите второй раз.",
    },
    lost: PageHead {
        title: "Банк забрал платёж обратно",
        lead: "Этот заказ больше не даёт доступа. Если это ошибка, напишите нам.",
    },
    refunded: PageHead {
        title: "Ваш платёж возвращён",
        lead: "Деньги вернутся тем же путём, каким пришли; некоторым банкам нужны дни. Этот заказ больше не даёт доступа.",
    },
    refused: PageHead {
        title: "Продать это вам не удалось",
        lead: "Места кончились, или это больше не продаётся. Если вы заплатили, деньги вам вернут; если есть вопросы, напишите нам.",
    },
    cancelled: PageHead {
        title: "Этот заказ отменён",
        lead: "Пожалуйста, больше его не оплачивайте. Если вы уже заплатили, напишите нам: ничего не пропало.",
    },
    expired: PageHead {
        title: "Время оплаты истекло",
        lead: "Пожалуйста, больше не оплачивайте этот заказ: закажите снова там, где покупали. Если вы уже заплатили, платёж зачтётся, и эта страница его покажет.",
    },
    product: "Вы покупаете",
    amount: "Цена",
    missing: "Не хватает",
    until: "Оплатить до",
    order: "Номер заказа",
    pay: "Оплатить",
    to_payment: "Открыть страницу оплаты",
    pay_rest: "Доплатить",
    enter: "Открыть доступ",
    give: "Ссылка на ваш подарок",
    reload: "Загрузить страницу ещё раз",
    watching: "Эта страница сама проверяет, пришёл ли платёж.",
    test: "Это проверка: настоящие деньги не списываются.",
    help: "Вопрос об этом платеже? Отправьте /paysupport в Telegram боту",
};

static SPANISH: OrderPageWords = OrderPageWords {
    open: PageHead {
        title: "Esperamos tu pago",
        lead: "Paga con el botón de abajo. Cuando llegue tu pago, esta página te muestra tu entrada.",
    },
    preparing: PageHead {
        title: "Casi listo",
        lead: "La página de pago se está preparando. Carga esta página otra vez dentro de un momento.",
    },
    pending: PageHead {
        title: "Tu pago está en camino",
        lead: "Todavía no está confirmado. Tarda minutos y, con algunos bancos, días. Si ya pagaste, por favor, no pagues otra vez.",
    },
    underpaid: PageHead {
        title: "Falta una parte del pago",
        lead: "Ha llegado una parte de tu dinero. Paga el resto y esta página te muestra tu entrada. Si no puedes, escríbenos: no se pierde nada.",
    },
    paid: PageHead {
        title: "Tu pago ha llegado",
        lead: "¡Gracias! Tu entrada está aquí abajo.",
    },
    gift: PageHead {
        title: "Tu regalo está pagado",
        lead: "¡Gracias! Da el enlace de abajo a la persona para quien es: la primera que lo use tendrá el acceso. Su tiempo empieza entonces, y a más tardar en 30 días.",
    },
    following: PageHead {
        title: "Tu pago ha llegado",
        lead: "¡Gracias! Tu entrada se está preparando. Carga esta página otra vez dentro de un momento.",
    },
    partly_refunded: PageHead {
        title: "Se devolvió una parte de tu pago",
        lead: "Esa parte vuelve por donde vino. Tu pedido sigue pagado.",
    },
    disputed: PageHead {
        title: "Tu pago está en disputa",
        lead: "Tu banco está revisando este pago. Hasta que decida, tu acceso queda en pausa. Por favor, no pagues otra vez.",
    },
    lost: PageHead {
        title: "Tu banco retiró el pago",
        lead: "Este pedido ya no da acceso. Si es un error, escríbenos.",
    },
    refunded: PageHead {
        title: "Tu pago se ha devuelto",
        lead: "El dinero vuelve por donde vino; con algunos bancos tarda días. Este pedido ya no da acceso.",
    },
    refused: PageHead {
        title: "No se te pudo vender esto",
        lead: "Se agotó o ya no se vende. Si pagaste, se te devolverá el dinero; si tienes preguntas, escríbenos.",
    },
    cancelled: PageHead {
        title: "Este pedido se canceló",
        lead: "Por favor, no lo pagues ya. Si pagaste, escríbenos: no se pierde nada.",
    },
    expired: PageHead {
        title: "El plazo para pagar terminó",
        lead: "Por favor, no pagues ya este pedido: haz otro donde compraste. Si ya pagaste, tu pago sigue contando y esta página lo mostrará.",
    },
    product: "Compras",
    amount: "Precio",
    missing: "Falta",
    until: "Paga antes del",
    order: "Número de pedido",
    pay: "Pagar ahora",
    to_payment: "Abrir la página de pago",
    pay_rest: "Pagar el resto",
    enter: "Abrir tu acceso",
    give: "El enlace de tu regalo",
    reload: "Cargar esta página otra vez",
    watching: "Esta página comprueba tu pago por sí sola.",
    test: "Esto es una prueba: no se mueve dinero real.",
    help: "¿Una pregunta sobre este pago? Envía /paysupport en Telegram a",
};

static PORTUGUESE: OrderPageWords = OrderPageWords {
    open: PageHead {
        title: "Aguardando o seu pagamento",
        lead: "Pague com o botão abaixo. Quando o pagamento chegar, esta página mostra a sua entrada.",
    },
    preparing: PageHead {
        title: "Quase pronto",
        lead: "A página de pagamento está sendo preparada. Carregue esta página de novo em instantes.",
    },
    pending: PageHead {
        title: "Seu pagamento está a caminho",
        lead: "Ele ainda não foi confirmado. Isso leva minutos e, em alguns bancos, dias. Se você já pagou, por favor, não pague de novo.",
    },
    underpaid: PageHead {
        title: "Falta uma parte do pagamento",
        lead: "Uma parte do dinheiro chegou. Pague o resto e esta página mostra a sua entrada. Se não puder, escreva para nós: nada se perde.",
    },
    paid: PageHead {
        title: "Seu pagamento chegou",
        lead: "Obrigado! A sua entrada está abaixo.",
    },
    gift: PageHead {
        title: "O seu presente está pago",
        lead: "Obrigado! Passe o link abaixo à pessoa para quem ele é: a primeira que o usar terá o acesso. O tempo dela começa nesse momento, e no máximo em 30 dias.",
    },
    following: PageHead {
        title: "Seu pagamento chegou",
        lead: "Obrigado! A sua entrada está sendo preparada. Carregue esta página de novo em instantes.",
    },
    partly_refunded: PageHead {
        title: "Uma parte do pagamento foi devolvida",
        lead: "Essa parte volta por onde veio. O seu pedido continua pago.",
    },
    disputed: PageHead {
        title: "Seu pagamento está em disputa",
        lead: "O seu banco está analisando este pagamento. Até ele decidir, o seu acesso fica em pausa. Por favor, não pague de novo.",
    },
    lost: PageHead {
        title: "O seu banco tomou o pagamento de volta",
        lead: "Este pedido não dá mais acesso. Se for um engano, escreva para nós.",
    },
    refunded: PageHead {
        title: "Seu pagamento foi devolvido",
        lead: "O dinheiro volta por onde veio; em alguns bancos isso leva dias. Este pedido não dá mais acesso.",
    },
    refused: PageHead {
        title: "Não foi possível vender isto a você",
        lead: "Esgotou ou não está mais à venda. Se você pagou, o dinheiro será devolvido; se tiver dúvidas, escreva para nós.",
    },
    cancelled: PageHead {
        title: "Este pedido foi cancelado",
        lead: "Por favor, não o pague mais. Se você pagou, escreva para nós: nada se perde.",
    },
    expired: PageHead {
        title: "O prazo para pagar acabou",
        lead: "Por favor, não pague mais este pedido: peça de novo onde você comprou. Se já pagou, o pagamento ainda vale e esta página vai mostrá-lo.",
    },
    product: "Você compra",
    amount: "Preço",
    missing: "Ainda falta",
    until: "Pague até",
    order: "Número do pedido",
    pay: "Pagar agora",
    to_payment: "Abrir a página de pagamento",
    pay_rest: "Pagar o resto",
    enter: "Abrir o seu acesso",
    give: "O link do seu presente",
    reload: "Carregar esta página de novo",
    watching: "Esta página verifica o pagamento sozinha.",
    test: "Isto é um teste: nenhum dinheiro real é movido.",
    help: "Uma pergunta sobre este pagamento? Envie /paysupport no Telegram para",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sentence_is_translated_and_no_sign_stands_for_a_word() {
        let all = |words: &OrderPageWords| {
            let heads = [
                words.open,
                words.preparing,
                words.pending,
                words.underpaid,
                words.paid,
                words.following,
                words.gift,
                words.partly_refunded,
                words.disputed,
                words.lost,
                words.refunded,
                words.refused,
                words.cancelled,
                words.expired,
            ];
            let heads = heads.map(|head| [head.title, head.lead]).concat();
            let rest = [
                words.product,
                words.amount,
                words.missing,
                words.until,
                words.order,
                words.pay,
                words.to_payment,
                words.pay_rest,
                words.enter,
                words.give,
                words.reload,
                words.watching,
                words.test,
                words.help,
            ];
            [heads, rest.to_vec()].concat()
        };
        let is_sign = |c: char| matches!(c, '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}');
        let english = all(Language::English.order_page());
        for language in Language::ALL {
            for (position, sentence) in all(language.order_page()).into_iter().enumerate() {
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
            let help = language.order_page().help;
            assert!(help.contains("/paysupport"), "{help}");
        }
    }
}
