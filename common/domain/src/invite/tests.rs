//! What the record of a request says, and what its state allows.

use super::super::id::IdentitySource;
use super::super::purchase::Chats;
use super::super::text::object;
use super::*;

const START: Timestamp = Timestamp::from_ms(1_763_640_000_000);

fn purchase(user: &str) -> Purchase {
    let chats = Chats::parse("-1").unwrap();
    let body = format!(r#"{{"userId": "{user}", "transactionId": "T"}}"#);
    Purchase::parse(&object(body.as_bytes()).unwrap(), None, &chats).unwrap()
}

fn queued() -> Invite {
    let id = RequestId::derive(ChatId(-1), IdentitySource::Transaction("T"));
    Invite::accept(id, &purchase("u"), START)
}

fn done() -> Invite {
    queued().served_from_pool(ChatId(-1), InviteLink::new("https://t.me/+a"), START)
}

fn joined(invite: Invite) -> Invite {
    Invite {
        joined_at: Some(START),
        telegram_user_id: Some(TelegramUserId(7)),
        joined_link: Some(InviteLink::new("https://t.me/+b")),
        ..invite
    }
}

fn reissued() -> Invite {
    Invite {
        link_version: 1,
        replaced: Some(ReplacedLink {
            invite_link: InviteLink::new("https://t.me/+a"),
            bot: BotId(1),
            link_expires_at: None,
            done_at: None,
            link_event_fired: true,
            is_revoked: true,
            reissued_at: START,
        }),
        ..queued()
    }
}

#[test]
fn a_mint_makes_its_own_version_of_the_link_alone() {
    assert_eq!(queued().mint_step(0), MintStep::Make);
    let retried = Invite {
        status: Status::Processing,
        ..queued()
    };
    assert_eq!(retried.mint_step(0), MintStep::Make);
    assert_eq!(reissued().mint_step(1), MintStep::Make);
    let mut not_revoked = reissued();
    if let Some(old) = &mut not_revoked.replaced {
        old.is_revoked = false;
    }
    assert_eq!(
        not_revoked.mint_step(1),
        MintStep::Drop,
        "settling it would be refused"
    );
    assert_eq!(done().mint_step(0), MintStep::HandedOut);
    assert_eq!(reissued().mint_step(0), MintStep::Drop);
    assert_eq!(reissued().mint_step(1), MintStep::Make);
    assert_eq!(joined(reissued()).mint_step(1), MintStep::Restore);
    let voided = Invite {
        voided_at: Some(START),
        ..queued()
    };
    assert_eq!(voided.mint_step(0), MintStep::Drop);
    let failed = Invite {
        status: Status::Failed,
        ..queued()
    };
    assert_eq!(failed.mint_step(0), MintStep::Drop);
}

#[test]
fn a_link_is_expired_unused_once_it_ended_before_anybody_joined() {
    let late = START.plus(Duration::from_secs(1));
    assert!(done().is_expired_unused(START));
    assert!(done().is_expired_unused(late));
    let works = Invite {
        link_expires_at: Some(late),
        ..done()
    };
    assert!(!works.is_expired_unused(START));
    let voided = Invite {
        voided_at: Some(START),
        ..done()
    };
    for other in [joined(done()), queued(), reissued(), voided] {
        assert!(!other.is_expired_unused(late));
    }
}

#[test]
fn a_record_is_kept_as_long_as_its_link_and_never_shorter_than_before() {
    let least = START.plus(KEPT_AFTER_LINK);
    assert_eq!(done().kept_until(START), least);
    let kept = |expires_at| Invite {
        expires_at: Some(expires_at),
        ..done()
    };
    assert_eq!(kept(START).kept_until(START), least);
    let later = least.plus(Duration::from_secs(9));
    assert_eq!(kept(later).kept_until(START), later);
}

#[test]
fn a_message_is_delivered_once_and_never_for_a_link_that_was_replaced() {
    let invite = joined(done());
    let [link, join] = &invite.pending_events()[..] else {
        panic!("two events");
    };
    for event in [link, join] {
        assert_eq!(invite.state_of(event), EventState::Wanted);
    }
    let delivered = Invite {
        link_event_fired: true,
        join_event_fired: true,
        ..invite.clone()
    };
    let given_up = Invite {
        link_event_given_up: true,
        join_event_given_up: true,
        ..invite.clone()
    };
    for event in [link, join] {
        assert_eq!(delivered.state_of(event), EventState::Delivered);
        assert_eq!(given_up.state_of(event), EventState::GivenUp);
    }
    assert!(given_up.pending_events().is_empty());
    let replaced = Invite {
        link_version: 1,
        ..invite.clone()
    };
    assert_eq!(replaced.state_of(link), EventState::Replaced);
    assert_eq!(replaced.state_of(join), EventState::Wanted);
}

#[test]
fn who_joins_after_another_one_left_is_an_event_of_its_own() {
    let first = joined(done());
    let again = Invite {
        join_version: 1,
        link_version: 1,
        join_event_fired: true,
        ..first.clone()
    };
    let of_first = &first.pending_events()[1];
    // The first one's event may still be on its way: it is delivered, and marks nothing of the second one.
    assert_eq!(again.state_of(of_first), EventState::Wanted);
    let second = Invite {
        join_event_fired: false,
        ..again
    };
    assert_ne!(second.pending_events()[1].event_id, of_first.event_id);
}

#[test]
fn a_maker_that_lost_finds_why() {
    let own = InviteLink::new("https://t.me/+a");
    let other = InviteLink::new("https://t.me/+c");
    assert_eq!(done().settle_refused(&own), Settled::HandedOut(None));
    assert_eq!(done().settle_refused(&other), Settled::Lost);
    assert_eq!(
        joined(reissued()).settle_refused(&other),
        Settled::AlreadyJoined
    );
}

#[test]
fn what_was_not_delivered_is_pending_with_the_link_that_it_came_by() {
    assert!(queued().pending_events().is_empty());
    let [link, join] = &joined(done()).pending_events()[..] else {
        panic!("two events");
    };
    assert_eq!(link.event_name, EventName::LinkCreated);
    assert_eq!(join.event_name, EventName::Joined);
    assert_eq!(join.event_data["inviteLink"], "https://t.me/+b");
    let voided = Invite {
        voided_at: Some(START),
        ..done()
    };
    assert!(voided.pending_events().is_empty());
    let delivered = Invite {
        link_event_fired: true,
        join_event_fired: true,
        ..joined(done())
    };
    assert!(delivered.pending_events().is_empty());
}

#[test]
fn a_transaction_is_of_the_user_who_reported_it_first() {
    assert_eq!(queued().check_buyer(&purchase("u")), Ok(()));
    let conflict = Err(purchase::Rejection::TransactionConflict);
    assert_eq!(queued().check_buyer(&purchase("v")), conflict);
    assert!(queued().is_of(&purchase("u"), START));
    assert!(!queued().is_of(&purchase("v"), START));
    let later = START.plus(Duration::from_millis(1));
    assert!(!queued().is_of(&purchase("u"), later));
}

#[test]
fn a_link_is_to_be_replaced_while_the_next_version_is_wanted() {
    let invite = reissued();
    let version = invite.link_version;
    assert_eq!(invite.to_be_replaced(version), invite.replaced.as_ref());
    assert_eq!(invite.to_be_replaced(version + 1), None);
    assert_eq!(done().to_be_replaced(0), None);
    let voided = Invite {
        voided_at: Some(START),
        ..invite.clone()
    };
    assert_eq!(voided.to_be_replaced(version), None);
    let failed = Invite {
        status: Status::Failed,
        ..invite
    };
    assert!(!failed.waits_for(version));
    assert!(failed.has_failed(version) && !failed.has_failed(version + 1));
    assert!(queued().waits_for(0));
}

#[test]
fn a_replaced_link_is_dead_when_telegram_says_so_or_its_time_is_over() {
    let old = reissued().replaced.unwrap();
    let old = ReplacedLink {
        link_expires_at: Some(START),
        ..old
    };
    let after = START.plus(Duration::from_millis(1));
    assert!(old.is_dead_after(Fault::Permanent, START));
    for fault in [
        Fault::Retry,
        Fault::Unknown,
        Fault::ChatFault,
        Fault::Refused,
    ] {
        assert!(!old.is_dead_after(fault, START), "{fault:?}");
        assert!(old.is_dead_after(fault, after), "{fault:?}");
    }
    assert!(!old.is_dead_after(Fault::Migrated(ChatId(-2)), after));
}

#[test]
fn the_link_that_took_the_place_of_a_used_one_must_go() {
    let (first, second) = (
        done().invite_link.unwrap(),
        InviteLink::new("https://t.me/+c"),
    );
    let invite = Invite {
        link_version: 1,
        invite_link: Some(second.clone()),
        ..done()
    };
    assert_eq!(invite.successor_of(&first), Some(&second));
    assert_eq!(invite.successor_of(&second), None);
    assert_eq!(done().successor_of(&second), None, "none was replaced");
}

#[test]
fn the_sweeper_waits_twice_as_long_each_time_up_to_a_day() {
    let hours = [0, 1, 2, 3, 4, 5, 40].map(|sends| resend_wait(sends).as_secs() / 3600);
    assert_eq!(hours, [1, 2, 4, 8, 16, 24, 24]);
}
