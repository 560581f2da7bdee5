//! The door of a claimed chat: who asks to be let in, who came in and who went out, as their seats keep it.
//!
//! ```text
//! write the seat      with the task that lets them in, if they are entitled     die here: Telegram sends the update again
//!                     with one that declines later, if they are not
//!                     with one that takes them out, if their seat moved
//! record the join     of each request that gives the seat                       die here: as above; it is recorded once
//! queue its event     die here: the sweeper finds it pending
//! ```

use std::time::Duration;

use domain::id::{ChatId, InviteLink, RequestId, TelegramUserId};
use domain::invite::Invite;
use domain::join::{Join, Presence};
use domain::member::command::{DoorPath, SeatChange, SeatCommand};
use domain::member::decide::decide;
use domain::member::effect::SeatEffect;
use domain::member::entitlement::EntitlementId;
use domain::member::presence::PresenceEvent;
use domain::message::Class;
use domain::task::Task;
use domain::texts::{Address, Language, Name, Text};
use domain::update::JoinRequest;
use store::{ChatInfo, FrontBot, Joined, SeatWritten, UpdateKey};
use tracing::{error, info, warn};

use crate::say::{Cause, say};
use crate::unheard::silence;
use crate::{App, Failure, UpdateOutcome, announce};

/// Somebody asks to be let into a chat. In a chat that is not claimed that is its administrators' to decide.
pub(crate) async fn asked(
    app: &App,
    front: &FrontBot,
    key: UpdateKey,
    request: &JoinRequest,
) -> Result<UpdateOutcome, Failure> {
    let chat = app.canonical_chat(request.chat);
    if !app.deliveries.is_claimed(chat) {
        return Ok(UpdateOutcome::Ignored);
    }
    let silence = silence(app, request.person, request.at).await?;
    let info = app.chat_infos.get(chat).await?;
    // Telegram tells each bot that may let people in; one of them takes it.
    if info.as_ref().is_some_and(|info| info.door_bot != key.bot) {
        return Ok(UpdateOutcome::Ignored);
    }
    let own = info.as_ref().map(|info| &info.request_link);
    let path = match request.link.is_some() && request.link.as_ref() == own {
        true => DoorPath::OwnLink,
        false => DoorPath::Other,
    };
    let command = SeatCommand::AskAtDoor {
        path,
        date: request.at,
    };
    if let Some(silence) = silence {
        // Who is being erased is not let in. Nobody would ever tell Telegram so, and they could not ask again.
        if silence.is_under_way && path == DoorPath::OwnLink {
            turn_away(app, request, chat, &command).await?;
        }
        return Ok(UpdateOutcome::Ignored);
    }
    let effects = write(app, request.person, chat, &command).await?;
    for effect in &effects {
        match effect {
            SeatEffect::Approve { .. } => {
                info!(chat.id = %chat, outcome = "entitled", "a person who is entitled asks to be let in");
            }
            SeatEffect::HowToClaim { .. } => {
                info!(chat.id = %chat, outcome = "not_entitled", "a person without a seat asks to be let in");
                tell(
                    app,
                    (front, info.as_ref()),
                    key,
                    request,
                    DoorRefusal::HowToClaim,
                )
                .await?;
            }
            SeatEffect::AskSupport { .. } => {
                warn!(chat.id = %chat, outcome = "banned", "a person who was banned by hand asks to be let in, which is support's to decide");
                tell(
                    app,
                    (front, info.as_ref()),
                    key,
                    request,
                    DoorRefusal::AskSupport,
                )
                .await?;
            }
            _ => {}
        }
    }
    Ok(UpdateOutcome::Handled)
}

/// Has a join request declined at once, without a word.
async fn turn_away(
    app: &App,
    request: &JoinRequest,
    chat: ChatId,
    command: &SeatCommand,
) -> Result<(), Failure> {
    let (person, now) = (request.person, app.clock.now());
    let decline = Task::decline_of(chat, person, request.at, Duration::ZERO);
    let written = app.seats.change(
        (person, chat),
        &app.tasks,
        now,
        |seat| decide(seat, command, now),
        |change| {
            let waits = change.seat.requested_at == Some(request.at);
            waits.then(|| decline.clone()).into_iter().collect()
        },
    );
    written.await?;
    app.bells.ring(chat).await;
    Ok(())
}

