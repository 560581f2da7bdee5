//! Hindi.

use super::argument::Date;
use super::sentence::{Label, Text};
use crate::command::{CommandName, Role};

const MONTHS: [&str; 12] = [
    "जनवरी",
    "फ़रवरी",
    "मार्च",
    "अप्रैल",
    "मई",
    "जून",
    "जुलाई",
    "अगस्त",
    "सितंबर",
    "अक्टूबर",
    "नवंबर",
    "दिसंबर",
];

pub(super) fn date(at: Date) -> String {
    at.written(&MONTHS, " ")
}

pub(super) fn text(text: &Text<'_>) -> String {
    match *text {
        Text::Welcome => "नमस्ते, आपका स्वागत है! आपने जो प्राइवेट चैट ख़रीदी हैं, उन्हें मैं आपके लिए खोलता हूँ।\n\n\
            <b>ख़रीद चुके हैं?</b> अपने लिंक पर फिर से टैप करें या उसे यहाँ पेस्ट करें।\n\n\
            मैं और क्या कर सकता हूँ, यह /help से देखें।"
            .into(),
        Text::WelcomeBack { chats } => {
            format!("फिर से स्वागत है! आपके पास {chats} चैट का एक्सेस है। अंदर जाने के लिए /access भेजें।")
        }
        Text::TapLinkAgain => {
            "आपका लिंक मुझ तक नहीं पहुँचा। कृपया उस पर फिर से टैप करें या उसे यहाँ पेस्ट करें।".into()
        }

        Text::ClaimAccepted { chat } => format!(
            "हो गया: अब आपके पास <b>{chat}</b> का एक्सेस है।\n\n\
             नीचे के बटन पर टैप करें और जुड़ने का अनुरोध भेजें। मैं आपको अंदर ले लूँगा।"
        ),
        Text::ClaimFollows { chat } => format!(
            "हो गया: अब आपके पास <b>{chat}</b> का एक्सेस है।\n\n\
             अंदर जाने का रास्ता अभी बन रहा है। वह अपने आप यहाँ आ जाएगा, आपको कुछ नहीं करना है।"
        ),
        Text::ClaimTaken => {
            "यह लिंक कोई पहले ही इस्तेमाल कर चुका है, इसलिए इससे मैं आपको अंदर नहीं ले सकता।\n\n\
            क्या वह आप ही थे, किसी दूसरे अकाउंट से? या वह आप नहीं थे?"
                .into()
        }
        Text::ClaimTakenOther => format!(
            "तो आपका एक्सेस उस अकाउंट में है। उस अकाउंट पर जाएँ, वहाँ से मुझे लिखें और /access भेजें। \
             “{}” से आप अपना एक्सेस इस अकाउंट में ला सकते हैं।",
            label(&Label::AnotherAccount)
        ),
        Text::ClaimTakenNotMe => "बताने के लिए धन्यवाद। हमारी टीम इसे देखेगी और आपको यहीं जवाब देगी। \
            कृपया दोबारा भुगतान न करें।"
            .into(),
        Text::LinkTakenOther => "तो आपका एक्सेस उस अकाउंट में है: चैट वहीं खोलें। \
            अगर आपको यहाँ चाहिए, तो /support से बताएँ।"
            .into(),
        Text::ClaimUnknown => "मैं यह लिंक नहीं पहचानता। शायद इसका कोई हिस्सा छूट गया है: \
            कृपया इसे फिर से कॉपी करके यहाँ पेस्ट करें।\n\n\
            फिर भी काम न करे, तो हमें /support से बताएँ।"
            .into(),
        Text::ClaimExpired => {
            "इस लिंक का समय समाप्त हो गया है। आपने इसे कब ख़रीदा था, यह /support से बताएँ, \
            हम आपकी ख़रीद ढूँढ लेंगे।"
                .into()
        }
        Text::ClaimReplaced => {
            "इस लिंक की जगह एक नया लिंक आ चुका है। कृपया वही लिंक इस्तेमाल करें जो आपको सबसे बाद में मिला।\n\n\
            वह नहीं मिल रहा? /support आपकी मदद करेगा।"
                .into()
        }
        Text::ClaimVoided => "विक्रेता ने यह लिंक रद्द कर दिया है, जैसा रिफ़ंड के बाद होता है।\n\n\
            अगर यह ग़लती है, तो हमें /support से बताएँ।"
            .into(),
        Text::ClaimUnpaid => "इस ऑर्डर का भुगतान अभी नहीं हुआ है, इसलिए मैं आपको अंदर नहीं ले सकता। \
            भुगतान पहुँच जाए, तो लिंक पर फिर से टैप करें।"
            .into(),
        Text::AlreadyIn { chat } => {
            format!("आप पहले से <b>{chat}</b> में हैं। नीचे का बटन उसे खोलता है।")
        }
        Text::ClaimAskForever { chat } => format!(
            "आपके पास <b>{chat}</b> का एक्सेस हमेशा के लिए है, इसलिए इस लिंक से आपको और कुछ नहीं मिलेगा।\n\n\
             फिर भी इसे इस्तेमाल करें, या किसी और के लिए रखें?"
        ),
        Text::ClaimAskGift { chat } => format!(
            "यह एक तोहफ़ा है: <b>{chat}</b> का एक्सेस। आपने इसे इस्तेमाल कर लिया, तो यह किसी और को नहीं दिया जा सकेगा।\n\n\
             क्या यह आपके लिए है?"
        ),
        Text::ClaimKept => "ठीक है, कुछ भी इस्तेमाल नहीं हुआ। लिंक उस व्यक्ति को भेज दें जिसके लिए यह है।".into(),

        Text::MoveAsk { chat } => format!(
            "आप <b>{chat}</b> का अपना एक्सेस दूसरे अकाउंट में ले जा सकते हैं। मैं नया लिंक बनाऊँगा, और आप उसे वहाँ खोलेंगे; आपका पुराना लिंक तब काम नहीं करेगा। \
             जैसे ही वह इस्तेमाल होगा, इस अकाउंट को चैट छोड़नी होगी।\n\n\
             नया लिंक बनाऊँ?"
        ),
        Text::MoveReady { chat, link } => format!(
            "<b>{chat}</b> के लिए आपका नया लिंक। इसे अपने दूसरे अकाउंट से खोलें और किसी और को न दिखाएँ:\n\n\
             <code>{link}</code>\n\n\
             जब तक आप इसे इस्तेमाल नहीं करते, सब कुछ वैसा ही रहेगा।"
        ),
        Text::MoveTooOften => {
            "यह एक्सेस हाल में कई बार दूसरे अकाउंट में जा चुका है, इसलिए मैं इसे ख़ुद फिर से नहीं ले जा सकता। \
            /support आपकी मदद करेगा।"
                .into()
        }
        Text::LostLink => "कोई बात नहीं: एक्सेस आपके अकाउंट का है, लिंक का नहीं। /access उसे दिखाता है।\n\n\
            अगर वहाँ न हो, तो /support से बताएँ कि आपने कब ख़रीदा था।"
            .into(),

        Text::JoinNotEntitled {
            chat,
            claim,
            minutes,
        } => format!(
            "आपने <b>{chat}</b> में जुड़ने का अनुरोध किया है, पर इस अकाउंट की कोई ख़रीद मुझे नहीं मिली।\n\n\
             <b>ख़रीद चुके हैं?</b> {claim} खोलें और वहाँ अपना लिंक पेस्ट करें। आपका अनुरोध {minutes} मिनट तक रुकेगा, \
             और लिंक मिलते ही मैं आपको अंदर ले लूँगा।"
        ),
        Text::JoinBuy { shop } => format!("<b>अभी नहीं ख़रीदा?</b> एक्सेस यहाँ ख़रीद सकते हैं: {shop}"),
        Text::JoinApproved { chat } => format!("आप अंदर हैं। <b>{chat}</b> में आपका स्वागत है!"),
        Text::JoinWaiting { chat, place } => format!(
            "इस समय बहुत लोग <b>{chat}</b> में आ रहे हैं। कतार में आपका स्थान: {place}। \
             बारी आते ही मैं आपको अंदर ले लूँगा, आपको कुछ नहीं करना है।"
        ),
        Text::JoinTooManyChats { chat } => format!(
            "Telegram के अनुसार आप बहुत ज़्यादा चैट में हैं, इसलिए मैं आपको <b>{chat}</b> में नहीं ले सकता। \
             आपका एक्सेस आपका ही रहेगा।\n\n\
             जिस चैट की अब ज़रूरत नहीं, उसे छोड़ दें, फिर बटन पर दोबारा टैप करें।"
        ),
        Text::JoinTapAgain { chat } => format!(
            "<b>{chat}</b> में जुड़ने का आपका अनुरोध मेरे जवाब से पहले ही हट गया। कृपया बटन पर फिर से टैप करें।"
        ),
        Text::Banned { chat } => format!(
            "एक एडमिन ने आपको <b>{chat}</b> में प्रतिबंधित किया है, इसलिए मैं आपको अंदर नहीं ले सकता। \
             कृपया /support से पूछें।"
        ),

        Text::OrderPaid { title } => format!("आपका भुगतान मिल गया: {title}। धन्यवाद! /access से आपका अंदर जाने का रास्ता दिखेगा।"),
        Text::GiftPaid { title, link } => format!("आपके तोहफ़े का भुगतान मिल गया: <b>{title}</b>। धन्यवाद! यह लिंक उस व्यक्ति को भेजें जिसके लिए यह है। जो इसे सबसे पहले खोलेगा, एक्सेस उसी का होगा; उसका समय तभी शुरू होगा, ज़्यादा से ज़्यादा 30 दिन में।\n\n{link}"),
        Text::OrderUnderpaid { title, missing } => format!("{title} के लिए आपका पूरा भुगतान नहीं आया: {missing} बाकी है। बाकी रकम उसी पेज पर चुकाएँ, फिर आप अंदर होंगे।"),
        Text::OrderRefunded { title } => format!("{title} के लिए आपका भुगतान आपको लौटा दिया गया। अगर आपको इसकी उम्मीद नहीं थी: /paysupport"),
        Text::OrderToPay { title } => format!("आपका ऑर्डर: <b>{title}</b>। नीचे का बटन भुगतान खोलता है। इसे केवल यही अकाउंट चुका सकता है।"),
        Text::PayNotYours => "यह ऑर्डर किसी और अकाउंट का है। अपना ऑर्डर करने के लिए /shop भेजें।".into(),
        Text::PayOver => "यह ऑर्डर अब चुकाया नहीं जा सकता। नए ऑर्डर के लिए /shop भेजें।".into(),
        Text::PayUnderWay => "इस ऑर्डर का भुगतान पहले से हो रहा है। अगर कोई पैसा नहीं लिया गया, तो पाँच मिनट बाद फिर कोशिश करें।".into(),
        Text::PaySoldOut => "इसकी सारी सीटें बिक चुकी हैं। कोई पैसा नहीं लिया गया।".into(),
        Text::PayChanged => "इस ऑर्डर की कीमत अलग है। नए ऑर्डर के लिए /shop भेजें।".into(),
        Text::PayOwned => {
            "यह आपके पास पहले से है, इसलिए कुछ चुकाना नहीं है। /access आपको अंदर ले जाता है।".into()
        }
        Text::Shop => "यहाँ आप क्या खरीद सकते हैं। जो चाहिए उस पर टैप करें:".into(),
        Text::ShopEmpty => "अभी यहाँ खरीदने के लिए कुछ नहीं है।".into(),
        Text::Gift => "आप क्या तोहफ़े में देना चाहेंगे? आप Stars में भुगतान करते हैं और आगे भेजने के लिए एक लिंक पाते हैं। उस पर टैप करें:".into(),
        Text::CouponShop { code } => format!("कोड {code} से आप इसके लिए कम चुकाते हैं। जो चाहिए उस पर टैप करें:"),
        Text::CouponUnknown => "मैं जो बेचता हूँ, उसमें से अभी कुछ भी यह कोड नहीं लेता। शायद कोई अक्षर ग़लत है, या कोड का समय निकल गया है।".into(),
        Text::Orders => "आपके सबसे नए ऑर्डर:".into(),
        Text::OrdersNone => "मुझे इस अकाउंट का कोई ऑर्डर नहीं मिला। क्या खरीदा जा सकता है: /shop".into(),
        Text::RenewalEndAsk { title } => format!("<b>{title}</b>: अपने आप बढ़ना बंद करें? जितने समय का भुगतान हो चुका है, उतने समय एक्सेस रहेगा; उसके बाद कुछ नहीं लिया जाएगा।"),
        Text::RenewalEnding { title } => format!("<b>{title}</b> अब अपने आप नहीं बढ़ेगा। जितने समय का भुगतान हो चुका है, उतने समय एक्सेस रहेगा।"),
        Text::RenewalKept => "ठीक है, यह चलता रहेगा।".into(),
        Text::RenewalOver => "यह अब अपने आप नहीं बढ़ता, या आपका नहीं है: कुछ नहीं बदला गया। /orders आपके ऑर्डर दिखाता है।".into(),
        Text::ShopChanged => "यह ऑफ़र इस बीच बदल गया है। /shop दिखाएगा कि अब क्या है।".into(),
        Text::ShopSoldOut => "इसकी सारी सीटें बिक चुकी हैं। /shop दिखाएगा कि और क्या है।".into(),
        Text::ShopOwned => "यह आपके पास पहले से है। /access आपको अंदर ले जाता है।".into(),
        Text::ShopTooMany => "आपके कई ऑर्डर भुगतान का इंतज़ार कर रहे हैं। उनमें से एक चुकाएँ, या एक दिन रुकें जब तक वे खत्म न हो जाएँ।".into(),
        Text::RenewalFailed { title, page } => format!("{title} के लिए आपका भुगतान नहीं हो पाया। इसे यहाँ ठीक करें, और आपके लिए कुछ नहीं बदलेगा: {page}"),
        Text::RenewalNeedsAction { title, page } => format!("आपका बैंक चाहता है कि आप {title} के भुगतान की पुष्टि करें। यहाँ कर सकते हैं: {page}"),
        Text::LinkDelivered { link } => format!("आपकी ख़रीद के लिए धन्यवाद! यह रहा आपका अंदर जाने का रास्ता। यह सिर्फ़ आपके लिए है और एक बार काम करता है:\n\n{link}"),
        Text::LinkWorksUntil { until } => format!("यह {} तक काम करेगा।", date(until)),
        Text::LinkFollows => "यह आपका है। अंदर जाने का रास्ता अभी बन रहा है। वह यहाँ अपने-आप आ जाएगा, आपको कुछ नहीं करना है।".into(),
        Text::LinkFailed => "यह आपका है, लेकिन अंदर जाने का रास्ता नहीं बन पाया। ग़लती हमारी तरफ़ है, और हमें इसकी सूचना मिल चुकी है। \
            ठीक होते ही रास्ता यहाँ आ जाएगा। कृपया दोबारा भुगतान न करें। अगर आप इंतज़ार नहीं कर सकते, तो /support से बताएँ।"
            .into(),
        Text::LinkInside => "आप चैट में पहले से हैं: आप इसी लिंक से आए थे। अगर आप बाहर निकल जाएँ, तो मुझे लिखें, मैं दूसरा बना दूँगा।".into(),
        Text::LinkUsed => "यह आपका है, लेकिन आपके लिंक से कोई और अंदर आ गया। /support से बताएँ, ताकि हम दूसरा बना दें। \
            कृपया दोबारा भुगतान न करें।"
            .into(),

        Text::Access => "<b>आपका एक्सेस</b>".into(),
        Text::AccessUntil { chat, until } => format!("<b>{chat}</b>: {} तक", date(until)),
        Text::AccessForever { chat } => format!("<b>{chat}</b>: हमेशा के लिए"),
        Text::AccessNothing => "इस अकाउंट के पास किसी चैट का एक्सेस नहीं है।\n\n\
            <b>ख़रीद चुके हैं?</b> अपने लिंक पर फिर से टैप करें या उसे यहाँ पेस्ट करें। \
            अगर आपने दूसरे अकाउंट से ख़रीदा था, तो वहाँ से /access भेजें।"
            .into(),

        Text::Help => "<b>मैं आपके लिए क्या कर सकता हूँ</b>\n\
            बाकी किसी भी बात के लिए बस यहाँ लिखें: हमारी टीम पढ़ती है।"
            .into(),
        Text::LanguageList => "मैं आपको हिन्दी में लिखता हूँ। आप कौन सी भाषा चाहेंगे?".into(),
        Text::LanguageChosen => "ठीक है, अब से मैं आपको हिन्दी में लिखूँगा।".into(),
        Text::Terms { page } => format!("शर्तें यहाँ हैं: {page}"),
        Text::TermsUnset => {
            "विक्रेता ने यहाँ कोई शर्तें प्रकाशित नहीं की हैं। /support से पूछें, आपको जवाब मिलेगा।".into()
        }

        Text::Privacy { days } => format!(
            "<b>आपका डेटा</b>\n\n\
             मैं आपकी Telegram आईडी, आपका नाम और भाषा, आपकी ख़रीद और जो आप मुझे लिखते हैं, वह रखता हूँ। \
             यह आपको अंदर लेने और आपकी मदद करने के काम आता है। समूहों में होने वाली बातें मैं नहीं रखता। \
             अगर आपने कुछ नहीं ख़रीदा, तो आपके आख़िरी संदेश के {days} दिन बाद मैं आपको भूल जाता हूँ।\n\n\
             आप इसकी कॉपी ले सकते हैं या सब कुछ मिटवा सकते हैं।"
        ),
        Text::PrivacyPolicy { page } => format!("पूरी नीति यहाँ है: {page}"),
        Text::ExportStarted => "मैं आपका डेटा इकट्ठा कर रहा हूँ। तैयार होते ही वह आपको यहाँ मिलेगा।".into(),
        Text::ExportReady { link, until } => format!(
            "आपका डेटा तैयार है: {link}\n\n\
             यह लिंक {} तक काम करेगा। कृपया इसे किसी को न दें।",
            date(until)
        ),
        Text::EraseAsk => {
            "मैं आपके बारे में जो कुछ जानता हूँ, सब मिटा दूँगा। बही-खाते में केवल भुगतान की रकम रहेगी, \
            आपके नाम के बिना।\n\n\
            आपका डेटा मिटाऊँ?"
                .into()
        }
        Text::EraseAskSeats { chats } => format!(
            "आपके पास {chats} चैट का एक्सेस है। अगर मैं आपका डेटा मिटाऊँ, तो <b>यह एक्सेस तुरंत समाप्त हो जाएगा</b>: \
             आपको बाहर जाना होगा, सदस्यताएँ रद्द हो जाएँगी, और यह वापस नहीं आ सकता। \
             बही-खाते में केवल भुगतान की रकम रहेगी, आपके नाम के बिना।\n\n\
             आपका डेटा मिटाऊँ?"
        ),
        Text::EraseAskAgain => "एक बार फिर पूछ लूँ: इसे वापस नहीं किया जा सकता। अभी सब कुछ मिटाऊँ?".into(),
        Text::EraseStarted => "मैं आपका डेटा मिटा रहा हूँ। इसमें कुछ मिनट लगते हैं, पूरा होते ही बताऊँगा।".into(),
        Text::EraseDone => "आपका डेटा मिटा दिया गया है। अपना ध्यान रखें!".into(),
        Text::EraseReceipt { items, logs, queues, backups } => format!(
            "आपके {items} रिकॉर्ड मिले; वे मिटा दिए गए हैं या उनमें अब आपका नाम नहीं है। जो अलग-अलग नहीं मिटाया जा सकता, वह अपने आप चला जाएगा: \
             कतारें {} तक, लॉग {} तक, बैकअप {} तक।",
            date(queues),
            date(logs),
            date(backups)
        ),
        Text::EraseKept => "कुछ भी नहीं मिटाया गया। सब कुछ पहले जैसा है।".into(),

        Text::PaySupport => "<b>भुगतान के बारे में सवाल है?</b> यहाँ लिखें: क्या ख़रीदा, कब, और क्या गड़बड़ हुई। \
            हमारी टीम आपको यहीं जवाब देगी, रिफ़ंड के बारे में भी।\n\n\
            कृपया हमें लिखें, Telegram को नहीं: उसका सपोर्ट इस ख़रीद में मदद नहीं कर सकता।"
            .into(),
        Text::Stopped => "ठीक है, अब मैं आपको समाचार और ऑफ़र नहीं भेजूँगा। \
            आपके एक्सेस और भुगतान से जुड़ी बातें फिर भी आएँगी।"
            .into(),
        Text::StopUndone => {
            "ठीक है, आपको फिर से समाचार और ऑफ़र मिलेंगे। /stop से इन्हें कभी भी बंद कर सकते हैं।".into()
        }
        Text::Support => {
            "बस अपना सवाल यहाँ लिखें। हमारी टीम का कोई व्यक्ति उसे पढ़कर इसी चैट में जवाब देगा।".into()
        }
        Text::SupportArrived => "आपका संदेश पहुँच गया है। आपको यहीं जवाब मिलेगा।".into(),
        Text::SupportArrivedLater { from } => format!(
            "आपका संदेश पहुँच गया है। हम {} से फिर यहाँ होंगे और आपको जवाब देंगे।",
            date(from)
        ),

        Text::SupportElsewhere { contact } => {
            format!("यहाँ लिखा हुआ कोई नहीं पढ़ता। यहाँ आपको कोई व्यक्ति मिलेगा: {contact}")
        }
        Text::SupportNone => {
            "यहाँ लिखा हुआ कोई नहीं पढ़ता। कृपया वहाँ संपर्क करें जहाँ से आपने खरीदा था।".into()
        }
        Text::NotPassedOn => "मैं यह संदेश आगे नहीं भेज सका: Telegram मुझे इसकी प्रति नहीं बनाने देता। \
            कृपया इसे टेक्स्ट में लिखें, या किसी और तरह से भेजें।"
            .into(),

        Text::NotDelivered => "नहीं पहुँचा: Telegram ने यह संदेश अस्वीकार किया।".into(),
        Text::NotDeliveredBlocked => {
            "नहीं पहुँचा: इस व्यक्ति ने बॉट को ब्लॉक किया है, या उसका खाता अब नहीं है।".into()
        }
        Text::NotDeliveredNotStarted => "नहीं पहुँचा: इस व्यक्ति ने बॉट को अभी शुरू नहीं किया है।".into(),
        Text::NotDeliveredKind => "नहीं हुआ: Telegram मुझे इस संदेश के साथ ऐसा नहीं करने देता।".into(),
        Text::JoinedWords {
            messages,
            minutes: number,
        } => format!("{messages} संदेश, {number} मिनट देर से"),
        Text::TopicHead { person, language } => format!("<b>{person}</b>\nभाषा: {language}"),
        Text::TopicNoSeat => "किसी चैट में सीट नहीं।".into(),
        Text::TopicSent => "व्यक्ति को भेजा गया:".into(),
        Text::TopicSentBy { actor } => format!("{actor} ने भेजा:"),
        Text::TopicUnknownCommand => "मैं यह कमांड नहीं जानता। व्यक्ति को कुछ नहीं भेजा गया।".into(),
        Text::TopicShared => {
            "इस टॉपिक में कई लोग लिखते हैं। उनके किसी संदेश का जवाब दें, ताकि मुझे पता हो कि यह किसके लिए है। \
            कुछ नहीं भेजा गया।"
                .into()
        }
        Text::TopicConflict { request } => format!("यह व्यक्ति कहता है कि जिस एक्सेस का भुगतान उसने किया, उसे किसी और ने ले लिया है। अनुरोध {request} देखें और उसकी दुकान से पूछें।"),
        Text::TopicDelete => "जो संदेश मुझे वापस लेना है, उसके जवाब में /delete भेजें।".into(),
        Text::TopicBlocked => {
            "मैं इस व्यक्ति के संदेश अब नहीं लेता। उसकी सीटें बनी रहती हैं। /unblock इसे वापस करता है।".into()
        }
        Text::TopicUnblocked => "मैं इस व्यक्ति के संदेश फिर से लेता हूँ।".into(),
        Text::TopicNoReply { name } => format!(
            "“{name}” नाम का कोई तैयार जवाब नहीं है। किसी संदेश का जवाब <code>/reply = {name}</code> से दें, और वह तैयार जवाब बन जाएगा।"
        ),
        Text::TopicReplyKept { name } => {
            format!("यह संदेश अब तैयार जवाब “{name}” है। <code>/reply {name}</code> इसे भेजता है।")
        }

        Text::TooManyCommands { command } => {
            format!("मेरे लिए यह थोड़ा ज़्यादा तेज़ था: मैंने {command} नहीं लिया। कृपया एक मिनट बाद फिर से भेजें।")
        }
        Text::TooManyMessages => "मेरे लिए यह थोड़ा ज़्यादा तेज़ था: मैंने आपका पिछला संदेश आगे नहीं भेजा। \
            कृपया एक मिनट बाद फिर से भेजें।"
            .into(),
        Text::RoleHowTo => "व्यक्ति की id और भूमिका लिखें: <code>/role 123456789 operator</code>। भूमिकाएँ: operator, admin, और हटाने के लिए public।".into(),
        Text::RoleTooHigh => "आप केवल अपनी भूमिका से नीचे की भूमिकाएँ दे या हटा सकते हैं, और मालिक को यहाँ कोई नहीं बदल सकता।".into(),
        Text::RoleGiven { person, role: given } => format!("{person} की भूमिका अब “{}” है।", role(given)),
        Text::NotHere { command } => format!("यहाँ मैं {command} नहीं लेता। इस चैट में मैं क्या करता हूँ, यह /help से देखें।"),
        Text::HowTo { example } => format!("कृपया इसे ऐसे लिखें: {example}"),
        Text::NobodyFound => "इससे मुझे कोई नहीं मिला। मैं Telegram id, @name, अनुरोध की id या लेन-देन से खोजता हूँ।".into(),
        Text::SeveralFound => "ऐसे कई लोग हैं। id से किसी एक को चुनें:".into(),
        Text::PersonLine { person, id } => format!("व्यक्ति: {person}, id {id}"),
        Text::PersonReachable => "मैं इस व्यक्ति को लिख सकता हूँ।".into(),
        Text::PersonBlockedBot => "इस व्यक्ति ने मुझे ब्लॉक किया है, इसलिए मैं उन्हें नहीं लिख सकता।".into(),
        Text::PersonSilent => "इस व्यक्ति ने मुझे कभी नहीं लिखा, इसलिए मैं उन्हें नहीं लिख सकता।".into(),
        Text::PersonNoSeat => "इस व्यक्ति के पास कोई सीट नहीं है।".into(),
        Text::SeatEnded { chat } => format!("<b>{chat}</b>: समाप्त"),
        Text::PersonIn => "चैट में है।".into(),
        Text::PersonOut => "चैट में नहीं है।".into(),
        Text::PersonBanned => "किसी एडमिन ने इस व्यक्ति को ख़ुद बैन किया है।".into(),
        Text::PersonAtDoor => "जुड़ने का अनुरोध भेजा है और इंतज़ार में है।".into(),
        Text::RequestLine { id, transaction, status, at } => format!("अनुरोध {id}, लेन-देन {transaction}, {d}: {status}", d = date(at)),
        Text::RequestUnclaimed => "इसे किसी ने नहीं लिया है।".into(),
        Text::RequestJoined { at } => format!("{d} को जुड़े।", d = date(at)),
        Text::RequestVoided { at } => format!("{d} को रद्द किया गया।", d = date(at)),
        Text::MessageLine { at, state } => format!("मेरा संदेश, {d}: {state}", d = date(at)),
        Text::WaySent => "ठीक है, मैं इस व्यक्ति को अंदर जाने का रास्ता भेज रहा हूँ।".into(),
        Text::WayNotSent => "मैंने कुछ नहीं भेजा: इस व्यक्ति के पास अभी एक्सेस नहीं है, या मैं उन्हें लिख नहीं सकता।".into(),
        Text::ChatUnknown { known } => format!("कृपया हमारी किसी चैट की id लिखें। ये हैं: {known}"),
        Text::GrantNotHere { chat } => format!("<b>{chat}</b> में क्लेम लिंक नहीं हैं, इसलिए मैं उसमें सीट नहीं दे सकता।"),
        Text::GrantForever { chat, link } => format!("<b>{chat}</b> में एक मुफ़्त सीट, हमेशा के लिए। यह लिंक आगे दें: जो इसे पहले खोलेगा, सीट उसी की होगी।\n\n<code>{link}</code>"),
        Text::GrantUntil { chat, link, until } => format!("<b>{chat}</b> में एक मुफ़्त सीट, {d} तक। यह लिंक आगे दें: जो इसे पहले खोलेगा, सीट उसी की होगी।\n\n<code>{link}</code>", d = date(until)),
        Text::GrantInPrivate { chat } => format!("<b>{chat}</b> में एक मुफ़्त सीट: इसका लिंक मैंने आपको निजी चैट में भेजा है, क्योंकि जो इसे खोलेगा, सीट उसी की होगी।"),
        Text::GrantStartFirst => "कुछ नहीं दिया गया: सीट का लिंक मैं आपको निजी चैट में भेजूँगा, पर अभी आपको लिख नहीं सकता। वहाँ मुझे शुरू करें और फिर से कहें।".into(),
        Text::EndAsk { person, chat } => format!("<b>{chat}</b> में {person} की सीट समाप्त करें? वहाँ इस व्यक्ति का पूरा एक्सेस तुरंत ख़त्म हो जाएगा। इससे किसी को चैट से हटाया नहीं जाता, और पैसे वापस नहीं होते।"),
        Text::ChangedMeanwhile => "इस बीच यह बदल गया है, इसलिए मैंने कुछ नहीं किया। कृपया फिर से देखें।".into(),
        Text::SeatRefused { reason } => format!("यह सीट इसकी अनुमति नहीं देती: {reason}"),
        Text::ChatPaused { chat, reason } => format!("<b>{chat}</b> रुकी हुई है: {reason}। फिर शुरू होने तक मैं वहाँ कुछ नहीं बनाता और किसी को अंदर नहीं लेता।"),
        Text::PauseEnds { until } => format!("रोक {d} को अपने आप ख़त्म होगी।", d = date(until)),
        Text::ChatResumed { chat } => format!("मैं <b>{chat}</b> का काम फिर शुरू करता हूँ।"),
        Text::ChatReady { chat } => format!("<b>{chat}</b>: सब ठीक है।"),
        Text::ChatNoDoor { chat } => format!("<b>{chat}</b>: अनुरोध लिंक नहीं है, इसलिए कोई अंदर नहीं आ सकता। setup फिर चलाएँ।"),
        Text::ChatBroken { chat } => format!("<b>{chat}</b>: वहाँ मेरे कॉल विफल हो रहे हैं। चैट में मेरे अधिकार देखें।"),
        Text::ChatWaiting { chat, number } => format!("<b>{chat}</b>: बाक़ी काम: {number}"),
        Text::UpdatesParked { number } => format!("संदेश और टैप जिन्हें मैं संभाल नहीं सका और जो ऑपरेटर का इंतज़ार कर रहे हैं: {number}"),
        Text::Sold { title, amount } => format!("बिक गया: {title}, {amount} में।"),
        Text::CaseOpened { title, case, order } => format!("एक ऑर्डर आपके फ़ैसले की प्रतीक्षा में है: {title}।\nमामला: {case}\nऑर्डर: {order}"),
        Text::PayoutAddressAsk { currency, address } => format!("{currency} में आपका जो बकाया है, वह इस पते पर दिया जाएगा:\n{address}\n\nक्या यह सही है? जब तक आप हाँ नहीं कहते, इस पर कुछ नहीं दिया जाता।"),
        Text::PayoutAddressGone { currency, address } => format!("{currency} में जो आपको दिया जाता था, वह अब से इस पते पर दिया जाएगा, और किसी और से पूछा गया है कि यह सही है या नहीं:\n{address}\n\nक्या यह गलत है? तो बताएँ, फिर इस पर कुछ नहीं दिया जाता।"),
        Text::PayoutAddressConfirmed => "धन्यवाद। पता एक दिन पुराना होते ही आपको वहाँ भुगतान किया जाता है।".into(),
        Text::PayoutAddressDenied => "बताने के लिए धन्यवाद। उस पते पर कोई नया भुगतान नहीं जाएगा, और कोई व्यक्ति इसे देखता है।".into(),
        Text::RightsLost { chat, right } => format!("<b>{chat}</b> में मेरे पास एक अधिकार नहीं है: {right}। जब तक वह नहीं मिलता, मेरे द्वारा कोई अंदर नहीं आ सकता। चैट के एडमिन में मुझे वह दें।"),
        Text::RightsBack { chat } => format!("<b>{chat}</b> में मेरे पास सभी ज़रूरी अधिकार हैं।"),
        Text::AddedToChat { chat, id, right } => format!("मुझे <b>{chat}</b> में जोड़ा गया है। उसकी id <code>{id}</code> है: उसमें सीटें बेचने के लिए इसे TELEGRAM_CHAT_ID में डालें।\n\nवहाँ मेरे पास ये अधिकार नहीं हैं: {right}"),
        Text::NeedsRole {
            command,
            role: needed,
        } => format!(
            "{command} के लिए “{}” की भूमिका चाहिए। इस बॉट का कोई एडमिन आपको यह दे सकता है।",
            role(needed)
        ),
        Text::UnknownCommand => "मैं यह कमांड नहीं जानता। मैं क्या कर सकता हूँ, यह /help से देखें।".into(),
        Text::DidYouMean { command } => {
            format!("मैं यह कमांड नहीं जानता। क्या आपका मतलब {command} था?")
        }
        Text::PrivateOnly => "इसका जवाब मैं हमारी प्राइवेट चैट में देता हूँ, जहाँ केवल आप पढ़ सकते हैं।".into(),
    }
}

