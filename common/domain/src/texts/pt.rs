//! Portuguese, as in Brazil.

use super::argument::Date;
use super::plural;
use super::sentence::{Label, Text};
use crate::command::{CommandName, Role};

const MONTHS: [&str; 12] = [
    "janeiro",
    "fevereiro",
    "março",
    "abril",
    "maio",
    "junho",
    "julho",
    "agosto",
    "setembro",
    "outubro",
    "novembro",
    "dezembro",
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
    format!("{number} {}", plural(number, "dia", "dias"))
}

pub(super) fn text(text: &Text<'_>) -> String {
    match *text {
        Text::Welcome => "Olá, que bom ter você aqui! Eu abro os chats privados que você comprou.\n\n\
            <b>Já comprou?</b> Toque no seu link de novo ou cole-o aqui.\n\n\
            /help mostra o que mais eu sei fazer."
            .into(),
        Text::WelcomeBack { chats: number } => format!(
            "Que bom ver você de novo! Você tem acesso a {}. Use /access para entrar.",
            chats(number)
        ),
        Text::TapLinkAgain => {
            "Seu link não chegou até mim. Toque nele de novo ou cole-o aqui, por favor.".into()
        }

        Text::ClaimAccepted { chat } => format!(
            "É seu: você tem acesso a <b>{chat}</b>.\n\n\
             Toque no botão abaixo e peça para entrar. Eu abro para você."
        ),
        Text::ClaimFollows { chat } => format!(
            "É seu: você tem acesso a <b>{chat}</b>.\n\n\
             Sua entrada ainda está sendo preparada. Ela chega aqui sozinha, você não precisa fazer nada."
        ),
        Text::ClaimTaken => "Alguém já usou este link, por isso não posso deixar você entrar com ele.\n\n\
            Foi você, com outra conta? Ou não foi você?"
            .into(),
        Text::ClaimTakenOther => format!(
            "Então o seu acesso está naquela conta. Mude para ela, escreva para mim por lá e envie /access. \
             Em “{}” você pode trazer o acesso para esta conta.",
            label(&Label::AnotherAccount)
        ),
        Text::ClaimTakenNotMe => "Agradecemos o aviso. Uma pessoa vai verificar e responder a você aqui. \
            Por favor, não pague de novo."
            .into(),
        Text::LinkTakenOther => "Então o seu acesso está naquela conta: abra o chat por lá. \
            Se precisar dele aqui, diga em /support."
            .into(),
        Text::ClaimUnknown => "Não conheço este link. Talvez falte uma parte dele: \
            copie-o de novo e cole aqui.\n\n\
            Se ainda não funcionar, fale conosco em /support."
            .into(),
        Text::ClaimExpired => "Este link expirou. Diga em /support quando você comprou, \
            e procuramos a sua compra."
            .into(),
        Text::ClaimReplaced => "Há um link mais novo no lugar deste. Use o último que você recebeu.\n\n\
            Não o encontra? /support ajuda você."
            .into(),
        Text::ClaimVoided => "O vendedor cancelou este link, como acontece depois de um reembolso.\n\n\
            Se for um engano, fale conosco em /support."
            .into(),
        Text::ClaimUnpaid => "Este pedido ainda não foi pago, por isso não posso deixar você entrar. \
            Quando o pagamento chegar, toque no link de novo."
            .into(),
        Text::AlreadyIn { chat } => {
            format!("Você já está em <b>{chat}</b>. O botão abaixo abre o chat.")
        }
        Text::ClaimAskForever { chat } => format!(
            "Você já tem acesso a <b>{chat}</b> para sempre, então este link não acrescentaria nada para você.\n\n\
             Usar mesmo assim ou guardar para outra pessoa?"
        ),
        Text::ClaimAskGift { chat } => format!(
            "Isto é um presente: acesso a <b>{chat}</b>. Depois que você usar, não dá mais para passar a outra pessoa.\n\n\
             É para você?"
        ),
        Text::ClaimKept => "Tudo bem, nada foi usado. Passe o link para a pessoa a quem ele se destina.".into(),

        Text::MoveAsk { chat } => format!(
            "Você pode levar o seu acesso a <b>{chat}</b> para outra conta. Eu faço um novo link, e você o abre por lá; o link que você tinha deixa de funcionar. \
             Assim que ele for usado, esta conta terá de sair do chat.\n\n\
             Faço o novo link?"
        ),
        Text::MoveReady { chat, link } => format!(
            "Seu novo link para <b>{chat}</b>. Abra-o com a sua outra conta e não o mostre a mais ninguém:\n\n\
             <code>{link}</code>\n\n\
             Até você usá-lo, tudo continua como está."
        ),
        Text::MoveTooOften => "Este acesso mudou de conta várias vezes nos últimos tempos, então não posso mudá-lo de novo \
            por conta própria. /support ajuda você."
            .into(),
        Text::LostLink => "Sem problema: o acesso é da sua conta, não do link. /access mostra o que você tem.\n\n\
            Se não estiver lá, diga em /support quando você comprou."
            .into(),

        Text::JoinNotEntitled {
            chat,
            claim,
            minutes: number,
        } => format!(
            "Você pediu para entrar em <b>{chat}</b>, mas não vejo nenhuma compra desta conta.\n\n\
             <b>Já comprou?</b> Abra {claim} e cole lá o seu link. Seu pedido espera {}, \
             e com o link eu deixo você entrar.",
            minutes(number)
        ),
        Text::JoinBuy { shop } => format!("<b>Ainda não?</b> Você pode comprar o acesso aqui: {shop}"),
        Text::JoinApproved { chat } => format!("Você entrou. Boas-vindas a <b>{chat}</b>!"),
        Text::JoinWaiting { chat, place } => format!(
            "Muita gente está entrando em <b>{chat}</b>. Seu lugar na fila: {place}. \
             Eu deixo você entrar quando chegar a sua vez, você não precisa fazer nada."
        ),
        Text::JoinTooManyChats { chat } => format!(
            "O Telegram diz que você está em chats demais, por isso não posso deixar você entrar em <b>{chat}</b>. \
             O acesso continua sendo seu.\n\n\
             Saia de um chat de que não precisa mais e toque no botão de novo."
        ),
        Text::JoinTapAgain { chat } => format!(
            "Seu pedido para entrar em <b>{chat}</b> sumiu antes que eu pudesse responder. \
             Toque no botão de novo, por favor."
        ),
        Text::Banned { chat } => format!(
            "Um administrador baniu você de <b>{chat}</b>, por isso não posso deixar você entrar. \
             Pergunte em /support, por favor."
        ),

        Text::OrderPaid { title } => format!("O seu pagamento chegou: {title}. Obrigado! /access mostra a sua entrada."),
        Text::GiftPaid { title, link } => format!("O seu presente está pago: <b>{title}</b>. Obrigado! Passe este link à pessoa para quem ele é. A primeira que o abrir terá o acesso; o tempo dela começa nesse momento, e no máximo em 30 dias.\n\n{link}"),
        Text::OrderUnderpaid { title, missing } => format!("O seu pagamento de {title} não chegou por inteiro: falta {missing}. Pague o resto na mesma página e você estará dentro."),
        Text::OrderRefunded { title } => format!("O seu pagamento de {title} foi devolvido. Se isso é uma surpresa: /paysupport"),
        Text::OrderToPay { title } => format!("O seu pedido: <b>{title}</b>. O botão abaixo abre o pagamento. Só esta conta pode pagá-lo."),
        Text::PayNotYours => "Este pedido é de outra conta. Envie /shop para fazer o seu.".into(),
        Text::PayOver => {
            "Este pedido não pode mais ser pago. Envie /shop para fazer outro.".into()
        }
        Text::PayUnderWay => "Este pedido já está sendo pago. Se nada foi cobrado, tente de novo em cinco minutos.".into(),
        Text::PaySoldOut => "Todas as vagas foram vendidas. Nada foi cobrado.".into(),
        Text::PayChanged => "O preço deste pedido é outro. Envie /shop para fazer um novo.".into(),
        Text::PayOwned => {
            "Você já tem isto, então não há nada a pagar. /access leva você para dentro.".into()
        }
        Text::Shop => "O que você pode comprar aqui. Toque no que quiser:".into(),
        Text::ShopEmpty => "No momento não há nada para comprar aqui.".into(),
        Text::Gift => "O que você gostaria de dar? Você paga em Stars e recebe um link para passar adiante. Toque nele:".into(),
        Text::CouponShop { code } => format!("Com o código {code} você paga menos por isto. Toque no que quiser:"),
        Text::CouponUnknown => "Nada do que eu vendo aceita este código agora. Talvez uma letra esteja errada, ou o tempo dele já passou.".into(),
        Text::Orders => "Os seus pedidos mais recentes:".into(),
        Text::OrdersNone => "Não conheço nenhum pedido desta conta. O que se pode comprar: /shop".into(),
        Text::RenewalEndAsk { title } => format!("<b>{title}</b>: encerrar a renovação? Você mantém o acesso enquanto estiver pago; depois nada é cobrado."),
        Text::RenewalEnding { title } => format!("<b>{title}</b> não renova mais. Você mantém o acesso enquanto estiver pago."),
        Text::RenewalKept => "Tudo bem, continua como está.".into(),
        Text::RenewalOver => "Isto não renova mais, ou não é seu: nada foi mudado. /orders mostra os seus pedidos.".into(),
        Text::ShopChanged => "Esta oferta mudou nesse meio-tempo. /shop mostra o que há agora.".into(),
        Text::ShopSoldOut => "Todas as vagas foram vendidas. /shop mostra o que mais há.".into(),
        Text::ShopOwned => "Você já tem isto. /access leva você para dentro.".into(),
        Text::ShopTooMany => "Vários dos seus pedidos esperam o pagamento. Pague um deles ou espere um dia até que terminem.".into(),
        Text::RenewalFailed { title, page } => format!("O seu pagamento de {title} falhou. Resolva aqui e nada muda para você: {page}"),
        Text::RenewalNeedsAction { title, page } => format!("O seu banco pede que você confirme o pagamento de {title}. Você pode fazer isso aqui: {page}"),
        Text::LinkDelivered { link } => format!("Obrigado pela sua compra! Aqui está a sua entrada. Ela é só para você e funciona uma vez:\n\n{link}"),
        Text::LinkWorksUntil { until } => format!("Ela funciona até {}.", date(until)),
        Text::LinkFollows => "É seu. A sua entrada ainda está sendo preparada. Ela chega aqui sozinha, você não precisa fazer nada.".into(),
        Text::LinkFailed => "É seu, mas a sua entrada não pôde ser preparada. A falha é nossa, e já fomos avisados. \
            Quando ela for corrigida, a sua entrada chega aqui. Por favor, não pague de novo. Se não puder esperar, diga em /support."
            .into(),
        Text::LinkInside => "Você já está no chat: entrou por este link. Se sair, escreva para mim e eu faço outro.".into(),
        Text::LinkUsed => "É seu, mas outra pessoa entrou pelo seu link. Diga em /support, para que façamos outro. \
            Por favor, não pague de novo."
            .into(),

        Text::Access => "<b>Seu acesso</b>".into(),
        Text::AccessUntil { chat, until } => format!("<b>{chat}</b>: até {}", date(until)),
        Text::AccessForever { chat } => format!("<b>{chat}</b>: para sempre"),
        Text::AccessNothing => "Esta conta não tem acesso a nenhum chat.\n\n\
            <b>Já comprou?</b> Toque no seu link de novo ou cole-o aqui. \
            Se você comprou com outra conta, envie /access por ela."
            .into(),

        Text::Help => "<b>O que eu posso fazer por você</b>\n\
            Para todo o resto, é só escrever aqui: uma pessoa lê."
            .into(),
        Text::LanguageList => "Eu escrevo para você em português. Que idioma você prefere?".into(),
        Text::LanguageChosen => "Certo, a partir de agora escrevo para você em português.".into(),
        Text::Terms { page } => format!("Os termos estão aqui: {page}"),
        Text::TermsUnset => "O vendedor não publicou termos aqui. Pergunte em /support, e uma pessoa responde.".into(),

        Text::Privacy { days: number } => format!(
            "<b>Seus dados</b>\n\n\
             Eu guardo o seu identificador do Telegram, o seu nome e idioma, o que você comprou e o que me escreve. \
             Isso serve para deixar você entrar e para ajudar você. Não guardo nada do que se diz nos grupos. \
             Se você não comprou nada, esqueço você {} depois da sua última mensagem.\n\n\
             Você pode receber uma cópia ou apagar tudo.",
            days(number)
        ),
        Text::PrivacyPolicy { page } => format!("A política completa está aqui: {page}"),
        Text::ExportStarted => "Estou reunindo os seus dados. Eles chegam aqui assim que estiverem prontos.".into(),
        Text::ExportReady { link, until } => format!(
            "Seus dados estão prontos: {link}\n\n\
             O link funciona até {}. Por favor, não o compartilhe.",
            date(until)
        ),
        Text::EraseAsk => "Eu apago tudo o que sei sobre você. Na contabilidade ficam só os valores dos pagamentos, \
            sem o seu nome.\n\n\
            Apagar os seus dados?"
            .into(),
        Text::EraseAskSeats { chats: number } => format!(
            "Você tem acesso a {}. Se eu apagar os seus dados, <b>esse acesso termina na hora</b>: \
             você terá de sair, as assinaturas são canceladas e nada o traz de volta. \
             Na contabilidade ficam só os valores dos pagamentos, sem o seu nome.\n\n\
             Apagar os seus dados?",
            chats(number)
        ),
        Text::EraseAskAgain => "Só para ter certeza: isto não pode ser desfeito. Apagar tudo agora?".into(),
        Text::EraseStarted => "Estou apagando os seus dados. Leva alguns minutos e eu aviso quando terminar.".into(),
        Text::EraseDone => "Seus dados foram apagados. Tudo de bom!".into(),
        Text::EraseReceipt { items, logs, queues, backups } => format!(
            "Encontrei {items} {} sobre você: foram apagados ou já não citam você. O que não dá para apagar um a um some sozinho: \
             filas até {}, logs até {}, backups até {}.",
            plural(items, "registro", "registros"),
            date(queues),
            date(logs),
            date(backups)
        ),
        Text::EraseKept => "Nada foi apagado. Tudo continua como estava.".into(),

        Text::PaySupport => "<b>Uma pergunta sobre um pagamento?</b> Escreva aqui: o que você comprou, quando e o que deu errado. \
            Uma pessoa responde a você aqui, também sobre reembolsos.\n\n\
            Por favor, escreva para nós e não para o Telegram: o suporte dele não pode ajudar com esta compra."
            .into(),
        Text::Stopped => "Certo, não envio mais novidades nem ofertas. \
            O que diz respeito ao seu acesso e aos seus pagamentos continua chegando."
            .into(),
        Text::StopUndone => "Certo, você volta a receber novidades e ofertas. Para parar, basta enviar /stop.".into(),
        Text::Support => "É só escrever aqui a sua pergunta. Uma pessoa lê e responde a você neste chat.".into(),
        Text::SupportArrived => "Sua mensagem chegou. Uma pessoa responde a você aqui.".into(),
        Text::SupportArrivedLater { from } => format!(
            "Sua mensagem chegou. Voltamos a atender a partir de {} e então respondemos.",
            date(from)
        ),

        Text::SupportElsewhere { contact } => format!(
            "Ninguém lê o que se escreve aqui. Você encontra uma pessoa ali: {contact}"
        ),
        Text::SupportNone => "Ninguém lê o que se escreve aqui. Por favor, procure o lugar onde você comprou.".into(),
        Text::NotPassedOn => "Não consegui passar esta mensagem: o Telegram não me deixa copiá-la. \
            Por favor, escreva como texto ou envie de outra maneira."
            .into(),

        Text::NotDelivered => "Não entregue: o Telegram recusou esta mensagem.".into(),
        Text::NotDeliveredBlocked => "Não entregue: esta pessoa bloqueou o bot, ou a conta dela não existe mais.".into(),
        Text::NotDeliveredNotStarted => "Não entregue: esta pessoa ainda não iniciou o bot.".into(),
        Text::NotDeliveredKind => "Não feito: o Telegram não me deixa fazer isso com esta mensagem.".into(),
        Text::JoinedWords { messages, minutes: number } => format!(
            "{messages} {}, {} de atraso",
            plural(messages, "mensagem", "mensagens"),
            minutes(number)
        ),
        Text::TopicHead { person, language } => format!("<b>{person}</b>\nLíngua: {language}"),
        Text::TopicNoSeat => "Sem lugar em nenhum chat.".into(),
        Text::TopicSent => "Enviado à pessoa:".into(),
        Text::TopicSentBy { actor } => format!("Enviada por {actor}:"),
        Text::TopicUnknownCommand => "Não conheço este comando. Nada foi enviado à pessoa.".into(),
        Text::TopicShared => "Várias pessoas escrevem neste tópico. Responda a uma das mensagens delas, para que eu saiba para quem é. \
            Nada foi enviado."
            .into(),
        Text::TopicConflict { request } => format!("Esta pessoa diz que outra usou o acesso que ela pagou. Veja o pedido {request} e pergunte à loja dele."),
        Text::TopicDelete => "Envie /delete como resposta à mensagem que devo retirar.".into(),
        Text::TopicBlocked => "Não aceito mais mensagens desta pessoa. Os lugares dela ficam. /unblock desfaz isso.".into(),
        Text::TopicUnblocked => "Aceito de novo mensagens desta pessoa.".into(),
        Text::TopicNoReply { name } => format!(
            "Não há resposta pronta “{name}”. Responda a uma mensagem com <code>/reply = {name}</code>, e ela passa a ser uma."
        ),
        Text::TopicReplyKept { name } => format!(
            "Esta mensagem é a resposta pronta “{name}” a partir de agora. <code>/reply {name}</code> envia a resposta."
        ),

        Text::TooManyCommands { command } => format!(
            "Foi um pouco rápido demais para mim: não atendi {command}. Envie de novo daqui a um minuto, por favor."
        ),
        Text::TooManyMessages => "Foi um pouco rápido demais para mim: não passei adiante a sua última mensagem. \
            Envie de novo daqui a um minuto, por favor."
            .into(),
        Text::RoleHowTo => "Escreva o id da pessoa e o papel: <code>/role 123456789 operator</code>. Papéis: operator, admin, e public para o retirar.".into(),
        Text::RoleTooHigh => "Só pode dar e retirar papéis abaixo do seu, e ninguém pode alterar aqui um proprietário.".into(),
        Text::RoleGiven { person, role: given } => format!("{person} tem agora o papel “{}”.", role(given)),
        Text::NotHere { command } => format!("Aqui eu não aceito {command}. /help mostra o que eu faço neste chat."),
        Text::HowTo { example } => format!("Escreva assim, por favor: {example}"),
        Text::NobodyFound => "Com isso não encontro ninguém nem nada. Eu procuro por id do Telegram, @nome, id de um pedido ou transação.".into(),
        Text::SeveralFound => "São várias pessoas. Escolha uma pelo id:".into(),
        Text::PersonLine { person, id } => format!("Pessoa: {person}, id {id}"),
        Text::PersonReachable => "Eu posso escrever para esta pessoa.".into(),
        Text::PersonBlockedBot => "Esta pessoa me bloqueou, então não posso escrever para ela.".into(),
        Text::PersonSilent => "Esta pessoa nunca me escreveu, então não posso escrever para ela.".into(),
        Text::PersonNoSeat => "Esta pessoa não tem vaga.".into(),
        Text::SeatEnded { chat } => format!("<b>{chat}</b>: encerrado"),
        Text::PersonIn => "Está no chat.".into(),
        Text::PersonOut => "Não está no chat.".into(),
        Text::PersonBanned => "Um administrador baniu esta pessoa manualmente.".into(),
        Text::PersonAtDoor => "Pediu para entrar e espera.".into(),
        Text::RequestLine { id, transaction, status, at } => format!("Pedido {id}, transação {transaction}, de {d}: {status}", d = date(at)),
        Text::RequestUnclaimed => "Ninguém o resgatou.".into(),
        Text::RequestJoined { at } => format!("Entrou em {d}.", d = date(at)),
        Text::RequestVoided { at } => format!("Cancelado em {d}.", d = date(at)),
        Text::MessageLine { at, state } => format!("Minha mensagem de {d}: {state}", d = date(at)),
        Text::WaySent => "Certo, eu envio a esta pessoa a entrada dela.".into(),
        Text::WayNotSent => "Não enviei nada: esta pessoa não tem acesso agora, ou não posso escrever para ela.".into(),
        Text::ChatUnknown { known } => format!("Indique um dos nossos chats pelo id. São estes: {known}"),
        Text::GrantNotHere { chat } => format!("<b>{chat}</b> não tem links pessoais, então não posso dar uma vaga nele."),
        Text::GrantForever { chat, link } => format!("Uma vaga grátis em <b>{chat}</b>, para sempre. Passe este link adiante: a vaga é de quem o abrir primeiro.\n\n<code>{link}</code>"),
        Text::GrantUntil { chat, link, until } => format!("Uma vaga grátis em <b>{chat}</b>, até {d}. Passe este link adiante: a vaga é de quem o abrir primeiro.\n\n<code>{link}</code>", d = date(until)),
        Text::GrantInPrivate { chat } => format!("Uma vaga grátis em <b>{chat}</b>: enviei o link a você no privado, pois a vaga é de quem o abrir."),
        Text::GrantStartFirst => "Nada foi dado: eu enviaria o link da vaga no privado, mas ainda não posso escrever a você. Inicie-me lá e repita.".into(),
        Text::EndAsk { person, chat } => format!("Encerrar a vaga de {person} em <b>{chat}</b>? Tudo o que deixa esta pessoa entrar ali acaba na hora. Ninguém é removido do chat por isso, e nenhum dinheiro volta."),
        Text::ChangedMeanwhile => "Isto mudou nesse meio-tempo, então não fiz nada. Veja de novo, por favor.".into(),
        Text::SeatRefused { reason } => format!("Esta vaga não permite isso: {reason}"),
        Text::ChatPaused { chat, reason } => format!("<b>{chat}</b> está em pausa: {reason}. Não faço nem abro nada ali até continuar."),
        Text::PauseEnds { until } => format!("A pausa termina sozinha em {d}.", d = date(until)),
        Text::ChatResumed { chat } => format!("Continuo com <b>{chat}</b>."),
        Text::ChatReady { chat } => format!("<b>{chat}</b>: está tudo bem."),
        Text::ChatNoDoor { chat } => format!("<b>{chat}</b>: falta o link de pedidos, então ninguém entra. Execute setup de novo."),
        Text::ChatBroken { chat } => format!("<b>{chat}</b>: minhas chamadas falham ali. Veja minhas permissões no chat."),
        Text::ChatWaiting { chat, number } => format!("<b>{chat}</b>: por fazer: {number}"),
        Text::UpdatesParked { number } => format!("Mensagens e toques que não consegui tratar e que esperam um operador: {number}"),
        Text::Sold { title, amount } => format!("Venda: {title}, por {amount}."),
        Text::CaseOpened { title, case, order } => format!("Um pedido espera a sua decisão: {title}.\nCaso: {case}\nPedido: {order}"),
        Text::PayoutAddressAsk { currency, address } => format!("O que lhe é devido em {currency} vai ser pago neste endereço:\n{address}\n\nEstá certo? Nada é pago nele antes de você confirmar."),
        Text::PayoutAddressGone { currency, address } => format!("O que lhe era pago em {currency} vai ser pago a partir de agora neste endereço, e outra pessoa é perguntada se está certo:\n{address}\n\nEstá errado? Então diga, e nada é pago nele."),
        Text::PayoutAddressConfirmed => "Obrigado. Você recebe ali assim que o endereço tiver um dia.".into(),
        Text::PayoutAddressDenied => "Obrigado por avisar. Nenhum pagamento novo vai para esse endereço, e uma pessoa verifica o caso.".into(),
        Text::RightsLost { chat, right } => format!("Falta-me uma permissão em <b>{chat}</b>: {right}. Até lá ninguém entra por mim. Dê-ma entre os administradores do chat."),
        Text::RightsBack { chat } => format!("Tenho todas as permissões de que preciso em <b>{chat}</b>."),
        Text::AddedToChat { chat, id, right } => format!("Fui adicionado a <b>{chat}</b>. O id é <code>{id}</code>: ponha-o em TELEGRAM_CHAT_ID para vender lugares nele.\n\nPermissões que me faltam lá: {right}"),
        Text::NeedsRole { command, role: needed } => format!(
            "{command} exige o papel “{}”. Um administrador deste bot pode dá-lo a você.",
            role(needed)
        ),
        Text::UnknownCommand => "Não conheço este comando. /help mostra o que eu sei fazer.".into(),
        Text::DidYouMean { command } => {
            format!("Não conheço este comando. Você quis dizer {command}?")
        }
        Text::PrivateOnly => "Isto eu respondo no nosso chat privado, onde só você pode ler.".into(),
    }
}

