//! What goes wrong in a sale, carried out against those who take money.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use futures_util::future::join_all;
use local::resources::PAYMENTS;
use simulators::nowpayments::{IpnFate, IpnRule, Trouble, TroubleRule};
use simulators::stripe::{EventFault, EventRule, ReleaseOrder, StripeFault, StripeFaultRule};
use tokio::time::{Instant, sleep, sleep_until};

use super::Sale;
use super::plan::{SaleFault, SaleWindow};
use crate::wire::CallOutcome;

/// Who dies, and whose connections break: the others have seeds of their own.
const CALLERS: [&str; 6] = ["shop", "payments", "settlement", "admin", "pay", "sweeper"];
/// How often bells are lost while they are.
const LOST_EVERY: Duration = Duration::from_secs(20);

/// Sets what holds from the beginning: calls go wrong while a window of the plan is open, by this seed.
pub(super) fn set_up(sale: &Sale<'_>, seed: u64) {
    let calls: Vec<(Duration, Duration, u32)> = sale
        .plan
        .windows
        .iter()
        .filter_map(|window| match window.fault {
            SaleFault::Calls { one_in } => Some((window.from, window.to, one_in)),
            _ => None,
        })
        .collect();
    let (start, rng) = (
        sale.start,
        Arc::new(Mutex::new(Rng::with_seed(seed ^ 0x1d6e))),
    );
    sale.world.wire.fault_policy(Box::new(move |call, _| {
        let now = start.elapsed();
        let mut open = calls
            .iter()
            .filter(|(from, to, _)| (*from..*to).contains(&now));
        let Some((.., one_in)) = open.next() else {
            return CallOutcome::Pass;
        };
        let mut rng = rng.lock().unwrap_or_else(PoisonError::into_inner);
        if !CALLERS.contains(&call.caller) || rng.u32(0..*one_in) > 0 {
            return CallOutcome::Pass;
        }
        match rng.u32(0..5) {
            0 => CallOutcome::DieBefore,
            1 => CallOutcome::DieAfter,
            2 => CallOutcome::CutBefore,
            3 => CallOutcome::CutAfter,
            _ => CallOutcome::Twice,
        }
    }));
}

/// Carries all windows out, to the end of the last one.
pub(super) async fn perform(sale: &Sale<'_>) -> anyhow::Result<()> {
    let windows = sale.plan.windows.iter().map(|window| run(sale, *window));
    join_all(windows).await.into_iter().collect()
}

async fn run(sale: &Sale<'_>, window: SaleWindow) -> anyhow::Result<()> {
    let (providers, telegram) = (sale.world.providers()?, &sale.world.telegram);
    let (stripe, nowpayments) = (&providers.stripe, &providers.nowpayments);
    let end = sale.start + window.to;
    sleep_until(sale.start + window.from).await;
    let events = |fault| EventRule {
        event_type: None,
        times: None,
        fault,
    };
    match window.fault {
        SaleFault::Calls { .. } => {}
        SaleFault::StripeAway { way } => {
            stripe.fail(StripeFaultRule::always(stripe_fault(way)));
        }
        SaleFault::CoinsAway { way } => {
            nowpayments.fail(TroubleRule::always(trouble(way)));
        }
        SaleFault::EventsLost => stripe.fail_delivery(&events(EventFault::Lose)),
        SaleFault::EventsLate { by } => stripe.fail_delivery(&events(EventFault::Delay(by))),
        SaleFault::EventsRepeated { times } => {
            stripe.fail_delivery(&events(EventFault::Repeat(times)));
        }
        SaleFault::EventsReordered { .. } => stripe.hold_events(),
        SaleFault::IpnsLost => nowpayments.treat_ipns(IpnRule::of(IpnFate::Lost)),
        SaleFault::IpnsLate { by } => nowpayments.treat_ipns(IpnRule::of(IpnFate::Late(by))),
        SaleFault::IpnsRepeated { times } => {
            nowpayments.treat_ipns(IpnRule::of(IpnFate::Repeated(times)));
        }
        SaleFault::IpnsReversed => nowpayments.treat_ipns(IpnRule::of(IpnFate::Held)),
        SaleFault::StarsLost => telegram.loses_payments(sale.world.bots[0], true),
        SaleFault::BellsLost => {
            while Instant::now() < end {
                // SQS does so once a minute.
                let _ = sale.world.purge(PAYMENTS.queue).await;
                sleep(LOST_EVERY).await;
            }
        }
    }
    sleep_until(end).await;
    match window.fault {
        SaleFault::Calls { .. } | SaleFault::BellsLost => {}
        // Windows of one kind may overlap: then the one that ends first ends both.
        SaleFault::StripeAway { .. }
        | SaleFault::EventsLost
        | SaleFault::EventsLate { .. }
        | SaleFault::EventsRepeated { .. } => stripe.clear_faults(),
        SaleFault::CoinsAway { .. } => nowpayments.recover(),
        SaleFault::EventsReordered { is_reversed } => {
            stripe.release_events(match is_reversed {
                true => ReleaseOrder::Reversed,
                false => ReleaseOrder::Shuffled,
            });
        }
        SaleFault::IpnsLost | SaleFault::IpnsLate { .. } | SaleFault::IpnsRepeated { .. } => {
            nowpayments.clear_ipn_rules();
        }
        SaleFault::IpnsReversed => {
            nowpayments.clear_ipn_rules();
            nowpayments.release_ipns_reversed();
        }
        SaleFault::StarsLost => telegram.loses_payments(sale.world.bots[0], false),
    }
    Ok(())
}

const fn stripe_fault(way: u8) -> StripeFault {
    match way % 9 {
        0 => StripeFault::Internal,
        1 => StripeFault::InternalAfterEffect,
        2 => StripeFault::BadGateway,
        3 => StripeFault::RateLimited,
        4 => StripeFault::LockTimeout,
        5 => StripeFault::AnswerLate(Duration::from_secs(30)),
        6 => StripeFault::ResetBefore,
        7 => StripeFault::ResetAfter,
        _ => StripeFault::Garbage,
    }
}

const fn trouble(way: u8) -> Trouble {
    match way % 8 {
        0 => Trouble::RateLimited { retry_after: None },
        1 => Trouble::Internal,
        2 => Trouble::BadGateway,
        3 => Trouble::BadGatewayAfterEffect,
        4 => Trouble::Firewall,
        5 => Trouble::AnswerLate(Duration::from_secs(30)),
        6 => Trouble::ResetBefore,
        _ => Trouble::ResetAfter,
    }
}