pub(super) fn label(label: &Label<'_>) -> String {
    match *label {
        Label::OpenChat { chat } => format!("{chat} खोलें"),
        Label::JoinChat => "चैट में शामिल हों".into(),
        Label::OpenPrivate => "प्राइवेट चैट खोलें".into(),
        Label::Pay { price } => format!("{price} चुकाएँ"),
        Label::OrderPage { title } => format!("रसीद: {title}"),
        Label::EndRenewal { title } => format!("अपने आप बढ़ना बंद करें: {title}"),
        Label::EndRenewalYes => "हाँ, बढ़ना बंद करें".into(),
        Label::EndRenewalNot => "चलने दें".into(),
        Label::OtherAccount => "वह मेरा दूसरा अकाउंट है".into(),
        Label::NotMe => "यह मैंने नहीं किया".into(),
        Label::UseLink => "अपने लिए इस्तेमाल करें".into(),
        Label::KeepLink => "किसी और के लिए रखें".into(),
        Label::AnotherAccount => "मेरा दूसरा अकाउंट है".into(),
        Label::AnotherAccountOf { chat } => format!("मेरा दूसरा अकाउंट है: {chat}"),
        Label::LostLink => "मेरा लिंक खो गया".into(),
        Label::Move => "नया लिंक बनाएँ".into(),
        Label::CopyLink => "लिंक कॉपी करें".into(),
        Label::MoveNot => "यहीं रहने दें".into(),
        Label::Export => "मेरे डेटा की कॉपी लें".into(),
        Label::Erase => "मेरा डेटा मिटाएँ".into(),
        Label::EraseYes => "हाँ, मेरा डेटा मिटाएँ".into(),
        Label::EraseNow => "अभी सब कुछ मिटाएँ".into(),
        Label::EraseNot => "मेरा डेटा रहने दें".into(),
        Label::NewsStop => "समाचार और ऑफ़र बंद करें".into(),
        Label::NewsAgain => "समाचार और ऑफ़र फिर से पाएँ".into(),
        Label::PayoutAddressRight => "हाँ, यह सही है".into(),
        Label::PayoutAddressWrong => "नहीं, यह गलत है".into(),
        Label::SendWayIn => "अंदर का रास्ता भेजें".into(),
        Label::EndSeat => "हाँ, सीट समाप्त करें".into(),
    }
}

