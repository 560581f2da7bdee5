//! Spanish.

use super::argument::Date;
use super::plural;
use super::sentence::{Label, Text};
use crate::command::{CommandName, Role};

const MONTHS: [&str; 12] = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
];

pub(super) fn date(at: Date) -> String {
    at.written(&MONTHS, " de ")
}

fn chats(number: u32) -> String {
    format!("{number} {}", plural(number, "chat", "chats"))
}

fn minutes(number: u32) -> String {
    format!("{number} {}", plural(number, "minuto", "minutos"))
}

fn days(number: u32) -> String {
    format!("{number} {}", plural(number, "día", "días"))
}

pub(super) fn text(text: &Text<'_>) -> String {
    match *text {
        Text::Welcome => "¡Hola! Qué gusto verte. Abro los chats privados que has comprado.\n\n\
            <b>¿Ya compraste?</b> Toca otra vez tu enlace o pégalo aquí.\n\n\
            Con /help ves qué más puedo hacer."
            .into(),
        Text::WelcomeBack { chats: number } => format!(
            "¡Qué bien verte de nuevo! Tienes acceso a {}. Con /access entras.",
            chats(number)
        ),
        Text::TapLinkAgain => "No me llegó tu enlace. Tócalo otra vez o pégalo aquí.".into(),

        Text::ClaimAccepted { chat } => format!(
            "Ya es tuyo: tienes acceso a <b>{chat}</b>.\n\n\
             Toca el botón de abajo y pide entrar. Yo te abro."
        ),
        Text::ClaimFollows { chat } => format!(
            "Ya es tuyo: tienes acceso a <b>{chat}</b>.\n\n\
             Tu entrada todavía se está preparando. Llegará aquí sola, no tienes que hacer nada."
        ),
        Text::ClaimTaken => "Alguien ya usó este enlace, así que no puedo dejarte entrar con él.\n\n\
            ¿Fuiste tú con otra cuenta? ¿O no fuiste tú?"
            .into(),
        Text::ClaimTakenOther => format!(
            "Entonces tu acceso está en esa cuenta. Cámbiate a ella, escríbeme desde allí y envía /access. \
             Con «{}» puedes traer tu acceso a esta cuenta.",
            label(&Label::AnotherAccount)
        ),
        Text::ClaimTakenNotMe => "Gracias por avisarnos. Una persona lo revisará y te responderá aquí. \
            Por favor, no pagues otra vez."
            .into(),
        Text::LinkTakenOther => "Entonces tu acceso está en esa cuenta: abre el chat allí. \
            Si lo necesitas aquí, dínoslo con /support."
            .into(),
        Text::ClaimUnknown => "No conozco este enlace. Quizá le falta una parte: \
            cópialo otra vez y pégalo aquí.\n\n\
            Si sigue sin funcionar, cuéntanoslo con /support."
            .into(),
        Text::ClaimExpired => "Este enlace ha caducado. Dinos con /support cuándo lo compraste \
            y buscaremos tu compra."
            .into(),
        Text::ClaimReplaced => "Hay un enlace más nuevo en lugar de este. Usa el último que recibiste.\n\n\
            ¿No lo encuentras? Con /support te ayudamos."
            .into(),
        Text::ClaimVoided => "El vendedor anuló este enlace, como ocurre tras un reembolso.\n\n\
            Si es un error, cuéntanoslo con /support."
            .into(),
        Text::ClaimUnpaid => "Este pedido aún no está pagado, así que no puedo dejarte entrar. \
            Cuando llegue el pago, toca otra vez el enlace."
            .into(),
        Text::AlreadyIn { chat } => {
            format!("Ya estás en <b>{chat}</b>. El botón de abajo lo abre.")
        }
        Text::ClaimAskForever { chat } => format!(
            "Ya tienes acceso a <b>{chat}</b> para siempre, así que este enlace no te añadiría nada.\n\n\
             ¿Lo usas de todos modos o lo guardas para otra persona?"
        ),
        Text::ClaimAskGift { chat } => format!(
            "Esto es un regalo: acceso a <b>{chat}</b>. Si lo usas, ya no se podrá dar a nadie más.\n\n\
             ¿Es para ti?"
        ),
        Text::ClaimKept => "De acuerdo, no se usó nada. Pasa el enlace a la persona para quien es.".into(),

        Text::MoveAsk { chat } => format!(
            "Puedes llevar tu acceso a <b>{chat}</b> a otra cuenta. Yo hago un enlace nuevo y tú lo abres allí; el enlace que tenías deja de servir. \
             En cuanto se use, esta cuenta tendrá que salir del chat.\n\n\
             ¿Hago el enlace nuevo?"
        ),
        Text::MoveReady { chat, link } => format!(
            "Tu enlace nuevo a <b>{chat}</b>. Ábrelo con tu otra cuenta y no se lo enseñes a nadie más:\n\n\
             <code>{link}</code>\n\n\
             Hasta que lo uses, todo sigue igual."
        ),
        Text::MoveTooOften => "Este acceso cambió de cuenta varias veces hace poco, así que no puedo moverlo otra vez \
            por mi cuenta. Con /support te ayudamos."
            .into(),
        Text::LostLink => "No pasa nada: tu acceso es de tu cuenta, no del enlace. Lo ves con /access.\n\n\
            Si no está ahí, dinos con /support cuándo lo compraste."
            .into(),

        Text::JoinNotEntitled {
            chat,
            claim,
            minutes: number,
        } => format!(
            "Pediste entrar en <b>{chat}</b>, pero no veo ninguna compra de esta cuenta.\n\n\
             <b>¿Ya compraste?</b> Abre {claim} y pega allí tu enlace. Tu solicitud espera {}, \
             y con tu enlace te dejo entrar.",
            minutes(number)
        ),
        Text::JoinBuy { shop } => format!("<b>¿Todavía no?</b> Puedes comprar el acceso aquí: {shop}"),
        Text::JoinApproved { chat } => format!("Ya estás dentro. ¡Te damos la bienvenida a <b>{chat}</b>!"),
        Text::JoinWaiting { chat, place } => format!(
            "Mucha gente está entrando en <b>{chat}</b>. Tu lugar en la cola: {place}. \
             Te dejo entrar cuando te toque, no tienes que hacer nada."
        ),
        Text::JoinTooManyChats { chat } => format!(
            "Telegram dice que estás en demasiados chats, así que no puedo dejarte entrar en <b>{chat}</b>. \
             Tu acceso sigue siendo tuyo.\n\n\
             Sal de un chat que ya no necesites y toca otra vez el botón."
        ),
        Text::JoinTapAgain { chat } => format!(
            "Tu solicitud para entrar en <b>{chat}</b> desapareció antes de que pudiera responder. \
             Toca otra vez el botón, por favor."
        ),
        Text::Banned { chat } => format!(
            "Un administrador te expulsó de <b>{chat}</b>, así que no puedo dejarte entrar. \
             Pregunta con /support, por favor."
        ),

        Text::OrderPaid { title } => format!("Tu pago ha llegado: {title}. ¡Gracias! /access te muestra tu entrada."),
        Text::GiftPaid { title, link } => format!("Tu regalo está pagado: <b>{title}</b>. ¡Gracias! Pasa este enlace a la persona para quien es. La primera que lo abra tendrá el acceso; su tiempo empieza entonces, y a más tardar en 30 días.\n\n{link}"),
        Text::OrderUnderpaid { title, missing } => format!("Tu pago de {title} no ha llegado completo: falta {missing}. Paga el resto en la misma página y ya estarás dentro."),
        Text::OrderRefunded { title } => format!("Se te ha devuelto el pago de {title}. Si no te lo esperabas: /paysupport"),
        Text::OrderToPay { title } => format!("Tu pedido: <b>{title}</b>. El botón de abajo abre el pago. Solo esta cuenta puede pagarlo."),
        Text::PayNotYours => {
            "Este pedido es de otra cuenta. Envía /shop para hacer el tuyo.".into()
        }
        Text::PayOver => "Este pedido ya no se puede pagar. Envía /shop para hacer otro.".into(),
        Text::PayUnderWay => "Este pedido ya se está pagando. Si no se ha cobrado nada, inténtalo de nuevo en cinco minutos.".into(),
        Text::PaySoldOut => "Todas las plazas están vendidas. No se ha cobrado nada.".into(),
        Text::PayChanged => {
            "El precio de este pedido es otro. Envía /shop para hacer uno nuevo.".into()
        }
        Text::PayOwned => {
            "Ya lo tienes, así que no hay nada que pagar. /access te lleva dentro.".into()
        }
        Text::Shop => "Lo que puedes comprar aquí. Toca lo que quieras:".into(),
        Text::ShopEmpty => "Ahora mismo no hay nada que comprar aquí.".into(),
        Text::Gift => "¿Qué te gustaría regalar? Pagas en Stars y recibes un enlace para pasar. Tócalo:".into(),
        Text::CouponShop { code } => format!("Con el código {code} pagas menos por esto. Toca lo que quieras:"),
        Text::CouponUnknown => "Nada de lo que vendo acepta ahora este código. Quizá haya una letra mal, o ya pasó su tiempo.".into(),
        Text::Orders => "Tus pedidos más recientes:".into(),
        Text::OrdersNone => "No conozco ningún pedido de esta cuenta. Lo que se puede comprar: /shop".into(),
        Text::RenewalEndAsk { title } => format!("<b>{title}</b>: ¿terminar la renovación? Conservas tu acceso mientras esté pagado; después no se cobra nada."),
        Text::RenewalEnding { title } => format!("<b>{title}</b> ya no se renueva. Conservas tu acceso mientras esté pagado."),
        Text::RenewalKept => "De acuerdo, sigue como estaba.".into(),
        Text::RenewalOver => "Esto ya no se renueva o no es tuyo: no se cambió nada. /orders te muestra tus pedidos.".into(),
        Text::ShopChanged => "Esta oferta ha cambiado mientras tanto. /shop te muestra lo que hay ahora.".into(),
        Text::ShopSoldOut => "Todas las plazas están vendidas. /shop te muestra qué más hay.".into(),
        Text::ShopOwned => "Esto ya lo tienes. /access te lleva dentro.".into(),
        Text::ShopTooMany => "Varios de tus pedidos esperan el pago. Paga uno de ellos o espera un día a que terminen.".into(),
        Text::RenewalFailed { title, page } => format!("Tu pago de {title} ha fallado. Arréglalo aquí y nada cambiará para ti: {page}"),
        Text::RenewalNeedsAction { title, page } => format!("Tu banco te pide que confirmes el pago de {title}. Puedes hacerlo aquí: {page}"),
        Text::LinkDelivered { link } => format!("¡Gracias por tu compra! Aquí tienes tu entrada. Es solo para ti y sirve una vez:\n\n{link}"),
        Text::LinkWorksUntil { until } => format!("Sirve hasta el {}.", date(until)),
        Text::LinkFollows => "Es tuyo. Tu entrada se está preparando. Llegará aquí sola, no tienes que hacer nada.".into(),
        Text::LinkFailed => "Es tuyo, pero tu entrada no se pudo preparar. El fallo es nuestro y ya estamos avisados. \
            Cuando se arregle, tu entrada llegará aquí. Por favor, no pagues otra vez. Si no puedes esperar, dínoslo con /support."
            .into(),
        Text::LinkInside => "Ya estás en el chat: entraste con este enlace. Si sales, escríbeme y te hago otro.".into(),
        Text::LinkUsed => "Es tuyo, pero otra persona entró con tu enlace. Dínoslo con /support para que te hagamos otro. \
            Por favor, no pagues otra vez."
            .into(),

        Text::Access => "<b>Tu acceso</b>".into(),
        Text::AccessUntil { chat, until } => format!("<b>{chat}</b>: hasta el {}", date(until)),
        Text::AccessForever { chat } => format!("<b>{chat}</b>: para siempre"),
        Text::AccessNothing => "Esta cuenta no tiene acceso a ningún chat.\n\n\
            <b>¿Ya compraste?</b> Toca otra vez tu enlace o pégalo aquí. \
            Si compraste con otra cuenta, envía /access desde ella."
            .into(),

        Text::Help => "<b>Qué puedo hacer por ti</b>\n\
            Para todo lo demás, escribe aquí: te lee una persona."
            .into(),
        Text::LanguageList => "Te escribo en español. ¿Qué idioma prefieres?".into(),
        Text::LanguageChosen => "De acuerdo, desde ahora te escribo en español.".into(),
        Text::Terms { page } => format!("Las condiciones están aquí: {page}"),
        Text::TermsUnset => "El vendedor no ha publicado condiciones aquí. Pregunta con /support y te responderá una persona.".into(),

        Text::Privacy { days: number } => format!(
            "<b>Tus datos</b>\n\n\
             Guardo tu identificador de Telegram, tu nombre y tu idioma, lo que compraste y lo que me escribes. \
             Sirve para dejarte entrar y ayudarte. No guardo nada de lo que se dice en los grupos. \
             Si no has comprado nada, te olvido {} después de tu último mensaje.\n\n\
             Puedes recibir una copia o borrarlo todo.",
            days(number)
        ),
        Text::PrivacyPolicy { page } => format!("La política completa está aquí: {page}"),
        Text::ExportStarted => "Estoy reuniendo tus datos. Te llegarán aquí en cuanto estén listos.".into(),
        Text::ExportReady { link, until } => format!(
            "Tus datos están listos: {link}\n\n\
             El enlace funciona hasta el {}. Por favor, no lo compartas.",
            date(until)
        ),
        Text::EraseAsk => "Borro todo lo que sé de ti. En la contabilidad solo quedan los importes de los pagos, \
            sin tu nombre.\n\n\
            ¿Borro tus datos?"
            .into(),
        Text::EraseAskSeats { chats: number } => format!(
            "Tienes acceso a {}. Si borro tus datos, <b>ese acceso termina en el acto</b>: \
             tendrás que salir, las suscripciones se cancelan y nada lo devuelve. \
             En la contabilidad solo quedan los importes de los pagos, sin tu nombre.\n\n\
             ¿Borro tus datos?",
            chats(number)
        ),
        Text::EraseAskAgain => "Para estar seguros: esto no se puede deshacer. ¿Borro todo ahora?".into(),
        Text::EraseStarted => "Estoy borrando tus datos. Tarda unos minutos y te aviso cuando termine.".into(),
        Text::EraseDone => "Tus datos están borrados. ¡Que te vaya muy bien!".into(),
        Text::EraseReceipt { items, logs, queues, backups } => format!(
            "Encontré {items} {} sobre ti: se borraron o ya no te nombran. Lo que no se puede borrar por separado desaparece solo: \
             las colas hasta el {}, los registros hasta el {}, las copias de seguridad hasta el {}.",
            plural(items, "entrada", "entradas"),
            date(queues),
            date(logs),
            date(backups)
        ),
        Text::EraseKept => "No se borró nada. Todo sigue como estaba.".into(),

        Text::PaySupport => "<b>¿Una pregunta sobre un pago?</b> Escríbela aquí: qué compraste, cuándo y qué salió mal. \
            Te responderá una persona, también sobre reembolsos.\n\n\
            Por favor, escríbenos a nosotros y no a Telegram: su soporte no puede ayudarte con esta compra."
            .into(),
        Text::Stopped => "De acuerdo, no te envío más novedades ni ofertas. \
            Lo que se refiere a tu acceso y a tus pagos sí te seguirá llegando."
            .into(),
        Text::StopUndone => "De acuerdo, vuelves a recibir novedades y ofertas. Con /stop las paras cuando quieras.".into(),
        Text::Support => "Escribe aquí tu pregunta. La leerá una persona y te responderá en este chat.".into(),
        Text::SupportArrived => "Tu mensaje llegó. Una persona te responderá aquí.".into(),
        Text::SupportArrivedLater { from } => format!(
            "Tu mensaje llegó. Volvemos a estar aquí a partir del {} y te responderemos.",
            date(from)
        ),

        Text::SupportElsewhere { contact } => format!(
            "Nadie lee lo que se escribe aquí. Aquí encuentras a una persona: {contact}"
        ),
        Text::SupportNone => "Nadie lee lo que se escribe aquí. Por favor, escribe al lugar donde compraste.".into(),
        Text::NotPassedOn => "No he podido pasar este mensaje: Telegram no me deja copiarlo. \
            Por favor, escríbelo como texto o envíalo de otra manera."
            .into(),

        Text::NotDelivered => "No entregado: Telegram ha rechazado este mensaje.".into(),
        Text::NotDeliveredBlocked => "No entregado: esta persona ha bloqueado el bot, o su cuenta ya no existe.".into(),
        Text::NotDeliveredNotStarted => "No entregado: esta persona todavía no ha iniciado el bot.".into(),
        Text::NotDeliveredKind => "No hecho: Telegram no me deja hacer esto con este mensaje.".into(),
        Text::JoinedWords { messages, minutes: number } => format!(
            "{messages} {}, con {} de retraso",
            plural(messages, "mensaje", "mensajes"),
            minutes(number)
        ),
        Text::TopicHead { person, language } => format!("<b>{person}</b>\nIdioma: {language}"),
        Text::TopicNoSeat => "Sin plaza en ningún chat.".into(),
        Text::TopicSent => "Enviado a la persona:".into(),
        Text::TopicSentBy { actor } => format!("Enviado por {actor}:"),
        Text::TopicUnknownCommand => "No conozco este comando. No se ha enviado nada a la persona.".into(),
        Text::TopicShared => "En este tema escriben varias personas. Responde a uno de sus mensajes para que sepa para quién es. \
            No se ha enviado nada."
            .into(),
        Text::TopicConflict { request } => format!("Esta persona dice que otra ha usado el acceso que ella pagó. Mira la solicitud {request} y pregunta a su tienda."),
        Text::TopicDelete => "Envía /delete como respuesta al mensaje que debo retirar.".into(),
        Text::TopicBlocked => "Ya no acepto mensajes de esta persona. Sus plazas siguen. /unblock lo deshace.".into(),
        Text::TopicUnblocked => "Vuelvo a aceptar mensajes de esta persona.".into(),
        Text::TopicNoReply { name } => format!(
            "No hay ninguna respuesta preparada «{name}». Responde a un mensaje con <code>/reply = {name}</code> y lo será."
        ),
        Text::TopicReplyKept { name } => format!(
            "Este mensaje es desde ahora la respuesta preparada «{name}». <code>/reply {name}</code> la envía."
        ),

        Text::TooManyCommands { command } => format!(
            "Eso fue un poco rápido para mí: no atendí {command}. Envíalo otra vez dentro de un minuto, por favor."
        ),
        Text::TooManyMessages => "Eso fue un poco rápido para mí: no pasé tu último mensaje. \
            Envíalo otra vez dentro de un minuto, por favor."
            .into(),
        Text::RoleHowTo => "Escribe el id de la persona y el rol: <code>/role 123456789 operator</code>. Roles: operator, admin, y public para quitarlo.".into(),
        Text::RoleTooHigh => "Solo puedes dar y quitar roles por debajo del tuyo, y nadie puede cambiar aquí a un propietario.".into(),
        Text::RoleGiven { person, role: given } => format!("{person} tiene ahora el rol “{}”.", role(given)),
        Text::NotHere { command } => format!("Aquí no acepto {command}. Con /help ves lo que hago en este chat."),
        Text::HowTo { example } => format!("Escríbelo así, por favor: {example}"),
        Text::NobodyFound => "Con eso no encuentro a nadie ni nada. Busco por id de Telegram, @nombre, id de una solicitud o transacción.".into(),
        Text::SeveralFound => "Hay varias personas. Elige una por el id:".into(),
        Text::PersonLine { person, id } => format!("Persona: {person}, id {id}"),
        Text::PersonReachable => "Puedo escribirle a esta persona.".into(),
        Text::PersonBlockedBot => "Esta persona me ha bloqueado, así que no puedo escribirle.".into(),
        Text::PersonSilent => "Esta persona nunca me ha escrito, así que no puedo escribirle.".into(),
        Text::PersonNoSeat => "Esta persona no tiene plaza.".into(),
        Text::SeatEnded { chat } => format!("<b>{chat}</b>: terminado"),
        Text::PersonIn => "Está en el chat.".into(),
        Text::PersonOut => "No está en el chat.".into(),
        Text::PersonBanned => "Un administrador vetó a esta persona a mano.".into(),
        Text::PersonAtDoor => "Pide entrar y espera.".into(),
        Text::RequestLine { id, transaction, status, at } => format!("Solicitud {id}, transacción {transaction}, del {d}: {status}", d = date(at)),
        Text::RequestUnclaimed => "Nadie la ha reclamado.".into(),
        Text::RequestJoined { at } => format!("Entró el {d}.", d = date(at)),
        Text::RequestVoided { at } => format!("Anulada el {d}.", d = date(at)),
        Text::MessageLine { at, state } => format!("Mi mensaje del {d}: {state}", d = date(at)),
        Text::WaySent => "Bien, le envío a esta persona su entrada.".into(),
        Text::WayNotSent => "No envié nada: esta persona no tiene acceso ahora, o no puedo escribirle.".into(),
        Text::ChatUnknown { known } => format!("Nombra uno de nuestros chats por su id. Son estos: {known}"),
        Text::GrantNotHere { chat } => format!("<b>{chat}</b> no tiene enlaces personales, así que no puedo dar una plaza en él."),
        Text::GrantForever { chat, link } => format!("Una plaza gratis en <b>{chat}</b>, para siempre. Pasa este enlace: la plaza es de quien lo abra primero.\n\n<code>{link}</code>"),
        Text::GrantUntil { chat, link, until } => format!("Una plaza gratis en <b>{chat}</b>, hasta el {d}. Pasa este enlace: la plaza es de quien lo abra primero.\n\n<code>{link}</code>", d = date(until)),
        Text::GrantInPrivate { chat } => format!("Una plaza gratis en <b>{chat}</b>: te envié su enlace en privado, porque la plaza es de quien lo abra."),
        Text::GrantStartFirst => "No se ha dado nada: te enviaría el enlace de la plaza en privado, pero todavía no puedo escribirte. Iníciame allí y repítelo.".into(),
        Text::EndAsk { person, chat } => format!("¿Terminar la plaza de {person} en <b>{chat}</b>? Todo lo que deja entrar ahí a esta persona termina enseguida. Nadie sale del chat por eso, y no se devuelve dinero."),
        Text::ChangedMeanwhile => "Esto cambió mientras tanto, así que no hice nada. Míralo otra vez, por favor.".into(),
        Text::SeatRefused { reason } => format!("Esta plaza no lo permite: {reason}"),
        Text::ChatPaused { chat, reason } => format!("<b>{chat}</b> está en pausa: {reason}. No hago ni abro nada ahí hasta que siga."),
        Text::PauseEnds { until } => format!("La pausa termina sola el {d}.", d = date(until)),
        Text::ChatResumed { chat } => format!("Sigo con <b>{chat}</b>."),
        Text::ChatReady { chat } => format!("<b>{chat}</b>: todo va bien."),
        Text::ChatNoDoor { chat } => format!("<b>{chat}</b>: falta su enlace de solicitud, así que nadie entra. Ejecuta setup otra vez."),
        Text::ChatBroken { chat } => format!("<b>{chat}</b>: mis llamadas fallan ahí. Mira mis permisos en el chat."),
        Text::ChatWaiting { chat, number } => format!("<b>{chat}</b>: por hacer: {number}"),
        Text::UpdatesParked { number } => format!("Mensajes y toques que no pude tratar y que esperan a un operador: {number}"),
        Text::Sold { title, amount } => format!("Vendido: {title}, por {amount}."),
        Text::CaseOpened { title, case, order } => format!("Un pedido espera tu decisión: {title}.\nCaso: {case}\nPedido: {order}"),
        Text::PayoutAddressAsk { currency, address } => format!("Lo que se te debe en {currency} se va a pagar a esta dirección:\n{address}\n\n¿Es correcta? No se paga nada a ella hasta que lo digas."),
        Text::PayoutAddressGone { currency, address } => format!("Lo que se te pagaba en {currency} se va a pagar desde ahora a esta dirección, y se pregunta a otra persona si es correcta:\n{address}\n\n¿Es un error? Entonces dilo, y no se paga nada a ella."),
        Text::PayoutAddressConfirmed => "Gracias. Se te paga allí en cuanto la dirección tenga un día.".into(),
        Text::PayoutAddressDenied => "Gracias por avisar. No sale ningún pago nuevo a esa dirección, y una persona lo revisa.".into(),
        Text::RightsLost { chat, right } => format!("Me falta un permiso en <b>{chat}</b>: {right}. Mientras tanto nadie puede entrar a través de mí. Dámelo entre los administradores del chat."),
        Text::RightsBack { chat } => format!("Tengo todos los permisos que necesito en <b>{chat}</b>."),
        Text::AddedToChat { chat, id, right } => format!("Me han añadido a <b>{chat}</b>. Su id es <code>{id}</code>: ponlo en TELEGRAM_CHAT_ID para vender plazas en él.\n\nPermisos que me faltan allí: {right}"),
        Text::NeedsRole { command, role: needed } => format!(
            "Para {command} hace falta el rol «{}». Un administrador de este bot puede dártelo.",
            role(needed)
        ),
        Text::UnknownCommand => "No conozco este comando. Con /help ves lo que puedo hacer.".into(),
        Text::DidYouMean { command } => {
            format!("No conozco este comando. ¿Querías decir {command}?")
        }
        Text::PrivateOnly => "Esto te lo respondo en nuestro chat privado, donde solo tú puedes leerlo.".into(),
    }
}

