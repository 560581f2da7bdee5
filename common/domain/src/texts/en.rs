//! English.

use super::argument::Date;
use super::plural;
use super::sentence::{Label, Text};
use crate::command::{CommandName, Role};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) fn date(at: Date) -> String {
    at.written(&MONTHS, " ")
}

fn chats(number: u32) -> String {
    format!("{number} {}", plural(number, "chat", "chats"))
}

fn minutes(number: u32) -> String {
    format!("{number} {}", plural(number, "minute", "minutes"))
}

fn days(number: u32) -> String {
    format!("{number} {}", plural(number, "day", "days"))
}

pub(super) fn text(text: &Text<'_>) -> String {
    match *text {
        Text::Welcome => "Hello and welcome! I open the private chats that you have bought.\n\n\
            <b>Bought already?</b> Tap your link again, or paste it here.\n\n\
            /help shows what else I can do."
            .into(),
        Text::WelcomeBack { chats: number } => format!(
            "Welcome back! You have access to {}. /access takes you in.",
            chats(number)
        ),
        Text::TapLinkAgain => {
            "Your link did not reach me. Please tap it again, or paste it here.".into()
        }

        Text::ClaimAccepted { chat } => format!(
            "It's yours: you have access to <b>{chat}</b>.\n\n\
             Tap the button below and ask to join. I let you in."
        ),
        Text::ClaimFollows { chat } => format!(
            "It's yours: you have access to <b>{chat}</b>.\n\n\
             Your way in is still being made. It comes here by itself, you need not do anything."
        ),
        Text::ClaimTaken => "Somebody has used this link already, so it can't let you in.\n\n\
            Was it you, with another account? Or was it not you at all?"
            .into(),
        Text::ClaimTakenOther => format!(
            "Then your access is with that account. Switch to it, write to me there and send /access. \
             Under “{}” you can bring your access over here.",
            label(&Label::AnotherAccount)
        ),
        Text::ClaimTakenNotMe => "Thank you for telling us. A person looks into it and answers you here. \
            Please don't pay again."
            .into(),
        Text::LinkTakenOther => "Then your access is with that account: open the chat there. \
            If you need it here, tell us with /support."
            .into(),
        Text::ClaimUnknown => "I don't know this link. Perhaps a part of it is missing: \
            please copy it once more and paste it here.\n\n\
            If it still doesn't work, tell us with /support."
            .into(),
        Text::ClaimExpired => "This link has expired. Tell us with /support when you bought it, \
            and we look for your purchase."
            .into(),
        Text::ClaimReplaced => "There is a newer link in the place of this one. Please use the newest that you got.\n\n\
            Can't find it? /support helps you."
            .into(),
        Text::ClaimVoided => "The seller has cancelled this link, as happens after a refund.\n\n\
            If that is a mistake, tell us with /support."
            .into(),
        Text::ClaimUnpaid => "This order is not paid yet, so I can't let you in. \
            Once the payment has arrived, tap the link again."
            .into(),
        Text::AlreadyIn { chat } => {
            format!("You are in <b>{chat}</b> already. The button below opens it.")
        }
        Text::ClaimAskForever { chat } => format!(
            "You have access to <b>{chat}</b> for good, so this link would add nothing for you.\n\n\
             Use it all the same, or keep it for somebody else?"
        ),
        Text::ClaimAskGift { chat } => format!(
            "This is a gift: access to <b>{chat}</b>. Once you use it, it can't be given to anybody else.\n\n\
             Is it for you?"
        ),
        Text::ClaimKept => "Fine, nothing was used. Pass the link on to the person it is for.".into(),

        Text::MoveAsk { chat } => format!(
            "You can take your access to <b>{chat}</b> to another account. I make a new link, and you open it there; the link that you had is dead then. \
             Once it is used, this account has to leave the chat.\n\n\
             Make the new link?"
        ),
        Text::MoveReady { chat, link } => format!(
            "Your new link to <b>{chat}</b>. Open it with your other account, and show it to nobody else:\n\n\
             <code>{link}</code>\n\n\
             Until you use it, everything stays as it is."
        ),
        Text::MoveTooOften => "This access has moved several times lately, so I can't move it again by myself. \
            /support helps you."
            .into(),
        Text::LostLink => "No problem: your access belongs to your account, not to the link. /access shows it.\n\n\
            If it is not there, tell us with /support when you bought it."
            .into(),

        Text::JoinNotEntitled {
            chat,
            claim,
            minutes: number,
        } => format!(
            "You asked to join <b>{chat}</b>, but I don't see a purchase of this account.\n\n\
             <b>Bought already?</b> Open {claim} and paste your link there. Your request waits for {}, \
             and with your link I let you in.",
            minutes(number)
        ),
        Text::JoinBuy { shop } => format!("<b>Not yet?</b> You can buy access here: {shop}"),
        Text::JoinApproved { chat } => format!("You are in. Welcome to <b>{chat}</b>!"),
        Text::JoinWaiting { chat, place } => format!(
            "Many people are on their way into <b>{chat}</b>. Your place in the queue: {place}. \
             I let you in when it is your turn, you need not do anything."
        ),
        Text::JoinTooManyChats { chat } => format!(
            "Telegram says that you are in too many chats, so I can't let you into <b>{chat}</b>. \
             Your access stays yours.\n\n\
             Leave a chat that you no longer need, then tap the button again."
        ),
        Text::JoinTapAgain { chat } => format!(
            "Your request to join <b>{chat}</b> was gone before I could answer it. Please tap the button again."
        ),
        Text::Banned { chat } => format!(
            "An administrator has banned you from <b>{chat}</b>, so I can't let you in. Please ask with /support."
        ),

        Text::OrderPaid { title } => format!("Your payment has arrived: {title}. Thank you! /access shows your way in."),
        Text::GiftPaid { title, link } => format!("Your present is paid: <b>{title}</b>. Thank you! Pass this link on to the person whom it is for. The first who opens it has the access; their time begins then, and in 30 days at the latest.\n\n{link}"),
        Text::OrderUnderpaid { title, missing } => format!("Not all of your payment for {title} has arrived: {missing} is missing. Pay the rest on the same page, and you are in."),
        Text::OrderRefunded { title } => format!("Your payment for {title} was returned to you. If that is a surprise: /paysupport"),
        Text::OrderToPay { title } => format!("Your order: <b>{title}</b>. The button below opens the payment. Only this account can pay it."),
        Text::PayNotYours => {
            "This order belongs to another account. Send /shop to order for yourself.".into()
        }
        Text::PayOver => "This order can't be paid any more. Send /shop for a new one.".into(),
        Text::PayUnderWay => "This order is being paid already. If nothing was charged, try again in five minutes.".into(),
        Text::PaySoldOut => "All seats of it are sold. Nothing was charged.".into(),
        Text::PayChanged => {
            "The price of this order is another one. Send /shop for a new one.".into()
        }
        Text::PayOwned => {
            "You have this already, so there is nothing to pay. /access takes you in.".into()
        }
        Text::Shop => "What you can buy here. Tap what you would like:".into(),
        Text::ShopEmpty => "There is nothing to buy here at the moment.".into(),
        Text::Gift => "What would you like to give? You pay in Stars, and get a link to pass on. Tap it:".into(),
        Text::CouponShop { code } => format!("With the coupon {code} you pay less for this. Tap what you would like:"),
        Text::CouponUnknown => "Nothing that I sell takes this coupon now. Perhaps a letter of it is wrong, or its time is over.".into(),
        Text::Orders => "Your newest orders:".into(),
        Text::OrdersNone => "I know of no order of this account. What can be bought: /shop".into(),
        Text::RenewalEndAsk { title } => format!("<b>{title}</b>: end the renewal? You keep your access as long as it is paid; nothing is charged after that."),
        Text::RenewalEnding { title } => format!("<b>{title}</b> renews no more. You keep your access as long as it is paid."),
        Text::RenewalKept => "Fine, it goes on.".into(),
        Text::RenewalOver => "This renews no more, or is not yours: nothing was changed. /orders shows your orders.".into(),
        Text::ShopChanged => "This offer has changed meanwhile. /shop shows what there is now.".into(),
        Text::ShopSoldOut => "All seats of it are sold. /shop shows what else there is.".into(),
        Text::ShopOwned => "You have this already. /access takes you in.".into(),
        Text::ShopTooMany => "Several of your orders wait for their payment. Pay one of them, or wait a day until they end.".into(),
        Text::RenewalFailed { title, page } => format!("Your payment for {title} failed. Mend it here, and nothing changes for you: {page}"),
        Text::RenewalNeedsAction { title, page } => format!("Your bank asks you to confirm the payment for {title}. You can do it here: {page}"),
        Text::LinkDelivered { link } => format!("Thank you for your purchase! Here is your way in. It is for you alone, and works once:\n\n{link}"),
        Text::LinkWorksUntil { until } => format!("It works until {}.", date(until)),
        Text::LinkFollows => "It's yours. Your way in is still being made. It comes here by itself, you need not do anything.".into(),
        Text::LinkFailed => "It's yours, but your way in could not be made. The fault is ours, and we have been told of it. \
            Once it is mended, your way in comes here. Please don't pay again. If you can't wait, tell us with /support."
            .into(),
        Text::LinkInside => "You are in the chat already: you came in by this link. If you leave it, write to me, and I make you another one.".into(),
        Text::LinkUsed => "It's yours, but somebody else came in by your link. Tell us with /support, so that we make you another one. \
            Please don't pay again."
            .into(),

        Text::Access => "<b>Your access</b>".into(),
        Text::AccessUntil { chat, until } => format!("<b>{chat}</b>: until {}", date(until)),
        Text::AccessForever { chat } => format!("<b>{chat}</b>: for good"),
        Text::AccessNothing => "This account has no access to any chat.\n\n\
            <b>Bought already?</b> Tap your link again, or paste it here. \
            If you bought with another account, send /access there."
            .into(),

        Text::Help => "<b>What I can do for you</b>\n\
            For everything else just write here: a person reads it."
            .into(),
        Text::LanguageList => "I write to you in English. Which language would you like?".into(),
        Text::LanguageChosen => "Good, I write to you in English from now on.".into(),
        Text::Terms { page } => format!("You find the terms here: {page}"),
        Text::TermsUnset => "The seller has not published any terms here. Ask with /support, and a person answers.".into(),

        Text::Privacy { days: number } => format!(
            "<b>Your data</b>\n\n\
             I keep your Telegram id, your name and language, what you bought and what you write to me. \
             It serves to let you in and to help you. I keep nothing of what people say in groups. \
             If you have bought nothing, I forget you {} after your last message.\n\n\
             You can have a copy, or have everything erased.",
            days(number)
        ),
        Text::PrivacyPolicy { page } => format!("The whole policy is here: {page}"),
        Text::ExportStarted => "I am putting your data together. You get them here as soon as they are ready.".into(),
        Text::ExportReady { link, until } => format!(
            "Your data are ready: {link}\n\n\
             The link works until {}. Please keep it to yourself.",
            date(until)
        ),
        Text::EraseAsk => "I erase everything that I know about you. Only the sums of payments stay in the books, \
            without your name.\n\n\
            Erase your data?"
            .into(),
        Text::EraseAskSeats { chats: number } => format!(
            "You have access to {}. If I erase your data, <b>this access ends at once</b>: \
             you have to leave, subscriptions are cancelled, and nothing brings it back. \
             Only the sums of payments stay in the books, without your name.\n\n\
             Erase your data?",
            chats(number)
        ),
        Text::EraseAskAgain => "To be sure: this can't be undone. Erase everything now?".into(),
        Text::EraseStarted => "I am erasing your data. It takes a few minutes, and I tell you when it is done.".into(),
        Text::EraseDone => "Your data are erased. Take care!".into(),
        Text::EraseReceipt { items, logs, queues, backups } => format!(
            "{items} {} of you were found and are gone, or name you no more. What can't be erased one by one goes by itself: \
             queues until {}, logs until {}, backups until {}.",
            plural(items, "record", "records"),
            date(queues),
            date(logs),
            date(backups)
        ),
        Text::EraseKept => "Nothing was erased. Everything stays as it was.".into(),

        Text::PaySupport => "<b>A question about a payment?</b> Write it here: what you bought, when, and what went wrong. \
            A person answers you here, also about refunds.\n\n\
            Please write to us and not to Telegram: its support can't help with this purchase."
            .into(),
        Text::Stopped => "Good, I send you no more news and offers. \
            What concerns your access and your payments still comes."
            .into(),
        Text::StopUndone => "Good, you get news and offers again. /stop ends them at any time.".into(),
        Text::Support => "Just write your question here. A person reads it and answers you in this chat.".into(),
        Text::SupportArrived => "Your message has arrived. A person answers you here.".into(),
        Text::SupportArrivedLater { from } => format!(
            "Your message has arrived. Somebody is here again from {} on, and answers you.",
            date(from)
        ),

        Text::SupportElsewhere { contact } => format!(
            "Nobody reads what is written here. You reach a person there: {contact}"
        ),
        Text::SupportNone => "Nobody reads what is written here. Please turn to the place where you bought.".into(),
        Text::NotPassedOn => "I could not pass this message on: Telegram does not let me copy it. \
            Please write it as text, or send it in another way."
            .into(),

        Text::NotDelivered => "Not delivered: Telegram refused this message.".into(),
        Text::NotDeliveredBlocked => "Not delivered: this person has blocked the bot, or their account is gone.".into(),
        Text::NotDeliveredNotStarted => "Not delivered: this person has not started the bot yet.".into(),
        Text::NotDeliveredKind => "Not done: Telegram does not let me do this with this message.".into(),
        Text::JoinedWords { messages, minutes: number } => format!(
            "{messages} {}, {} behind",
            plural(messages, "message", "messages"),
            minutes(number)
        ),
        Text::TopicHead { person, language } => format!("<b>{person}</b>\nLanguage: {language}"),
        Text::TopicNoSeat => "No seat in any chat.".into(),
        Text::TopicSent => "Sent to the person:".into(),
        Text::TopicSentBy { actor } => format!("Sent by {actor}:"),
        Text::TopicUnknownCommand => "I don't know this command. Nothing was sent to the person.".into(),
        Text::TopicShared => "Several people write in this topic. Answer one of their messages, so that I know whom this is for. \
            Nothing was sent."
            .into(),
        Text::TopicConflict { request } => format!("This person says that somebody else has claimed the seat that they paid for. Look at request {request}, and ask its shop."),
        Text::TopicDelete => "Send /delete as an answer to the message that I am to take back.".into(),
        Text::TopicBlocked => "I take no more messages from this person. Their seats stay. /unblock undoes it.".into(),
        Text::TopicUnblocked => "I take messages from this person again.".into(),
        Text::TopicNoReply { name } => format!(
            "There is no prepared answer “{name}”. Answer a message with <code>/reply = {name}</code>, and it becomes one."
        ),
        Text::TopicReplyKept { name } => format!(
            "This message is the prepared answer “{name}” from now on. <code>/reply {name}</code> sends it."
        ),

        Text::TooManyCommands { command } => format!(
            "That was a bit fast for me: I did not take {command}. Please send it again in a minute."
        ),
        Text::TooManyMessages => "That was a bit fast for me: I did not pass on your last message. \
            Please send it again in a minute."
            .into(),
        Text::RoleHowTo => "Write the person's id and the role: <code>/role 123456789 operator</code>. Roles: operator, admin, and public to take one away.".into(),
        Text::RoleTooHigh => "You can give and take only roles below your own, and nobody can change an owner here.".into(),
        Text::RoleGiven { person, role: given } => format!("{person} has the role “{}” now.", role(given)),
        Text::NotHere { command } => format!("I don't take {command} here. /help shows what I do in this chat."),
        Text::HowTo { example } => format!("Please write it like this: {example}"),
        Text::NobodyFound => "I find nobody and nothing by that. I look for a Telegram id, an @name, the id of a request, or a transaction.".into(),
        Text::SeveralFound => "There are several people. Choose one by the id:".into(),
        Text::PersonLine { person, id } => format!("Person: {person}, id {id}"),
        Text::PersonReachable => "I can write to this person.".into(),
        Text::PersonBlockedBot => "This person has blocked me, so I can't write to them.".into(),
        Text::PersonSilent => "This person never wrote to me, so I can't write to them.".into(),
        Text::PersonNoSeat => "This person has no seat.".into(),
        Text::SeatEnded { chat } => format!("<b>{chat}</b>: ended"),
        Text::PersonIn => "Is in the chat.".into(),
        Text::PersonOut => "Is not in the chat.".into(),
        Text::PersonBanned => "An administrator has banned this person by hand.".into(),
        Text::PersonAtDoor => "Asks to join, and waits.".into(),
        Text::RequestLine { id, transaction, status, at } => format!("Request {id}, transaction {transaction}, of {d}: {status}", d = date(at)),
        Text::RequestUnclaimed => "Nobody has claimed it.".into(),
        Text::RequestJoined { at } => format!("Joined on {d}.", d = date(at)),
        Text::RequestVoided { at } => format!("Voided on {d}.", d = date(at)),
        Text::MessageLine { at, state } => format!("My message of {d}: {state}", d = date(at)),
        Text::WaySent => "Good, I send this person their way in.".into(),
        Text::WayNotSent => "I sent nothing: this person has no access now, or I can't write to them.".into(),
        Text::ChatUnknown { known } => format!("Please name one of our chats by its id. These are: {known}"),
        Text::GrantNotHere { chat } => format!("<b>{chat}</b> has no claim links, so I can't give a seat in it."),
        Text::GrantForever { chat, link } => format!("A free seat in <b>{chat}</b>, for good. Pass this link on: whoever opens it first has the seat.\n\n<code>{link}</code>"),
        Text::GrantUntil { chat, link, until } => format!("A free seat in <b>{chat}</b>, until {d}. Pass this link on: whoever opens it first has the seat.\n\n<code>{link}</code>", d = date(until)),
        Text::GrantInPrivate { chat } => format!("A free seat in <b>{chat}</b>: I sent you its link in private, since the first person who opens it has the seat."),
        Text::GrantStartFirst => "Nothing is given: I would send you the link of the seat in private, and can't write to you yet. Start me there, then say it again.".into(),
        Text::EndAsk { person, chat } => format!("End the seat of {person} in <b>{chat}</b>? All that lets this person in there ends at once. Nobody is removed from the chat by it, and no money goes back."),
        Text::ChangedMeanwhile => "This has changed meanwhile, so I did nothing. Please look again.".into(),
        Text::SeatRefused { reason } => format!("This seat does not allow it: {reason}"),
        Text::ChatPaused { chat, reason } => format!("<b>{chat}</b> is paused: {reason}. I make and open nothing there until it is resumed."),
        Text::PauseEnds { until } => format!("The pause ends by itself on {d}.", d = date(until)),
        Text::ChatResumed { chat } => format!("I go on with <b>{chat}</b>."),
        Text::ChatReady { chat } => format!("<b>{chat}</b>: all is well."),
        Text::ChatNoDoor { chat } => format!("<b>{chat}</b>: its request link is missing, so nobody comes in. Run setup again."),
        Text::ChatBroken { chat } => format!("<b>{chat}</b>: my calls fail there. Look at my rights in the chat."),
        Text::ChatWaiting { chat, number } => format!("<b>{chat}</b>: waiting to be done: {number}"),
        Text::UpdatesParked { number } => format!("Messages and taps that I could not handle, which wait for an operator: {number}"),
        Text::Sold { title, amount } => format!("Sold: {title}, for {amount}."),
        Text::CaseOpened { title, case, order } => format!("An order waits for you to decide: {title}.\nCase: {case}\nOrder: {order}"),
        Text::PayoutAddressAsk { currency, address } => format!("What you are due in {currency} is to be paid to this address:\n{address}\n\nIs it right? Nothing is paid to it before you say so."),
        Text::PayoutAddressGone { currency, address } => format!("What was paid to you in {currency} is to be paid to this address from now on, and another person is asked whether it is right:\n{address}\n\nIs that wrong? Then say so, and nothing is paid to it."),
        Text::PayoutAddressConfirmed => "Thank you. You are paid there from the time on when the address is a day old.".into(),
        Text::PayoutAddressDenied => "Thank you for telling us. No new payout goes to that address, and a person looks into it.".into(),
        Text::RightsLost { chat, right } => format!("I lack a right in <b>{chat}</b>: {right}. Until I have it, nobody comes in by me. Give it to me among the administrators of the chat."),
        Text::RightsBack { chat } => format!("I have all rights that I need in <b>{chat}</b>."),
        Text::AddedToChat { chat, id, right } => format!("I was added to <b>{chat}</b>. Its id is <code>{id}</code>: put it into TELEGRAM_CHAT_ID to sell seats in it.\n\nRights that I lack there: {right}"),
        Text::NeedsRole { command, role: needed } => format!(
            "{command} takes the role “{}”. An administrator of this bot can give it to you.",
            role(needed)
        ),
        Text::UnknownCommand => "I don't know this command. /help shows what I can do.".into(),
        Text::DidYouMean { command } => {
            format!("I don't know this command. Did you mean {command}?")
        }
        Text::PrivateOnly => "I answer this in our private chat, where only you can read it.".into(),
    }
}

