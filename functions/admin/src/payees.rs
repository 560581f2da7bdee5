//! Where payees are paid, and within which bounds.

use domain::button::ButtonData;
use domain::id::{ChatId, TelegramUserId};
use domain::message::{Button, ButtonAction, Class, Content, Message, MessageId};
use domain::payout::{AddressConfirmation, PayoutAccount, PayoutState};
use domain::person::Reachable;
use domain::texts::{Code, Label, Language, Name, Text};
use runtime::response::{Refusal, Rejection};
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::info;

use crate::gathering::{TRIES, check_payee, gather, invalid, known, live, refused, words};
use crate::ledger::amount;
use crate::{App, unavailable};

/// How many accounts one call lists.
const SHOWN: i32 = 100;
/// So much of it is shown to its payee.
const ADDRESS_MAX_CHARS: usize = 200;
/// The most that a bound can be, in minor units.
const AMOUNT_MAX: i128 = 1_000_000_000_000_000;

/// The body that writes an account.
#[derive(Deserialize)]
pub(crate) struct AskedAccount {
    address: String,
    #[serde(rename = "telegramUserId")]
    telegram_user_id: Option<TelegramUserId>,
    threshold: Value,
    max: Option<Value>,
}

/// The accounts of payees, by payee.
pub(crate) async fn accounts(app: &App, query: &str) -> Result<Value, Refusal> {
    let asked: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let after = match &asked[..] {
        [] => None,
        [(name, after)] if name == "after" && !after.is_empty() => Some(after.as_ref()),
        _ => {
            let why = "Ask for all payees, or for those behind one: ?after=owner%3Ao1%23usd";
            return Err(Refusal::saying(Rejection::InvalidQuery, why));
        }
    };
    let found = app.payees.accounts(after, SHOWN).await;
    let found = found.map_err(unavailable)?;
    let is_full = usize::try_from(SHOWN).is_ok_and(|shown| found.len() >= shown);
    let next = found.last().filter(|_| is_full);
    let next = next.map(|last| format!("{}#{}", last.payee, last.currency));
    let accounts: Vec<Value> = found.iter().map(account_view).collect();
    Ok(json!({"accounts": accounts, "next": next}))
}

/// Where a payee is paid in a currency.
pub(crate) async fn account(app: &App, payee: &str, currency: &str) -> Result<Value, Refusal> {
    Ok(json!({"account": account_view(&known(app, payee, currency).await?)}))
}

/// Writes where a payee is paid. What was gathered for another address and is not approved goes back.
pub(crate) async fn put_account(
    app: &App,
    who: &str,
    (payee, currency): (&str, &str),
    asked: AskedAccount,
) -> Result<Value, Refusal> {
    check_payee(payee, currency)?;
    let address = words(&asked.address, ADDRESS_MAX_CHARS, "address")?;
    let threshold = bound(&asked.threshold, "threshold")?;
    let max = asked.max.as_ref().filter(|max| !max.is_null());
    let max = max.map(|max| bound(max, "max")).transpose()?;
    if max.is_some_and(|max| max < threshold.max(1)) {
        return Err(invalid("max: must not be less than threshold, nor 0."));
    }
    if app
        .payout_bounds
        .of_one(currency)
        .is_some_and(|most| most < threshold)
    {
        return Err(invalid(
            "threshold: must not be more than PAYOUT_MAX_PER_BATCH or PAYOUT_MAX_PER_DAY of the currency: nothing would ever be paid.",
        ));
    }
    let person = asked.telegram_user_id;
    if person.is_some_and(|person| person.0 <= 0) {
        return Err(invalid("telegramUserId: must be the id of a person."));
    }
    for _ in 0..TRIES {
        let (now, found) = (app.clock.now(), app.payees.account(payee, currency).await);
        let before = found
            .map_err(unavailable)?
            .unwrap_or_else(|| PayoutAccount {
                payee: payee.to_owned(),
                currency: currency.to_owned(),
                address: String::new(),
                address_version: 0,
                telegram_user_id: None,
                former: None,
                confirmation: AddressConfirmation::NotAsked,
                threshold,
                max,
                usable_at: now,
                live: None,
                begun_at: None,
                revision: 0,
            });
        let after = before.changed((&address, person), (threshold, max), now);
        let live = live(app, &before).await?;
        let is_paid_now = live.is_some_and(|live| live.state == PayoutState::Approved);
        if is_paid_now && before.address != address {
            return Err(refused(
                "A payout to the address is approved: say first whether it is paid.",
            ));
        }
        if before.revision > 0 && after == before {
            // An earlier call may have died before it asked.
            ask(app, &before).await?;
            return Ok(json!({"account": account_view(&before)}));
        }
        if app
            .payees
            .write_account(&after)
            .await
            .map_err(unavailable)?
        {
            info!(
                payout.payee = payee,
                operator.name = who,
                outcome = "account_written",
                "an operator wrote where a payee is paid"
            );
            ask(app, &after).await?;
            if after.live.is_some() {
                gather(app, who, payee, currency).await?;
            }
            return account(app, payee, currency).await;
        }
    }
    Err(Rejection::Unavailable.into())
}