/// What somebody is told who is not let in.
#[derive(Clone, Copy)]
enum DoorRefusal {
    HowToClaim,
    AskSupport,
}

/// Whoever asks to be let in may be written to for five minutes, also if they never started the bot, by the bot that got
/// the request (<https://core.telegram.org/bots/api#chatjoinrequest>).
async fn tell(
    app: &App,
    (front, info): (&FrontBot, Option<&ChatInfo>),
    key: UpdateKey,
    request: &JoinRequest,
    refusal: DoorRefusal,
) -> Result<(), Failure> {
    let Some(info) = info else {
        return Ok(());
    };
    let bot = format!("{}/{}", app.link_base, front.username);
    let text = match refusal {
        DoorRefusal::HowToClaim => Text::JoinNotEntitled {
            chat: Name(&info.title),
            claim: Address(&bot),
            minutes: u32::try_from(app.join_request_hold.as_secs() / 60).unwrap_or(u32::MAX),
        },
        DoorRefusal::AskSupport => Text::Banned {
            chat: Name(&info.title),
        },
    };
    let cause = Cause {
        bot: key.bot,
        chat: ChatId(request.person.0),
        thread: None,
        update: key.id,
        at: request.at,
    };
    let language = request.language_code.as_deref();
    let language = Language::choose(None, language, app.default_language);
    say(
        app,
        cause,
        // Anybody can ask, again and again: nobody's receipt waits for that.
        Class::Reply,
        text.html(language),
        Vec::new(),
    )
    .await
}

/// Telegram's word on where somebody is, in a claimed chat.
pub(crate) async fn moved(
    app: &App,
    presence: &Presence,
    chat: ChatId,
    event: PresenceEvent,
) -> Result<(), Failure> {
    let command = SeatCommand::Presence {
        event,
        date: presence.at,
    };
    write(app, presence.person, chat, &command).await?;
    Ok(())
}

/// Whether this is the link of a chat by which people ask to be let in.
pub(crate) async fn is_request_link(
    app: &App,
    chat: ChatId,
    link: &InviteLink,
) -> Result<bool, Failure> {
    let info = app.chat_infos.get(chat).await?;
    Ok(info.is_some_and(|info| info.request_link == *link))
}

/// Somebody came in by a link that was handed out before the chat was claimed: what its request grants is in their seat, as
/// if they had claimed it; not if somebody else has. One that was ended after this join stays so.
pub(crate) async fn joined_by_link(
    app: &App,
    join: &Join,
    chat: ChatId,
    invite: &Invite,
) -> Result<(), Failure> {
    let is_anothers = invite.bound_to.is_some_and(|holder| holder != join.person);
    if invite.voided_at.is_some() || is_anothers || !app.deliveries.is_claimed(chat) {
        return Ok(());
    }
    let (id, now) = (
        EntitlementId::of_request(invite.request_id),
        app.clock.now(),
    );
    let write = SeatCommand::Write {
        id: id.clone(),
        entitlement: invite.entitlement(),
    };
    let written = app.seats.change(
        (join.person, chat),
        &app.tasks,
        now,
        |seat| {
            let known = seat.entitlements.get(&id);
            let ended_at = known.and_then(|known| known.cut_at);
            match ended_at.is_some_and(|at| at > join.at) {
                true => Ok(SeatChange {
                    seat: seat.clone(),
                    effects: Vec::new(),
                }),
                false => decide(seat, &write, now),
            }
        },
        SeatChange::tasks,
    );
    if let SeatWritten::Rejected(rejection) = written.await? {
        error!(invite.id = %invite.request_id, fault = "seat_refused", "a request does not fit into the seat of its buyer: {}", rejection.code());
    }
    Ok(())
}

/// Who came in by such a link has left: it gives no way back, since its shop may have it replaced. The person who claimed it has it.
pub(crate) async fn left_by_link(
    app: &App,
    presence: &Presence,
    chat: ChatId,
    id: RequestId,
) -> Result<(), Failure> {
    let invite = app.invites.get(id).await?;
    let left = invite.filter(|invite| {
        invite.has_invite_link()
            && invite.bound_to.is_none()
            && invite.telegram_user_id == Some(presence.person)
    });
    let Some(at) = left.and_then(|invite| invite.left_at) else {
        return Ok(());
    };
    let id = EntitlementId::of_request(id);
    // A seat that never had it says so, and stays as it is.
    write(app, presence.person, chat, &SeatCommand::Close { id, at }).await?;
    Ok(())
}