pub(super) fn label(label: &Label<'_>) -> String {
    match *label {
        Label::OpenChat { chat } => format!("Open {chat}"),
        Label::JoinChat => "Join the chat".into(),
        Label::OpenPrivate => "Open the private chat".into(),
        Label::Pay { price } => format!("Pay {price}"),
        Label::OrderPage { title } => format!("Receipt: {title}"),
        Label::EndRenewal { title } => format!("End the renewal: {title}"),
        Label::EndRenewalYes => "Yes, end the renewal".into(),
        Label::EndRenewalNot => "Let it go on".into(),
        Label::OtherAccount => "That is my other account".into(),
        Label::NotMe => "It was not me".into(),
        Label::UseLink => "Use it for myself".into(),
        Label::KeepLink => "Keep it for somebody else".into(),
        Label::AnotherAccount => "I have another account".into(),
        Label::AnotherAccountOf { chat } => format!("I have another account: {chat}"),
        Label::LostLink => "I lost my link".into(),
        Label::Move => "Make the new link".into(),
        Label::CopyLink => "Copy the link".into(),
        Label::MoveNot => "Leave it here".into(),
        Label::Export => "Get a copy of my data".into(),
        Label::Erase => "Erase my data".into(),
        Label::EraseYes => "Yes, erase my data".into(),
        Label::EraseNow => "Erase everything now".into(),
        Label::EraseNot => "Keep my data".into(),
        Label::NewsStop => "No more news and offers".into(),
        Label::NewsAgain => "Get news and offers again".into(),
        Label::PayoutAddressRight => "Yes, it is right".into(),
        Label::PayoutAddressWrong => "No, it is wrong".into(),
        Label::SendWayIn => "Send the way in".into(),
        Label::EndSeat => "Yes, end the seat".into(),
    }
}