/// What an empty private chat shows.
pub(super) const DESCRIPTION: &str = "आपने जो प्राइवेट चैट ख़रीदी हैं, मैं उन्हें खोलता हूँ और आपको अंदर ले जाता हूँ। Start दबाएँ या अपना लिंक यहाँ पेस्ट करें। आपके सवालों का जवाब एक व्यक्ति देता है।";

/// What the profile of the bot shows.
pub(super) const SHORT_DESCRIPTION: &str = "आपकी ख़रीदी हुई प्राइवेट चैट में जाने का रास्ता।";

pub(super) const fn role(role: Role) -> &'static str {
    match role {
        Role::Public => "सभी",
        Role::Member => "सदस्य",
        Role::Operator => "ऑपरेटर",
        Role::Admin => "एडमिन",
        Role::Owner => "मालिक",
    }
}

pub(super) const fn summary(command: CommandName) -> &'static str {
    match command {
        CommandName::Start => "शुरू करें या लिंक इस्तेमाल करें",
        CommandName::Access => "आपकी चैट, कब तक, और अंदर का रास्ता",
        CommandName::Shop => "एक्सेस खरीदें",
        CommandName::Orders => "आपके ऑर्डर और रसीदें, अपने आप बढ़ना बंद करें",
        CommandName::Coupon => "कोड इस्तेमाल करें",
        CommandName::Gift => "किसी और के लिए एक्सेस खरीदें",
        CommandName::Support => "किसी व्यक्ति से बात करें",
        CommandName::Help => "मैं आपके लिए क्या कर सकता हूँ",
        CommandName::Language => "अपनी भाषा चुनें",
        CommandName::PaySupport => "भुगतान या रिफ़ंड के बारे में पूछें",
        CommandName::Terms => "बिक्री की शर्तें",
        CommandName::Privacy => "आपका डेटा: क्या रखा जाता है, कॉपी, मिटाना",
        CommandName::Stop => "समाचार और ऑफ़र बंद करें",
        CommandName::Buyer => "एक ख़रीदार के बारे में सब कुछ",
        CommandName::Reply => "तैयार जवाब भेजें",
        CommandName::Note => "इस व्यक्ति के बारे में नोट लिखें",
        CommandName::Delete => "भेजा हुआ संदेश वापस लें",
        CommandName::Close => "यह बातचीत समाप्त करें",
        CommandName::Block => "इस व्यक्ति के संदेश लेना बंद करें",
        CommandName::Unblock => "इस व्यक्ति के संदेश फिर से लें",
        CommandName::Grant => "मुफ़्त एक्सेस दें",
        CommandName::Extend => "एक्सेस की अवधि बढ़ाएँ",
        CommandName::End => "एक्सेस समाप्त करें",
        CommandName::Allow => "किसी को बिना ख़रीद रहने दें",
        CommandName::Doctor => "बॉट, अधिकार और चैट जाँचें",
        CommandName::Pause => "चैट का काम कुछ समय रोकें",
        CommandName::Resume => "रुकी हुई चैट का काम फिर शुरू करें",
        CommandName::Role => "भूमिकाएँ देखें, दें या हटाएँ",
    }
}