pub(super) fn label(label: &Label<'_>) -> String {
    match *label {
        Label::OpenChat { chat } => format!("Abrir {chat}"),
        Label::JoinChat => "Entrar no chat".into(),
        Label::OpenPrivate => "Abrir o chat privado".into(),
        Label::Pay { price } => format!("Fazer o pagamento: {price}"),
        Label::OrderPage { title } => format!("Comprovante: {title}"),
        Label::EndRenewal { title } => format!("Encerrar a renovação: {title}"),
        Label::EndRenewalYes => "Sim, encerrar a renovação".into(),
        Label::EndRenewalNot => "Deixar continuar".into(),
        Label::OtherAccount => "É a minha outra conta".into(),
        Label::NotMe => "Não fui eu".into(),
        Label::UseLink => "Usar para mim".into(),
        Label::KeepLink => "Guardar para outra pessoa".into(),
        Label::AnotherAccount => "Tenho outra conta".into(),
        Label::AnotherAccountOf { chat } => format!("Tenho outra conta: {chat}"),
        Label::LostLink => "Perdi o meu link".into(),
        Label::Move => "Fazer o novo link".into(),
        Label::CopyLink => "Copiar o link".into(),
        Label::MoveNot => "Deixar aqui".into(),
        Label::Export => "Receber uma cópia dos meus dados".into(),
        Label::Erase => "Apagar os meus dados".into(),
        Label::EraseYes => "Sim, apagar os meus dados".into(),
        Label::EraseNow => "Apagar tudo agora".into(),
        Label::EraseNot => "Manter os meus dados".into(),
        Label::NewsStop => "Sem mais novidades e ofertas".into(),
        Label::NewsAgain => "Voltar a receber novidades".into(),
        Label::PayoutAddressRight => "Sim, está certo".into(),
        Label::PayoutAddressWrong => "Não, está errado".into(),
        Label::SendWayIn => "Enviar a entrada dela".into(),
        Label::EndSeat => "Sim, encerrar a vaga".into(),
    }
}