pub(super) fn label(label: &Label<'_>) -> String {
    match *label {
        Label::OpenChat { chat } => format!("Abrir {chat}"),
        Label::JoinChat => "Entrar al chat".into(),
        Label::OpenPrivate => "Abrir el chat privado".into(),
        Label::Pay { price } => format!("Pagar {price}"),
        Label::OrderPage { title } => format!("Recibo: {title}"),
        Label::EndRenewal { title } => format!("Terminar la renovación: {title}"),
        Label::EndRenewalYes => "Sí, terminar la renovación".into(),
        Label::EndRenewalNot => "Que siga".into(),
        Label::OtherAccount => "Es mi otra cuenta".into(),
        Label::NotMe => "No fui yo".into(),
        Label::UseLink => "Usarlo para mí".into(),
        Label::KeepLink => "Guardarlo para otra persona".into(),
        Label::AnotherAccount => "Tengo otra cuenta".into(),
        Label::AnotherAccountOf { chat } => format!("Tengo otra cuenta: {chat}"),
        Label::LostLink => "Perdí mi enlace".into(),
        Label::Move => "Hacer el enlace nuevo".into(),
        Label::CopyLink => "Copiar el enlace".into(),
        Label::MoveNot => "Dejarlo aquí".into(),
        Label::Export => "Recibir una copia de mis datos".into(),
        Label::Erase => "Borrar mis datos".into(),
        Label::EraseYes => "Sí, borrar mis datos".into(),
        Label::EraseNow => "Borrar todo ahora".into(),
        Label::EraseNot => "Conservar mis datos".into(),
        Label::NewsStop => "No más novedades ni ofertas".into(),
        Label::NewsAgain => "Volver a recibir novedades".into(),
        Label::PayoutAddressRight => "Sí, es correcta".into(),
        Label::PayoutAddressWrong => "No, es incorrecta".into(),
        Label::SendWayIn => "Enviar la entrada".into(),
        Label::EndSeat => "Sí, terminar la plaza".into(),
    }
}

