//! Russian.

use super::argument::Date;
use super::sentence::{Label, Text};
use crate::command::{CommandName, Role};

const MONTHS: [&str; 12] = [
    "января",
    "февраля",
    "марта",
    "апреля",
    "мая",
    "июня",
    "июля",
    "августа",
    "сентября",
    "октября",
    "ноября",
    "декабря",
];

pub(super) fn date(at: Date) -> String {
    at.written(&MONTHS, " ")
}

/// A number and the form of its noun: for 1, 21, 31…; for 2 to 4, 22 to 24…; for the others.
fn counted(number: u32, one: &str, few: &str, many: &str) -> String {
    let noun = match (number % 10, number % 100) {
        (_, 11..=14) => many,
        (1, _) => one,
        (2..=4, _) => few,
        _ => many,
    };
    format!("{number} {noun}")
}

/// In the dative, after «доступ к».
fn chats(number: u32) -> String {
    counted(number, "чату", "чатам", "чатам")
}

pub(super) fn text(text: &Text<'_>) -> String {
    match *text {
        Text::Welcome => "Здравствуйте! Я открываю закрытые чаты, доступ к которым вы купили.\n\n\
            <b>Уже купили?</b> Нажмите на свою ссылку ещё раз или вставьте её сюда.\n\n\
            Что ещё я умею, покажет /help."
            .into(),
        Text::WelcomeBack { chats: number } => format!(
            "С возвращением! У вас есть доступ к {}. Войти поможет /access.",
            chats(number)
        ),
        Text::TapLinkAgain => {
            "Ваша ссылка до меня не дошла. Нажмите на неё ещё раз или вставьте её сюда.".into()
        }

        Text::ClaimAccepted { chat } => format!(
            "Готово: у вас есть доступ к <b>{chat}</b>.\n\n\
             Нажмите кнопку ниже и отправьте заявку. Я вас впущу."
        ),
        Text::ClaimFollows { chat } => format!(
            "Готово: у вас есть доступ к <b>{chat}</b>.\n\n\
             Вход ещё готовится. Он придёт сюда сам, делать ничего не нужно."
        ),
        Text::ClaimTaken => "Этой ссылкой уже кто-то воспользовался, поэтому впустить вас по ней я не могу.\n\n\
            Это были вы с другого аккаунта? Или совсем не вы?"
            .into(),
        Text::ClaimTakenOther => format!(
            "Значит, доступ остался у того аккаунта. Переключитесь на него, напишите мне оттуда и отправьте /access. \
             Кнопкой «{}» можно перенести доступ сюда.",
            label(&Label::AnotherAccount)
        ),
        Text::ClaimTakenNotMe => "Спасибо, что сообщили. Мы разберёмся, и вам ответят здесь. \
            Пожалуйста, не платите второй раз."
            .into(),
        Text::LinkTakenOther => "Значит, доступ у того аккаунта: откройте чат в нём. \
            Если он нужен вам здесь, напишите в /support."
            .into(),
        Text::ClaimUnknown => "Я не знаю такой ссылки. Возможно, часть её потерялась: \
            скопируйте её ещё раз и вставьте сюда.\n\n\
            Если и это не поможет, напишите нам: /support."
            .into(),
        Text::ClaimExpired => "Срок этой ссылки истёк. Напишите в /support, когда вы сделали покупку, \
            и мы её найдём."
            .into(),
        Text::ClaimReplaced => "Вместо этой ссылки есть более новая. Воспользуйтесь той, что пришла последней.\n\n\
            Не находите её? Поможет /support."
            .into(),
        Text::ClaimVoided => "Продавец отменил эту ссылку: так бывает после возврата денег.\n\n\
            Если это ошибка, напишите нам: /support."
            .into(),
        Text::ClaimUnpaid => "Этот заказ ещё не оплачен, поэтому впустить вас я пока не могу. \
            Когда платёж дойдёт, нажмите на ссылку ещё раз."
            .into(),
        Text::AlreadyIn { chat } => {
            format!("Вы уже в <b>{chat}</b>. Кнопка ниже откроет его.")
        }
        Text::ClaimAskForever { chat } => format!(
            "У вас уже есть бессрочный доступ к <b>{chat}</b>, и эта ссылка ничего вам не добавит.\n\n\
             Всё равно использовать её или сохранить для другого человека?"
        ),
        Text::ClaimAskGift { chat } => format!(
            "Это подарок: доступ к <b>{chat}</b>. Если вы его примете, передать его другому будет уже нельзя.\n\n\
             Он для вас?"
        ),
        Text::ClaimKept => "Хорошо, ссылка не использована. Передайте её тому, для кого она.".into(),

        Text::MoveAsk { chat } => format!(
            "Доступ к <b>{chat}</b> можно перенести на другой аккаунт. Я сделаю новую ссылку, и вы откроете её там; прежняя ссылка перестанет работать. \
             Как только она сработает, этому аккаунту придётся покинуть чат.\n\n\
             Сделать новую ссылку?"
        ),
        Text::MoveReady { chat, link } => format!(
            "Ваша новая ссылка в <b>{chat}</b>. Откройте её с другого аккаунта и никому больше не показывайте:\n\n\
             <code>{link}</code>\n\n\
             Пока вы ею не воспользуетесь, всё останется как есть."
        ),
        Text::MoveTooOften => "За последнее время этот доступ переносили несколько раз, поэтому сам я больше не могу. \
            Поможет /support."
            .into(),
        Text::LostLink => "Ничего страшного: доступ принадлежит вашему аккаунту, а не ссылке. Его покажет /access.\n\n\
            Если его там нет, напишите в /support, когда вы его купили."
            .into(),

        Text::JoinNotEntitled {
            chat,
            claim,
            minutes,
        } => format!(
            "Вы подали заявку в <b>{chat}</b>, но покупки с этого аккаунта я не вижу.\n\n\
             <b>Уже купили?</b> Откройте {claim} и вставьте там свою ссылку. Заявка подождёт {}, \
             и по ссылке я вас впущу.",
            counted(minutes, "минуту", "минуты", "минут")
        ),
        Text::JoinBuy { shop } => format!("<b>Ещё нет?</b> Купить доступ можно здесь: {shop}"),
        Text::JoinApproved { chat } => format!("Вы внутри. Добро пожаловать в <b>{chat}</b>!"),
        Text::JoinWaiting { chat, place } => format!(
            "Сейчас в <b>{chat}</b> входит много людей. Ваше место в очереди: {place}. \
             Я впущу вас, когда она подойдёт, делать ничего не нужно."
        ),
        Text::JoinTooManyChats { chat } => format!(
            "Telegram говорит, что вы состоите в слишком многих чатах, поэтому впустить вас в <b>{chat}</b> \
             я не могу. Доступ остаётся за вами.\n\n\
             Выйдите из чата, который вам больше не нужен, и нажмите кнопку ещё раз."
        ),
        Text::JoinTapAgain { chat } => format!(
            "Заявка в <b>{chat}</b> пропала раньше, чем я успел ответить. Нажмите кнопку ещё раз."
        ),
        Text::Banned { chat } => format!(
            "Администратор заблокировал вас в <b>{chat}</b>, поэтому впустить вас я не могу. \
             Напишите, пожалуйста, в /support."
        ),

        Text::OrderPaid { title } => format!("Ваш платёж получен: {title}. Спасибо! /access покажет ваш вход."),
        Text::GiftPaid { title, link } => format!("Ваш подарок оплачен: <b>{title}</b>. Спасибо! Передайте эту ссылку тому, для кого он. Доступ получит первый, кто её откроет; тогда и начнётся его время, но не позже чем через 30 дней.\n\n{link}"),
        Text::OrderUnderpaid { title, missing } => format!("Ваш платёж за {title} пришёл не полностью: не хватает {missing}. Доплатите на той же странице, и вы внутри."),
        Text::OrderRefunded { title } => format!("Ваш платёж за {title} вам возвращён. Если это неожиданно: /paysupport"),
        Text::OrderToPay { title } => format!("Ваш заказ: <b>{title}</b>. Кнопка ниже открывает оплату. Оплатить его можно только с этого аккаунта."),
        Text::PayNotYours => {
            "Это заказ другого аккаунта. Отправьте /shop, чтобы сделать свой.".into()
        }
        Text::PayOver => {
            "Этот заказ уже нельзя оплатить. Отправьте /shop, чтобы сделать новый.".into()
        }
        Text::PayUnderWay => "Этот заказ уже оплачивается. Если деньги не списаны, попробуйте снова через пять минут.".into(),
        Text::PaySoldOut => "Все места проданы. Деньги не списаны.".into(),
        Text::PayChanged => {
            "Цена этого заказа другая. Отправьте /shop, чтобы сделать новый.".into()
        }
        Text::PayOwned => {
            "У вас это уже есть, платить не нужно. /access проведёт вас внутрь.".into()
        }
        Text::Shop => "Что здесь можно купить. Нажмите на то, что вам нужно:".into(),
        Text::ShopEmpty => "Сейчас здесь нечего купить.".into(),
        Text::Gift => "Что вы хотите подарить? Вы платите звёздами Stars и получаете ссылку, которую передадите. Нажмите на подарок:".into(),
        Text::CouponShop { code } => format!("С кодом {code} вы заплатите за это меньше. Нажмите на то, что вам нужно:"),
        Text::CouponUnknown => "Сейчас этот код ни к чему не подходит. Возможно, в нём ошибка, или его время прошло.".into(),
        Text::Orders => "Ваши последние заказы:".into(),
        Text::OrdersNone => "Я не знаю заказов этого аккаунта. Что можно купить: /shop".into(),
        Text::RenewalEndAsk { title } => format!("<b>{title}</b>: отменить продление? Доступ останется, пока он оплачен; потом ничего не спишется."),
        Text::RenewalEnding { title } => format!("<b>{title}</b> больше не продлевается. Доступ останется, пока он оплачен."),
        Text::RenewalKept => "Хорошо, всё остаётся как есть.".into(),
        Text::RenewalOver => "Это больше не продлевается или не ваше: ничего не изменено. /orders покажет ваши заказы.".into(),
        Text::ShopChanged => "Это предложение успело измениться. /shop покажет, что есть сейчас.".into(),
        Text::ShopSoldOut => "Все места проданы. /shop покажет, что ещё есть.".into(),
        Text::ShopOwned => "У вас это уже есть. /access проведёт вас внутрь.".into(),
        Text::ShopTooMany => "Несколько ваших заказов ждут оплаты. Оплатите один из них или подождите день, пока они истекут.".into(),
        Text::RenewalFailed { title, page } => format!("Ваш платёж за {title} не прошёл. Исправьте это здесь, и для вас ничего не изменится: {page}"),
        Text::RenewalNeedsAction { title, page } => format!("Ваш банк просит подтвердить платёж за {title}. Это можно сделать здесь: {page}"),
        Text::LinkDelivered { link } => format!("Спасибо за покупку! Вот ваш вход. Он только для вас и сработает один раз:\n\n{link}"),
        Text::LinkWorksUntil { until } => format!("Он действует до {}.", date(until)),
        Text::LinkFollows => "Доступ ваш. Ссылка для входа ещё готовится. Она придёт сюда сама, делать ничего не нужно.".into(),
        Text::LinkFailed => "Доступ ваш, но сделать ссылку для входа не удалось. Это наша неполадка, нам о ней уже сообщили. \
            Когда её устранят, ссылка придёт сюда. Пожалуйста, не платите ещё раз. Если ждать нельзя, напишите в /support."
            .into(),
        Text::LinkInside => "Вы уже в чате: вы вошли по этой ссылке. Если выйдете, напишите мне, и я сделаю другую.".into(),
        Text::LinkUsed => "Доступ ваш, но по вашей ссылке вошёл кто-то другой. Напишите в /support, и мы сделаем другую. \
            Пожалуйста, не платите ещё раз."
            .into(),

        Text::Access => "<b>Ваш доступ</b>".into(),
        Text::AccessUntil { chat, until } => format!("<b>{chat}</b>: до {}", date(until)),
        Text::AccessForever { chat } => format!("<b>{chat}</b>: бессрочно"),
        Text::AccessNothing => "У этого аккаунта нет доступа ни к одному чату.\n\n\
            <b>Уже купили?</b> Нажмите на свою ссылку ещё раз или вставьте её сюда. \
            Если вы покупали с другого аккаунта, отправьте /access оттуда."
            .into(),

        Text::Help => "<b>Чем я могу помочь</b>\n\
            Обо всём остальном просто напишите сюда: вас прочитает человек."
            .into(),
        Text::LanguageList => "Я пишу вам по-русски. Какой язык вам удобнее?".into(),
        Text::LanguageChosen => "Хорошо, теперь я пишу вам по-русски.".into(),
        Text::Terms { page } => format!("Условия здесь: {page}"),
        Text::TermsUnset => "Продавец не опубликовал здесь условий. Спросите в /support, и вам ответит человек.".into(),

        Text::Privacy { days } => format!(
            "<b>Ваши данные</b>\n\n\
             Я храню ваш идентификатор в Telegram, имя и язык, ваши покупки и то, что вы мне пишете. \
             Это нужно, чтобы впускать вас и помогать вам. О чём говорят в группах, я не храню. \
             Если вы ничего не покупали, я забуду вас через {} после вашего последнего сообщения.\n\n\
             Вы можете получить копию или всё удалить.",
            counted(days, "день", "дня", "дней")
        ),
        Text::PrivacyPolicy { page } => format!("Полный текст политики здесь: {page}"),
        Text::ExportStarted => "Я собираю ваши данные. Они придут сюда, как только будут готовы.".into(),
        Text::ExportReady { link, until } => format!(
            "Ваши данные готовы: {link}\n\n\
             Ссылка работает до {}. Пожалуйста, никому её не передавайте.",
            date(until)
        ),
        Text::EraseAsk => "Я удалю всё, что знаю о вас. В бухгалтерии останутся только суммы платежей, без вашего имени.\n\n\
            Удалить ваши данные?"
            .into(),
        Text::EraseAskSeats { chats: number } => format!(
            "У вас есть доступ к {}. Если я удалю ваши данные, <b>он сразу закончится</b>: \
             вам придётся выйти, подписки будут отменены, и вернуть это будет нельзя. \
             В бухгалтерии останутся только суммы платежей, без вашего имени.\n\n\
             Удалить ваши данные?",
            chats(number)
        ),
        Text::EraseAskAgain => "Уточню: отменить это будет нельзя. Удалить всё сейчас?".into(),
        Text::EraseStarted => "Я удаляю ваши данные. Это займёт несколько минут, и я напишу, когда закончу.".into(),
        Text::EraseDone => "Ваши данные удалены. Всего вам доброго!".into(),
        Text::EraseReceipt { items, logs, queues, backups } => format!(
            "О вас нашлось: {}. Это удалено или больше не указывает на вас. Что нельзя удалить по отдельности, исчезнет само: \
             очереди до {}, журналы до {}, резервные копии до {}.",
            counted(items, "запись", "записи", "записей"),
            date(queues),
            date(logs),
            date(backups)
        ),
        Text::EraseKept => "Ничего не удалено. Всё осталось как было.".into(),

        Text::PaySupport => "<b>Вопрос о платеже?</b> Напишите его здесь: что вы купили, когда и что пошло не так. \
            Вам ответит человек, в том числе о возврате денег.\n\n\
            Пожалуйста, пишите нам, а не в Telegram: его поддержка с этой покупкой помочь не может."
            .into(),
        Text::Stopped => "Хорошо, новостей и предложений больше не будет. \
            О вашем доступе и ваших платежах я по-прежнему буду писать."
            .into(),
        Text::StopUndone => "Хорошо, новости и предложения снова будут приходить. Отключить их всегда можно: /stop.".into(),
        Text::Support => "Просто напишите свой вопрос сюда. Его прочитает человек и ответит вам в этом чате.".into(),
        Text::SupportArrived => "Ваше сообщение дошло. Вам ответят здесь.".into(),
        Text::SupportArrivedLater { from } => format!(
            "Ваше сообщение дошло. Мы снова на связи с {} и тогда ответим.",
            date(from)
        ),

        Text::SupportElsewhere { contact } => format!(
            "То, что пишут здесь, никто не читает. Человек ответит вам там: {contact}"
        ),
        Text::SupportNone => "То, что пишут здесь, никто не читает. Обратитесь, пожалуйста, туда, где вы купили доступ.".into(),
        Text::NotPassedOn => "Я не смог передать это сообщение: Telegram не даёт мне его скопировать. \
            Напишите, пожалуйста, текстом или отправьте по-другому."
            .into(),

        Text::NotDelivered => "Не доставлено: Telegram отклонил это сообщение.".into(),
        Text::NotDeliveredBlocked => "Не доставлено: человек заблокировал бота, или его аккаунта больше нет.".into(),
        Text::NotDeliveredNotStarted => "Не доставлено: человек ещё не запустил бота.".into(),
        Text::NotDeliveredKind => "Не сделано: Telegram не даёт мне сделать это с этим сообщением.".into(),
        Text::JoinedWords { messages, minutes: number } => format!(
            "Сообщений: {messages}, опоздание: {number} мин."
        ),
        Text::TopicHead { person, language } => format!("<b>{person}</b>\nЯзык: {language}"),
        Text::TopicNoSeat => "Мест в чатах нет.".into(),
        Text::TopicSent => "Отправлено человеку:".into(),
        Text::TopicSentBy { actor } => format!("Отправил {actor}:"),
        Text::TopicUnknownCommand => "Я не знаю такой команды. Человеку ничего не отправлено.".into(),
        Text::TopicShared => "В этой теме пишут несколько человек. Ответьте на одно из их сообщений, чтобы я знал, для кого это. \
            Ничего не отправлено."
            .into(),
        Text::TopicConflict { request } => format!("Этот человек говорит, что доступ, за который он заплатил, занял кто-то другой. Посмотрите заявку {request} и спросите её магазин."),
        Text::TopicDelete => "Отправьте /delete в ответ на сообщение, которое я должен убрать.".into(),
        Text::TopicBlocked => "Я больше не принимаю сообщения от этого человека. Его места остаются. /unblock отменяет это.".into(),
        Text::TopicUnblocked => "Я снова принимаю сообщения от этого человека.".into(),
        Text::TopicNoReply { name } => format!(
            "Готового ответа «{name}» нет. Ответьте на сообщение командой <code>/reply = {name}</code>, и оно им станет."
        ),
        Text::TopicReplyKept { name } => format!(
            "Теперь это сообщение — готовый ответ «{name}». <code>/reply {name}</code> отправляет его."
        ),

        Text::TooManyCommands { command } => format!(
            "Для меня это слишком быстро: команду {command} я не принял. Отправьте её ещё раз через минуту."
        ),
        Text::TooManyMessages => "Для меня это слишком быстро: последнее сообщение я не передал. \
            Отправьте его ещё раз через минуту."
            .into(),
        Text::RoleHowTo => "Напишите id человека и роль: <code>/role 123456789 operator</code>. Роли: operator, admin, а public снимает роль.".into(),
        Text::RoleTooHigh => "Вы можете давать и снимать только роли ниже вашей, а владельца здесь изменить нельзя.".into(),
        Text::RoleGiven { person, role: given } => format!("У {person} теперь роль «{}».", role(given)),
        Text::NotHere { command } => format!("Здесь я не выполняю {command}. Что я делаю в этом чате, покажет /help."),
        Text::HowTo { example } => format!("Напишите, пожалуйста, так: {example}"),
        Text::NobodyFound => "По этому я никого и ничего не нашёл. Я ищу по id в Telegram, @имени, id запроса или транзакции.".into(),
        Text::SeveralFound => "Таких людей несколько. Выберите одного по id:".into(),
        Text::PersonLine { person, id } => format!("Человек: {person}, id {id}"),
        Text::PersonReachable => "Я могу писать этому человеку.".into(),
        Text::PersonBlockedBot => "Этот человек заблокировал меня, писать ему я не могу.".into(),
        Text::PersonSilent => "Этот человек мне никогда не писал, поэтому писать ему я не могу.".into(),
        Text::PersonNoSeat => "У этого человека нет места.".into(),
        Text::SeatEnded { chat } => format!("<b>{chat}</b>: закончился"),
        Text::PersonIn => "Состоит в чате.".into(),
        Text::PersonOut => "Не состоит в чате.".into(),
        Text::PersonBanned => "Администратор забанил этого человека вручную.".into(),
        Text::PersonAtDoor => "Просит впустить и ждёт.".into(),
        Text::RequestLine { id, transaction, status, at } => format!("Запрос {id}, транзакция {transaction}, от {d}: {status}", d = date(at)),
        Text::RequestUnclaimed => "Его ещё никто не использовал.".into(),
        Text::RequestJoined { at } => format!("Вход: {d}.", d = date(at)),
        Text::RequestVoided { at } => format!("Отменён: {d}.", d = date(at)),
        Text::MessageLine { at, state } => format!("Моё сообщение от {d}: {state}", d = date(at)),
        Text::WaySent => "Хорошо, я отправляю этому человеку вход.".into(),
        Text::WayNotSent => "Я ничего не отправил: у этого человека сейчас нет доступа, или я не могу ему писать.".into(),
        Text::ChatUnknown { known } => format!("Назовите один из наших чатов по id. Вот они: {known}"),
        Text::GrantNotHere { chat } => format!("В <b>{chat}</b> нет личных ссылок, поэтому дать там место я не могу."),
        Text::GrantForever { chat, link } => format!("Бесплатное место в <b>{chat}</b>, бессрочно. Передайте эту ссылку: место получит тот, кто первым её откроет.\n\n<code>{link}</code>"),
        Text::GrantUntil { chat, link, until } => format!("Бесплатное место в <b>{chat}</b>, до {d}. Передайте эту ссылку: место получит тот, кто первым её откроет.\n\n<code>{link}</code>", d = date(until)),
        Text::GrantInPrivate { chat } => format!("Бесплатное место в <b>{chat}</b>: ссылка отправлена вам в личный чат, потому что место получит тот, кто её откроет."),
        Text::GrantStartFirst => "Ничего не выдано: ссылку на место я отправляю в личный чат, а писать вам пока не могу. Запустите меня там и повторите.".into(),
        Text::EndAsk { person, chat } => format!("Прекратить доступ {person} к <b>{chat}</b>? Всё, что впускает туда этого человека, закончится сразу. Из чата никто не удаляется, и деньги не возвращаются."),
        Text::ChangedMeanwhile => "За это время всё изменилось, поэтому я ничего не сделал. Посмотрите ещё раз.".into(),
        Text::SeatRefused { reason } => format!("С этим местом так нельзя: {reason}"),
        Text::ChatPaused { chat, reason } => format!("Работа с <b>{chat}</b> приостановлена: {reason}. До её возобновления я там ничего не создаю и никого не впускаю."),
        Text::PauseEnds { until } => format!("Пауза закончится сама: {d}.", d = date(until)),
        Text::ChatResumed { chat } => format!("Работа с <b>{chat}</b> продолжается."),
        Text::ChatReady { chat } => format!("<b>{chat}</b>: всё в порядке."),
        Text::ChatNoDoor { chat } => format!("<b>{chat}</b>: нет ссылки для заявок, поэтому никто не войдёт. Запустите setup ещё раз."),
        Text::ChatBroken { chat } => format!("<b>{chat}</b>: мои вызовы там не проходят. Проверьте мои права в чате."),
        Text::ChatWaiting { chat, number } => format!("<b>{chat}</b>: ждёт выполнения: {number}"),
        Text::UpdatesParked { number } => format!("Сообщения и нажатия, которые я не смог обработать и которые ждут оператора: {number}"),
        Text::Sold { title, amount } => format!("Продано: {title}, за {amount}."),
        Text::CaseOpened { title, case, order } => format!("Заказ ждёт вашего решения: {title}.\nСлучай: {case}\nЗаказ: {order}"),
        Text::PayoutAddressAsk { currency, address } => format!("То, что вам причитается в {currency}, будет выплачено на этот адрес:\n{address}\n\nОн верный? Пока вы этого не скажете, на него ничего не выплачивается."),
        Text::PayoutAddressGone { currency, address } => format!("То, что выплачивалось вам в {currency}, теперь будет выплачиваться на этот адрес, и другого человека спрашивают, верный ли он:\n{address}\n\nЭто ошибка? Тогда скажите, и на него ничего не будет выплачено."),
        Text::PayoutAddressConfirmed => "Спасибо. Вам платят туда, как только адресу исполнится день.".into(),
        Text::PayoutAddressDenied => "Спасибо, что сообщили. Новых выплат на этот адрес не будет, и человек с этим разберётся.".into(),
        Text::RightsLost { chat, right } => format!("Мне не хватает права в <b>{chat}</b>: {right}. Пока его нет, никто не войдёт через меня. Дайте его мне среди администраторов чата."),
        Text::RightsBack { chat } => format!("У меня есть все нужные права в <b>{chat}</b>."),
        Text::AddedToChat { chat, id, right } => format!("Меня добавили в <b>{chat}</b>. Его id: <code>{id}</code>. Впишите его в TELEGRAM_CHAT_ID, чтобы продавать в нём места.\n\nПрава, которых мне там не хватает: {right}"),
        Text::NeedsRole { command, role: needed } => format!(
            "Для {command} нужна роль «{}». Её может дать администратор этого бота.",
            role(needed)
        ),
        Text::UnknownCommand => "Я не знаю такой команды. Что я умею, покажет /help.".into(),
        Text::DidYouMean { command } => {
            format!("Я не знаю такой команды. Может быть, {command}?")
        }
        Text::PrivateOnly => "На это я отвечу в личном чате, где прочитать сможете только вы.".into(),
    }
}