/// Somebody is in whose seat is written: each of their requests in the chat has its join, once.
pub(crate) async fn admitted(
    app: &App,
    presence: &Presence,
    chat: ChatId,
) -> Result<UpdateOutcome, Failure> {
    let mut outcome = UpdateOutcome::Ignored;
    for invite in requests_of(app, presence.person, chat).await? {
        if record(app, presence, &invite).await? {
            outcome = UpdateOutcome::Joined;
        } else if outcome == UpdateOutcome::Ignored {
            outcome = UpdateOutcome::Duplicate;
        }
    }
    Ok(outcome)
}

/// Where somebody is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    Inside,
    Outside,
}

/// Notes in each request of a person that they are outside, or inside again; who came in by another way than ours has
/// joined as well.
pub(crate) async fn note(
    app: &App,
    presence: &Presence,
    chat: ChatId,
    whereabouts: Whereabouts,
) -> Result<(), Failure> {
    if whereabouts == Whereabouts::Inside {
        admitted(app, presence, chat).await?;
        return Ok(());
    }
    let now = app.clock.now();
    for invite in requests_of(app, presence.person, chat).await? {
        let id = invite.request_id;
        let is_news = app.invites.record_leave(id, presence, now).await?;
        announce::left(app, id, presence).await?;
        if is_news {
            info!(invite.id = %id, chat.id = %chat, outcome = "left", "a buyer left");
        }
    }
    Ok(())
}

/// The requests that a person has claimed in a chat and that were not voided.
async fn requests_of(
    app: &App,
    person: TelegramUserId,
    chat: ChatId,
) -> Result<Vec<Invite>, Failure> {
    let seat = app.seats.get(person, chat).await?;
    let mut invites = Vec::new();
    for id in seat.entitlements.keys().filter_map(EntitlementId::request) {
        invites.extend(app.invites.get(id).await?);
    }
    invites.retain(|invite| invite.voided_at.is_none() && invite.bound_to == Some(person));
    Ok(invites)
}

/// Records the join of one request; answers whether it is the first.
async fn record(app: &App, presence: &Presence, invite: &Invite) -> Result<bool, Failure> {
    let (id, now) = (invite.request_id, app.clock.now());
    // What the shop gave its buyer is what it is told again.
    let Some(link) = invite.invite_link.clone() else {
        return Ok(false);
    };
    let join = Join {
        chat: presence.chat,
        person: presence.person,
        link,
        at: presence.at,
    };
    let (invite, is_first) = match app.invites.record_join(id, &join, now).await? {
        Joined::First(invite) => (invite, true),
        Joined::Again(invite) => (invite, false),
        Joined::Past(_) | Joined::Missing => return Ok(false),
    };
    if let Some(event) = invite.unsent_join_event(&join.link) {
        app.events.send_now(event).await?;
    }
    announce::joined(app, &invite).await?;
    if is_first {
        let waited_s = now.since(invite.created_at).as_secs();
        info!(invite.id = %id, chat.id = %presence.chat, outcome = "joined", waited_s, "the buyer joined");
    }
    Ok(is_first)
}

/// Writes what a command makes of a seat, with the tasks that follow; answers all that follows.
async fn write(
    app: &App,
    person: TelegramUserId,
    chat: ChatId,
    command: &SeatCommand,
) -> Result<Vec<SeatEffect>, Failure> {
    let now = app.clock.now();
    let written = app.seats.change(
        (person, chat),
        &app.tasks,
        now,
        |seat| decide(seat, command, now),
        |change| {
            let declines = change.declines(app.join_request_hold);
            change.tasks().into_iter().chain(declines).collect()
        },
    );
    match written.await? {
        SeatWritten::Done(change) => {
            if !change.tasks().is_empty() {
                app.bells.ring(chat).await;
            }
            Ok(change.effects)
        }
        // What Telegram says of people is never refused by a seat; only what it does not have can't be ended.
        SeatWritten::Rejected(_) | SeatWritten::NotClaimable => Ok(Vec::new()),
    }
}
