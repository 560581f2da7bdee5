//! The machine of a payout, by each order of the steps, and what it books.

use super::super::id::TelegramUserId;
use super::super::order::ledger::Balances;
use super::*;

const NOW: Timestamp = Timestamp::from_ms(1_795_176_000_000);

fn row(number: u64, amount: i128, age_days: i64) -> PayableRow {
    let available_at = Timestamp::from_ms(NOW.ms() - age_days * 24 * 3600 * 1000);
    PayableRow {
        key: format!("{available_at}#{number}"),
        amount,
        available_at,
    }
}

fn account(threshold: i128, max: Option<i128>) -> PayoutAccount {
    PayoutAccount {
        payee: "owner:o1".to_owned(),
        currency: "usd".to_owned(),
        address: "DE00".to_owned(),
        address_version: 1,
        telegram_user_id: None,
        former: None,
        confirmation: AddressConfirmation::NotAsked,
        threshold,
        max,
        usable_at: NOW,
        live: None,
        begun_at: None,
        revision: 1,
    }
}

fn chosen(account: &PayoutAccount, open: &[PayableRow]) -> Vec<i128> {
    let rows = account.choose(&[], open, (NOW, None));
    rows.iter().map(|row| row.amount).collect()
}

#[test]
fn what_was_taken_back_comes_first_and_what_is_not_available_waits() {
    let open = [
        row(1, 500, 3),
        row(2, 700, 1),
        row(3, 900, -1),
        row(4, -300, -5),
    ];
    assert_eq!(chosen(&account(0, None), &open), [-300, 500, 700]);
    // Within the bound, which what was taken back makes room in.
    assert_eq!(chosen(&account(0, Some(300)), &open), [-300, 500]);
    assert_eq!(chosen(&account(0, Some(199)), &open), [-300]);
}

#[test]
fn a_payout_begins_once_a_day_with_enough_and_at_an_address_that_has_waited() {
    let open = [row(1, 500, 3)];
    let of =
        |account: PayoutAccount, open: &[PayableRow]| account.begin(open, (NOW, None)).map(|_| ());
    assert_eq!(of(account(500, None), &open), Ok(()));
    assert_eq!(of(account(501, None), &open), Err(PayoutRefused::TooLittle));
    assert_eq!(of(account(0, None), &[]), Err(PayoutRefused::TooLittle));
    assert_eq!(
        of(account(0, None), &[row(1, -5, 3)]),
        Err(PayoutRefused::TooLittle)
    );
    let moved = account(0, None).changed(("DE01", None), (0, None), NOW);
    assert_eq!(of(moved.clone(), &open), Err(PayoutRefused::Address));
    assert!(moved.begin(&open, (NOW.plus(ADDRESS_WAIT), None)).is_ok());
    assert_eq!(
        account(0, None)
            .changed(("DE00", None), (7, None), NOW)
            .usable_at,
        NOW
    );
    let (begun, payout) = account(0, None).begin(&open, (NOW, None)).unwrap();
    assert_eq!(begun.live, Some(payout.id.clone()));
    assert_eq!(of(begun.clone(), &open), Err(PayoutRefused::State));
    assert_eq!(of(begun.without_live(), &open), Err(PayoutRefused::Today));
    assert_eq!(payout.id.to_string().parse(), Ok(payout.id));
}

#[test]
fn a_payout_stays_within_the_bound_of_the_deployment_and_a_day_within_its_own() {
    let open = [row(1, 500, 3), row(2, 700, 1)];
    let chosen = |max, cap| {
        let rows = account(0, max);
        let rows = rows.choose(&[], &open, (NOW, cap));
        rows.iter().map(|row| row.amount).collect::<Vec<_>>()
    };
    assert_eq!(chosen(None, Some(500)), [500]);
    assert_eq!(chosen(Some(499), Some(1200)), []);
    assert_eq!(chosen(Some(1200), Some(1200)), [500, 700]);
    let day = ApprovedOfDay::new("usd", NOW);
    let day = day.with(500, 900).unwrap();
    assert_eq!(day.with(401, 900), Err(PayoutRefused::DayFull));
    assert_eq!(day.with(i128::MAX, i128::MAX), Err(PayoutRefused::DayFull));
    assert_eq!(day.with(400, 900).unwrap().total, 900);
}