pub(super) fn label(label: &Label<'_>) -> String {
    match *label {
        Label::OpenChat { chat } => format!("Открыть {chat}"),
        Label::JoinChat => "Войти в чат".into(),
        Label::OpenPrivate => "Открыть личный чат".into(),
        Label::Pay { price } => format!("Оплатить {price}"),
        Label::OrderPage { title } => format!("Чек: {title}"),
        Label::EndRenewal { title } => format!("Отменить продление: {title}"),
        Label::EndRenewalYes => "Да, отменить продление".into(),
        Label::EndRenewalNot => "Оставить как есть".into(),
        Label::OtherAccount => "Это мой другой аккаунт".into(),
        Label::NotMe => "Это не я".into(),
        Label::UseLink => "Использовать для себя".into(),
        Label::KeepLink => "Сохранить для другого".into(),
        Label::AnotherAccount => "У меня другой аккаунт".into(),
        Label::AnotherAccountOf { chat } => format!("У меня другой аккаунт: {chat}"),
        Label::LostLink => "Моя ссылка потерялась".into(),
        Label::Move => "Сделать новую ссылку".into(),
        Label::CopyLink => "Скопировать ссылку".into(),
        Label::MoveNot => "Оставить здесь".into(),
        Label::Export => "Получить копию моих данных".into(),
        Label::Erase => "Удалить мои данные".into(),
        Label::EraseYes => "Да, удалить мои данные".into(),
        Label::EraseNow => "Удалить всё сейчас".into(),
        Label::EraseNot => "Сохранить мои данные".into(),
        Label::NewsStop => "Больше не присылать новости".into(),
        Label::NewsAgain => "Снова получать новости".into(),
        Label::PayoutAddressRight => "Да, он верный".into(),
        Label::PayoutAddressWrong => "Нет, он неверный".into(),
        Label::SendWayIn => "Отправить вход".into(),
        Label::EndSeat => "Да, прекратить доступ".into(),
    }
}

