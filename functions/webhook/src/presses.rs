//! What a tap on a button of ours does. Telegram is answered in the same breath, so that the button stops waiting.

use domain::button::{ButtonData, OUR_MARK};
use domain::id::RequestId;
use domain::person::{Counted, Intake};
use domain::texts::Text;
use domain::update::ButtonPress;
use serde_json::{Value, json};
use store::FrontBot;
use tracing::{info, warn};

use crate::commands::{buyer, end, privacy};
use crate::conversation::{Conversation, Sight};
use crate::say::Cause;
use crate::{App, Failure, Handled, Met, UpdateOutcome};

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
        cause: Cause::private(front, &press.from, met.key.id, met.since),
    };
    if let Some((conversation, Intake::Taken)) = Conversation::begin(app, seen).await? {
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
        ButtonData::OtherAccount(_) => conversation.answer(Text::ClaimTakenOther).await,
        ButtonData::NotMe(request) => not_me(conversation, request).await,
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
        ButtonData::WayIn(person) => buyer::send_way_in(conversation, person).await,
        ButtonData::EndSeat {
            person,
            chat,
            version,
        } => end::confirmed(conversation, (person, chat), version).await,
    }
}

/// Somebody else has the seat that this person says they paid for: a person must look.
async fn not_me(conversation: &Conversation<'_>, request: RequestId) -> Result<(), Failure> {
    let invite = conversation.app.invites.get(request).await?;
    // The button can be made up.
    let is_taken = invite.is_some_and(|invite| {
        invite
            .bound_to
            .is_some_and(|holder| holder != conversation.person())
    });
    if !is_taken {
        return conversation.answer(Text::ClaimUnknown).await;
    }
    warn!(invite.id = %request, telegram.user = %conversation.person(), outcome = "conflict",
        "a person says that somebody else has claimed the seat that they paid for; look at the request and ask its shop");
    conversation.answer(Text::ClaimTakenNotMe).await
}