/// Has the payee asked whether the address is right, and who was the payee before told of it, if the bot may write to them. The
/// messages are known by the address, so that each is sent once. Durable on return.
async fn ask(app: &App, account: &PayoutAccount) -> Result<(), Refusal> {
    if account.confirmation != AddressConfirmation::Asked && account.former.is_none() {
        return Ok(());
    }
    let now = app.clock.now();
    let Some(front) = app.bot_infos.front_lately(now).await.map_err(unavailable)? else {
        return Ok(());
    };
    let mark = account.mark();
    for person in account.asked() {
        let known = app.people.get(person).await.map_err(unavailable)?;
        let Some(known) = known.filter(|known| known.reachable == Reachable::Yes) else {
            info!(
                payout.payee = account.payee,
                outcome = "not_started",
                "a payee is not asked for their address, since the bot can't write to them"
            );
            continue;
        };
        let language = Language::choose(known.language, None, app.default_language);
        let button = |label: Label<'_>, is_right| {
            vec![Button {
                text: label.plain(language),
                action: ButtonAction::Callback(
                    ButtonData::PayoutAddress { mark, is_right }.to_string(),
                ),
            }]
        };
        let (currency, address) = (Name(&account.currency), Code(&account.address));
        let no = button(Label::PayoutAddressWrong, false);
        let (text, buttons) = match account.telegram_user_id == Some(person) {
            true => (
                Text::PayoutAddressAsk { currency, address },
                vec![button(Label::PayoutAddressRight, true), no],
            ),
            false => (Text::PayoutAddressGone { currency, address }, vec![no]),
        };
        let message = Message {
            id: MessageId::new(account.address_since(), &format!("payout-address#{mark}")),
            bot: front.bot,
            // A private chat has the id of its person.
            chat: ChatId(person.0),
            thread: None,
            class: Class::Transactional,
            content: Content::Text {
                html: text.html(language),
                buttons,
                protect: false,
                silent: false,
            },
            not_before: None,
            not_after: None,
        };
        app.messages.put(&message, now).await.map_err(unavailable)?;
        app.message_bells.ring(front.bot).await;
    }
    Ok(())
}

fn bound(value: &Value, name: &str) -> Result<i128, Refusal> {
    let amount = match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_u64().map(i128::from),
        _ => None,
    };
    amount
        .filter(|amount| (0..=AMOUNT_MAX).contains(amount))
        .ok_or_else(|| {
            invalid(format!(
                "{name}: must be a whole number of minor units, such as 5000."
            ))
        })
}

fn account_view(account: &PayoutAccount) -> Value {
    json!({
        "payee": account.payee,
        "currency": account.currency,
        "address": account.address,
        "threshold": amount(account.threshold),
        "max": account.max.map(amount),
        "telegramUserId": account.telegram_user_id,
        "confirmation": account.confirmation,
        "usableAt": account.usable_at,
        "payoutId": account.live,
    })
}