/// What an empty private chat shows.
pub(super) const DESCRIPTION: &str = "Eu abro os chats privados que você comprou e deixo você entrar. Toque em Iniciar ou cole seu link aqui. Uma pessoa responde às suas perguntas.";

/// What the profile of the bot shows.
pub(super) const SHORT_DESCRIPTION: &str = "Sua entrada nos chats privados que você comprou.";

pub(super) const fn role(role: Role) -> &'static str {
    match role {
        Role::Public => "qualquer pessoa",
        Role::Member => "membro",
        Role::Operator => "operador",
        Role::Admin => "administrador",
        Role::Owner => "proprietário",
    }
}

pub(super) const fn summary(command: CommandName) -> &'static str {
    match command {
        CommandName::Start => "Começar ou usar um link",
        CommandName::Access => "Seus chats, até quando e a entrada",
        CommandName::Shop => "Comprar acesso",
        CommandName::Orders => "Seus pedidos e recibos, encerrar uma renovação",
        CommandName::Coupon => "Usar um código",
        CommandName::Gift => "Comprar acesso para outra pessoa",
        CommandName::Support => "Falar com uma pessoa",
        CommandName::Help => "O que eu posso fazer por você",
        CommandName::Language => "Escolher o seu idioma",
        CommandName::PaySupport => "Perguntar sobre um pagamento ou reembolso",
        CommandName::Terms => "Os termos de venda",
        CommandName::Privacy => "Seus dados: o que se guarda, cópia, apagar",
        CommandName::Stop => "Não receber mais novidades e ofertas",
        CommandName::Buyer => "Tudo sobre um comprador",
        CommandName::Reply => "Enviar uma resposta pronta",
        CommandName::Note => "Escrever uma nota sobre esta pessoa",
        CommandName::Delete => "Retirar uma mensagem enviada",
        CommandName::Close => "Encerrar esta conversa",
        CommandName::Block => "Não receber mais mensagens desta pessoa",
        CommandName::Unblock => "Voltar a receber mensagens desta pessoa",
        CommandName::Grant => "Dar um acesso grátis",
        CommandName::Extend => "Prolongar um acesso",
        CommandName::End => "Encerrar um acesso",
        CommandName::Allow => "Deixar alguém ficar sem comprar",
        CommandName::Doctor => "Verificar bots, permissões e chats",
        CommandName::Pause => "Parar por um tempo o trabalho em um chat",
        CommandName::Resume => "Continuar com um chat em pausa",
        CommandName::Role => "Ver, dar ou tirar papéis",
    }
}