#[test]
fn a_new_address_is_used_once_its_payee_says_that_it_is_right_and_never_once_they_say_that_it_is_wrong()
 {
    let (ann, bob, eve) = (TelegramUserId(7), TelegramUserId(8), TelegramUserId(9));
    let late = NOW.plus(ADDRESS_WAIT);
    let of = |person| account(0, None).changed(("DE01", person), (0, None), NOW);
    let nobody = of(None);
    assert_eq!(nobody.check_address(NOW), Err(PayoutRefused::Address));
    assert_eq!(nobody.check_address(late), Ok(()));
    let asked = of(Some(ann));
    assert_eq!(asked.check_address(late), Err(PayoutRefused::Unconfirmed));
    let mark = asked.mark();
    assert_eq!(mark.to_string().parse(), Ok(mark));
    assert_eq!(asked.answered(eve, mark, true), None);
    assert_eq!(asked.answered(eve, mark, false), None);
    let confirmed = asked.answered(ann, mark, true).unwrap();
    assert_eq!(confirmed.check_address(NOW), Err(PayoutRefused::Address));
    assert_eq!(confirmed.check_address(late), Ok(()));
    // Bounds alone ask for nothing.
    let bounded = confirmed.changed(("DE01", Some(ann)), (5, None), late);
    assert_eq!(
        (bounded.check_address(late), bounded.threshold),
        (Ok(()), 5)
    );
    // Who puts another person in the payee's place is not confirmed by that person alone: the payee hears of it, and says no.
    let stolen = confirmed.changed(("XX99", Some(bob)), (0, None), late);
    assert_eq!(stolen.asked().collect::<Vec<_>>(), [bob, ann]);
    let theirs = stolen.mark();
    assert_eq!(stolen.answered(bob, mark, true), None, "the old question");
    assert_eq!(stolen.answered(ann, theirs, true), None);
    let taken = stolen.answered(bob, theirs, true).unwrap();
    assert_eq!(taken.check_address(late), Err(PayoutRefused::Address));
    let denied = taken.answered(ann, theirs, false).unwrap();
    let after = late.plus(ADDRESS_WAIT);
    assert_eq!(denied.check_address(after), Err(PayoutRefused::Denied));
    assert_eq!(denied.answered(bob, theirs, true), None);
    // Nor does it help to change it once more, to leave the person out, or both.
    let twice = taken.changed(("XX98", Some(bob)), (0, None), late);
    assert_eq!(twice.asked().collect::<Vec<_>>(), [bob, ann]);
    // A day later, confirmed and not denied, it is Bob who is asked of what follows.
    let settled = taken.changed(("XX97", None), (0, None), late.plus(ADDRESS_WAIT));
    assert_eq!(settled.asked().collect::<Vec<_>>(), [bob]);
    let hidden = confirmed.changed(("XX99", None), (0, None), late);
    assert_eq!(hidden.asked().collect::<Vec<_>>(), [ann]);
    let again = hidden.changed(("XX98", None), (0, None), late);
    assert_eq!(again.asked().collect::<Vec<_>>(), [ann]);
    let denied = again.answered(ann, again.mark(), false).unwrap();
    assert_eq!(denied.check_address(after), Err(PayoutRefused::Denied));
}

/// Every sequence of six steps: the books of each payout are those of its state, and what is over stays.
#[test]
fn whatever_is_asked_in_whatever_order_the_books_are_those_of_the_state() {
    let account = account(0, None);
    let (_, begun) = account.begin(&[row(1, 500, 3)], (NOW, None)).unwrap();
    type Step = fn(&Payout, &PayoutAccount) -> Result<Payout, PayoutRefused>;
    let steps: [Step; 6] = [
        |payout, _| payout.close(),
        |payout, account| payout.summed(500, 1, account),
        |payout, account| payout.approve("alice", account, NOW),
        |payout, _| payout.paid("alice", "ref", NOW),
        |payout, _| payout.fail("alice", "no", NOW),
        |payout, _| payout.released(),
    ];
    let mut reached = std::collections::BTreeSet::new();
    for number in 0..6_usize.pow(6) {
        let (mut payout, mut books, mut left) = (begun.clone(), Balances::default(), number);
        for _ in 0..6 {
            let step = steps[left % 6];
            left /= 6;
            let Ok(next) = step(&payout, &account) else {
                continue;
            };
            assert!(!payout.state.is_over(), "{payout:?}");
            for entry in next.entries(&payout) {
                books.book(entry.account, "usd", entry.amount).unwrap();
            }
            payout = next;
        }
        let stands: Vec<String> = books
            .iter()
            .map(|(account, _, amount)| format!("{account} {amount}"))
            .collect();
        let id = &payout.id;
        let expected = match (payout.state, payout.total) {
            (PayoutState::Closed | PayoutState::Approved, Some(500)) => {
                vec!["owner:o1 500".to_owned(), format!("payout:{id} -500")]
            }
            (PayoutState::Paid, Some(500)) => {
                vec!["owner:o1 500".to_owned(), "bank -500".to_owned()]
            }
            (PayoutState::Paid, _) => panic!("{payout:?}"),
            _ => Vec::new(),
        };
        assert_eq!(stands, expected, "{payout:?}");
        reached.insert(format!("{:?}", payout.state));
    }
    assert_eq!(reached.len(), 6, "{reached:?}");
}

#[test]
fn the_payee_does_not_approve_and_an_address_that_changed_is_not_paid() {
    let account = account(0, None);
    let (_, begun) = account.begin(&[row(1, 500, 3)], (NOW, None)).unwrap();
    let closed = begun.close().unwrap().summed(500, 1, &account).unwrap();
    for who in ["o1", "owner:o1"] {
        assert_eq!(
            closed.approve(who, &account, NOW),
            Err(PayoutRefused::OwnPayout)
        );
    }
    let moved = account.changed(("DE01", None), (0, None), NOW);
    assert_eq!(
        closed.approve("alice", &moved, NOW),
        Err(PayoutRefused::Address)
    );
    let back = moved.changed(("DE00", None), (0, None), NOW);
    assert_eq!(
        closed.approve("alice", &back, NOW),
        Err(PayoutRefused::Address)
    );
    assert!(closed.approve("alice", &account, NOW).is_ok());
    assert!(!format!("{closed:?} {account:?}").contains("DE00"));
}
