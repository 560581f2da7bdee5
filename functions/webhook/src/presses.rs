//! What a tap on a button of ours does. Telegram is answered in the same breath, so that the button stops waiting.

use domain::button::{ButtonData, OUR_MARK};
use domain::claim::is_disputed_again;
use domain::id::RequestId;
use domain::person::{Counted, Intake};
use domain::texts::{Code, Text};
use domain::update::ButtonPress;
use serde_json::{Value, json};
use store::FrontBot;
use tracing::{error, info, warn};

use crate::commands::{buyer, end, orders, privacy, shop};
use crate::conversation::{Conversation, Sight};
use crate::relay::{self, RelayAuthor, RelayCause};
use crate::say::Cause;
use crate::{App, Failure, Handled, Met, UpdateOutcome, moves, payees};

/// Handles a press. Its time is when it was first met: Telegram gives it none.
pub(crate) async fn pressed(
    app: &App,
    front: &FrontBot,
    met: Met,
    press: &ButtonPress,
) -> Result<Handled, Failure> {
    if !press.data.starts_with(OUR_MARK) {
        return Ok(UpdateOutcome::Ignored.into());
    }
    let seen = Sight {
        sender: &press.from,
        counted: Some(Counted::Press),
        is_first: met.is_first,
        cause: cause(app, front, met, press),
    };
    let is_at_desk = seen.cause.chat.0 != press.from.person.0;
    if let Some((mut conversation, Intake::Taken)) = Conversation::begin(app, seen).await? {
        if is_at_desk {
            conversation.language = app.default_language;
        }
        match press.data.parse() {
            Ok(button) => act(&conversation, button).await?,
            Err(_) => info!(
                outcome = "unknown_button",
                "a button is pressed that we do not make"
            ),
        }
    }
    Ok(Handled {
        outcome: UpdateOutcome::Handled,
        reply: Some(answered(press)),
    })
}

/// A press is answered in private; one in the operators' chat where it was done.
fn cause(app: &App, front: &FrontBot, met: Met, press: &ButtonPress) -> Cause {
    let private = Cause::private(front, &press.from, met.key.id, met.since);
    let desk = press.chat.filter(|chat| app.operator_chat == Some(*chat));
    match desk {
        Some(chat) => Cause {
            chat,
            thread: press.thread,
            ..private
        },
        None => private,
    }
}

/// The answer that Telegram waits for.
pub(crate) fn answered(press: &ButtonPress) -> Value {
    json!({"method": "answerCallbackQuery", "callback_query_id": press.id})
}

async fn act(conversation: &Conversation<'_>, button: ButtonData) -> Result<(), Failure> {
    let (app, person) = (conversation.app, conversation.person());
    let now = app.clock.now();
    match button {
        ButtonData::Language(language) => {
            app.people.choose_language(person, language).await?;
            let html = Text::LanguageChosen.html(language);
            conversation
                .say(domain::message::Class::Reply, html, Vec::new())
                .await
        }
        ButtonData::OtherAccount(request) => other_account(conversation, request).await,
        ButtonData::NotMe(request) => not_me(conversation, request).await,
        ButtonData::AnotherAccount(request) => moves::ask(conversation, request).await,
        ButtonData::Move { request, version } => {
            moves::confirmed(conversation, request, version).await
        }
        ButtonData::MoveNot => conversation.show_seats(Text::AccessNothing).await,
        ButtonData::LostLink => conversation.answer(Text::LostLink).await,
        ButtonData::NewsStop => {
            app.people.opt_out(person, true, now).await?;
            conversation.answer(Text::Stopped).await
        }
        ButtonData::NewsAgain => {
            app.people.opt_out(person, false, now).await?;
            conversation.answer(Text::StopUndone).await
        }
        ButtonData::Export => privacy::export(conversation).await,
        ButtonData::Erase => privacy::ask(conversation).await,
        ButtonData::EraseYes(question) => privacy::ask_again(conversation, question).await,
        ButtonData::EraseNow(question) => privacy::erase(conversation, question).await,
        ButtonData::EraseNot => conversation.answer(Text::EraseKept).await,
        ButtonData::Buy { offer } => shop::buy(conversation, offer, false).await,
        ButtonData::Give { offer } => shop::buy(conversation, offer, true).await,
        ButtonData::EndRenewal(order) => orders::ask(conversation, order).await,
        ButtonData::EndRenewalYes(order) => orders::end_renewal(conversation, order).await,
        ButtonData::EndRenewalNot => conversation.answer(Text::RenewalKept).await,
        ButtonData::UseGift(order) => conversation.use_gift(order).await,
        ButtonData::KeepGift => conversation.answer(Text::ClaimKept).await,
        ButtonData::PayoutAddress { mark, is_right } => {
            payees::answered(conversation, mark, is_right).await
        }
        ButtonData::WayIn(person) => buyer::send_way_in(conversation, person).await,
        ButtonData::EndSeat {
            person,
            chat,
            version,
        } => end::confirmed(conversation, (person, chat), version).await,
    }
}

/// The same where operators answer people: in the topic of this person.
async fn tell_operators(
    conversation: &Conversation<'_>,
    request: RequestId,
) -> Result<(), Failure> {
    let (app, cause) = (conversation.app, conversation.cause);
    let Some(desk) = app.operator_chat else {
        return Ok(());
    };
    let cause = RelayCause {
        bot: cause.bot,
        desk,
        update: cause.update,
        at: cause.at,
    };
    let author = RelayAuthor {
        person: conversation.person(),
        language: conversation.language,
    };
    let id = request.to_string();
    let request = Code(&id);
    let html = Text::TopicConflict { request }.html(app.default_language);
    relay::note(app, cause, author, &conversation.who.name, &html).await
}

/// Another account of this person has the seat.
async fn other_account(conversation: &Conversation<'_>, request: RequestId) -> Result<(), Failure> {
    let invite = conversation.app.invites.get(request).await?;
    let text = match invite.is_some_and(|invite| invite.has_invite_link()) {
        true => Text::LinkTakenOther,
        false => Text::ClaimTakenOther,
    };
    conversation.answer(text).await
}

/// Somebody else has the seat that this person says they paid for: a person must look.
async fn not_me(conversation: &Conversation<'_>, request: RequestId) -> Result<(), Failure> {
    let invite = conversation.app.invites.get(request).await?;
    // The button can be made up.
    let is_taken = invite.is_some_and(|invite| {
        invite
            .holder()
            .is_some_and(|holder| holder != conversation.person())
    });
    if !is_taken {
        return conversation.answer(Text::ClaimUnknown).await;
    }
    warn!(invite.id = %request, telegram.user = %conversation.person(), outcome = "conflict",
        "a person says that somebody else has claimed the seat that they paid for; look at the request and ask its shop");
    let at = conversation.cause.at;
    let times = conversation.app.invites.note_dispute(request, at).await?;
    if is_disputed_again(&times, at) {
        error!(invite.id = %request, fault = "seat_disputed",
            "for the second time within a day a person says that somebody else has claimed the seat that they paid for");
    }
    tell_operators(conversation, request).await?;
    conversation.answer(Text::ClaimTakenNotMe).await
}