/// What an empty private chat shows.
pub(super) const DESCRIPTION: &str = "I open the private chats that you have bought, and let you in. Press Start, or paste your link here. A person answers your questions.";

/// What the profile of the bot shows.
pub(super) const SHORT_DESCRIPTION: &str = "Your way into the private chats that you have bought.";

pub(super) const fn role(role: Role) -> &'static str {
    match role {
        Role::Public => "everybody",
        Role::Member => "member",
        Role::Operator => "operator",
        Role::Admin => "admin",
        Role::Owner => "owner",
    }
}

pub(super) const fn summary(command: CommandName) -> &'static str {
    match command {
        CommandName::Start => "Begin, or use a link",
        CommandName::Access => "Your chats, until when, and the way in",
        CommandName::Shop => "Buy access",
        CommandName::Orders => "Your orders and receipts, end a renewal",
        CommandName::Coupon => "Use a coupon",
        CommandName::Gift => "Buy access for somebody else",
        CommandName::Support => "Talk to a person",
        CommandName::Help => "What I can do for you",
        CommandName::Language => "Choose your language",
        CommandName::PaySupport => "Ask about a payment or a refund",
        CommandName::Terms => "The terms of sale",
        CommandName::Privacy => "Your data: what is kept, copy, erase",
        CommandName::Stop => "No more news and offers",
        CommandName::Buyer => "Everything about one buyer",
        CommandName::Reply => "Send a prepared answer",
        CommandName::Note => "Write a note about this person",
        CommandName::Delete => "Take a sent message back",
        CommandName::Close => "End this conversation",
        CommandName::Block => "Take no more messages from this person",
        CommandName::Unblock => "Take messages from this person again",
        CommandName::Grant => "Give a free seat",
        CommandName::Extend => "Let a seat last longer",
        CommandName::End => "End a seat",
        CommandName::Allow => "Let somebody stay without a purchase",
        CommandName::Doctor => "Check bots, rights and chats",
        CommandName::Pause => "Stop all work on a chat for a while",
        CommandName::Resume => "Go on with a paused chat",
        CommandName::Role => "Show, give or take roles",
    }
}