/// What an empty private chat shows.
pub(super) const DESCRIPTION: &str = "Я открываю закрытые чаты, доступ к которым вы купили, и впускаю вас. Нажмите «Старт» или вставьте свою ссылку. На вопросы ответит человек.";

/// What the profile of the bot shows.
pub(super) const SHORT_DESCRIPTION: &str = "Вход в закрытые чаты, доступ к которым вы купили.";

pub(super) const fn role(role: Role) -> &'static str {
    match role {
        Role::Public => "все",
        Role::Member => "участник",
        Role::Operator => "оператор",
        Role::Admin => "администратор",
        Role::Owner => "владелец",
    }
}

pub(super) const fn summary(command: CommandName) -> &'static str {
    match command {
        CommandName::Start => "Начать или использовать ссылку",
        CommandName::Access => "Ваши чаты, до какого срока и вход",
        CommandName::Shop => "Купить доступ",
        CommandName::Orders => "Ваши заказы и чеки, отмена продления",
        CommandName::Coupon => "Ввести код",
        CommandName::Gift => "Купить доступ в подарок",
        CommandName::Support => "Написать в поддержку",
        CommandName::Help => "Чем я могу помочь",
        CommandName::Language => "Выбрать язык",
        CommandName::PaySupport => "Вопрос о платеже или возврате",
        CommandName::Terms => "Условия продажи",
        CommandName::Privacy => "Ваши данные: что хранится, копия, удаление",
        CommandName::Stop => "Не получать новости и предложения",
        CommandName::Buyer => "Всё об одном покупателе",
        CommandName::Reply => "Отправить готовый ответ",
        CommandName::Note => "Записать заметку об этом человеке",
        CommandName::Delete => "Убрать отправленное сообщение",
        CommandName::Close => "Завершить разговор",
        CommandName::Block => "Больше не принимать сообщения этого человека",
        CommandName::Unblock => "Снова принимать сообщения этого человека",
        CommandName::Grant => "Дать бесплатный доступ",
        CommandName::Extend => "Продлить доступ",
        CommandName::End => "Прекратить доступ",
        CommandName::Allow => "Разрешить остаться без покупки",
        CommandName::Doctor => "Проверить ботов, права и чаты",
        CommandName::Pause => "Приостановить работу с чатом",
        CommandName::Resume => "Возобновить работу с чатом",
        CommandName::Role => "Показать, дать или снять роли",
    }
}