/// What an empty private chat shows.
pub(super) const DESCRIPTION: &str = "Abro los chats privados que has comprado y te dejo entrar. Pulsa Iniciar o pega aquí tu enlace. Una persona responde tus preguntas.";

/// What the profile of the bot shows.
pub(super) const SHORT_DESCRIPTION: &str = "Tu entrada a los chats privados que has comprado.";

pub(super) const fn role(role: Role) -> &'static str {
    match role {
        Role::Public => "cualquiera",
        Role::Member => "miembro",
        Role::Operator => "operador",
        Role::Admin => "administrador",
        Role::Owner => "propietario",
    }
}

pub(super) const fn summary(command: CommandName) -> &'static str {
    match command {
        CommandName::Start => "Empezar o usar un enlace",
        CommandName::Access => "Tus chats, hasta cuándo y la entrada",
        CommandName::Shop => "Comprar acceso",
        CommandName::Orders => "Tus pedidos y recibos, terminar una renovación",
        CommandName::Coupon => "Usar un código",
        CommandName::Gift => "Comprar acceso para otra persona",
        CommandName::Support => "Hablar con una persona",
        CommandName::Help => "Qué puedo hacer por ti",
        CommandName::Language => "Elegir tu idioma",
        CommandName::PaySupport => "Preguntar por un pago o un reembolso",
        CommandName::Terms => "Las condiciones de venta",
        CommandName::Privacy => "Tus datos: qué se guarda, copia, borrar",
        CommandName::Stop => "No recibir más novedades ni ofertas",
        CommandName::Buyer => "Todo sobre un comprador",
        CommandName::Reply => "Enviar una respuesta preparada",
        CommandName::Note => "Escribir una nota sobre esta persona",
        CommandName::Delete => "Retirar un mensaje enviado",
        CommandName::Close => "Terminar esta conversación",
        CommandName::Block => "No recibir más mensajes de esta persona",
        CommandName::Unblock => "Recibir otra vez mensajes de esta persona",
        CommandName::Grant => "Dar un acceso gratis",
        CommandName::Extend => "Alargar un acceso",
        CommandName::End => "Terminar un acceso",
        CommandName::Allow => "Dejar que alguien se quede sin comprar",
        CommandName::Doctor => "Revisar bots, permisos y chats",
        CommandName::Pause => "Detener un tiempo el trabajo en un chat",
        CommandName::Resume => "Seguir con un chat en pausa",
        CommandName::Role => "Ver, dar o quitar roles",
    }
}
