//! The notifications (IPNs): what they say, how they are signed, and what becomes of them.
//!
//! One is made at each change of a payment or a withdrawal, and says what was so at that moment. None is made while the
//! account has no secret, or where no address is named. One that isn't answered 2xx within three seconds is sent again, as
//! often and at such intervals as the account says. Those of one subject set out one after the other; one that failed
//! doesn't hold up those after it.

use std::collections::VecDeque;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;

use super::js::{IpnForm, Js};

/// How many notifications, and how many attempts, are remembered, the newest.
pub const REMEMBERED_IPNS: usize = 10_000;

/// What becomes of a notification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IpnFate {
    /// It is sent.
    #[default]
    Sent,
    /// It is never sent.
    Lost,
    /// It is sent so many times.
    Repeated(u32),
    /// It is sent this much later.
    Late(Duration),
    /// It is kept back until it is released.
    Held,
    /// It is sent with a signature by another secret.
    SignedWrongly,
}

/// Which notifications meet which fate. Rules are asked in the order in which they were made; the first that applies
/// decides.
#[derive(Clone, Debug)]
pub struct IpnRule {
    /// What becomes of them.
    pub fate: IpnFate,
    /// Only those that tell this status, as the body has it.
    pub status: Option<String>,
    /// How many that match pass first.
    pub skip: u32,
    /// How many after those are caught; absent: all, until the rules are cleared.
    pub times: Option<u32>,
}

impl IpnRule {
    /// Catches every notification from now on.
    #[must_use]
    pub fn of(fate: IpnFate) -> Self {
        Self {
            fate,
            status: None,
            skip: 0,
            times: None,
        }
    }

    /// Catches only those that tell this status.
    #[must_use]
    pub fn on(mut self, status: &str) -> Self {
        self.status = Some(status.to_owned());
        self
    }

    /// Lets `ipns` pass first.
    #[must_use]
    pub fn skip(mut self, ipns: u32) -> Self {
        self.skip = ipns;
        self
    }

    /// Catches only `ipns`.
    #[must_use]
    pub fn times(mut self, ipns: u32) -> Self {
        self.times = Some(ipns);
        self
    }
}

/// One attempt to deliver a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpnAttempt {
    /// The payment or withdrawal.
    pub subject: u64,
    /// The status that it tells.
    pub status: String,
    /// The address.
    pub url: String,
    /// The body as it was sent.
    pub body: String,
    /// Its signature.
    pub signature: String,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// The HTTP status of the answer, if there was one.
    pub answer: Option<u16>,
    /// When it was sent, in milliseconds.
    pub at_ms: i64,
}

/// A notification on its way.
#[derive(Clone, Debug)]
pub(super) struct Ipn {
    number: u64,
    pub(super) subject: u64,
    pub(super) status: String,
    pub(super) url: String,
    pub(super) body: String,
    pub(super) signature: String,
    pub(super) attempt: u32,
    due_ms: i64,
    is_held: bool,
    is_under_way: bool,
}

#[derive(Debug)]
pub(super) struct Ipns {
    pub(super) secret: Option<String>,
    pub(super) form: IpnForm,
    pub(super) rules: Vec<IpnRule>,
    /// How often, and how long apart, one that failed is sent again.
    pub(super) retries: (u32, Duration),
    pending: VecDeque<Ipn>,
    numbers: u64,
    pub(super) attempts: VecDeque<IpnAttempt>,
}

impl Ipns {
    pub(super) fn new() -> Self {
        Self {
            secret: None,
            form: IpnForm::default(),
            rules: Vec::new(),
            retries: (3, Duration::from_secs(60)),
            pending: VecDeque::new(),
            numbers: 0,
            attempts: VecDeque::new(),
        }
    }

    /// Puts a notification on its way, unless there is no secret.
    pub(super) fn notify(&mut self, subject: u64, status: &str, url: &str, body: &Js, now_ms: i64) {
        let fate = self.fate(status);
        let Some(secret) = &self.secret else { return };
        let secret = match fate {
            IpnFate::SignedWrongly => format!("not-{secret}"),
            _ => secret.clone(),
        };
        let delay_ms = match fate {
            IpnFate::Late(by) => i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 2),
            _ => 0,
        };
        let copies = match fate {
            IpnFate::Lost => 0,
            IpnFate::Repeated(times) => times,
            IpnFate::Sent | IpnFate::Late(_) | IpnFate::Held | IpnFate::SignedWrongly => 1,
        };
        for _ in 0..copies {
            self.numbers += 1;
            self.pending.push_back(Ipn {
                number: self.numbers,
                subject,
                status: status.to_owned(),
                url: url.to_owned(),
                body: body.stringify(),
                signature: sign(&secret, &body.canonical(self.form)),
                attempt: 1,
                due_ms: now_ms.saturating_add(delay_ms),
                is_held: fate == IpnFate::Held,
                is_under_way: false,
            });
            if self.pending.len() > REMEMBERED_IPNS {
                self.pending.pop_front();
            }
        }
    }

    fn fate(&mut self, status: &str) -> IpnFate {
        let mut fate = IpnFate::default();
        for rule in &mut self.rules {
            if rule.status.as_ref().is_some_and(|wanted| wanted != status) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            if let Some(times) = &mut rule.times {
                *times = times.saturating_sub(1);
            }
            fate = rule.fate.clone();
            break;
        }
        self.rules.retain(|rule| rule.times != Some(0));
        fate
    }

    /// Sends what is kept back, in its order or the last first.
    pub(super) fn release(&mut self, is_reversed: bool, now_ms: i64) {
        let mut held: Vec<Ipn> = Vec::new();
        self.pending.retain(|ipn| {
            if ipn.is_held {
                held.push(ipn.clone());
            }
            !ipn.is_held
        });
        if is_reversed {
            held.reverse();
        }
        for mut ipn in held {
            self.numbers += 1;
            (ipn.number, ipn.is_held, ipn.due_ms) = (self.numbers, false, now_ms);
            self.pending.push_back(ipn);
        }
    }

    /// The next one that can set out now.
    pub(super) fn take(&mut self, now_ms: i64) -> Option<Ipn> {
        let busy: Vec<u64> = self.under_way();
        let ready = |ipn: &&mut Ipn| {
            !ipn.is_held
                && !ipn.is_under_way
                && ipn.due_ms <= now_ms
                && !busy.contains(&ipn.subject)
        };
        let ipn = self
            .pending
            .iter_mut()
            .filter(ready)
            .min_by_key(|ipn| (ipn.due_ms, ipn.number))?;
        ipn.is_under_way = true;
        Some(ipn.clone())
    }

    fn under_way(&self) -> Vec<u64> {
        let under_way = self.pending.iter().filter(|ipn| ipn.is_under_way);
        under_way.map(|ipn| ipn.subject).collect()
    }

    /// When the next one is due that isn't yet.
    pub(super) fn wakes_at_ms(&self, now_ms: i64) -> Option<i64> {
        let waiting = self
            .pending
            .iter()
            .filter(|ipn| !ipn.is_held && !ipn.is_under_way);
        waiting
            .map(|ipn| ipn.due_ms)
            .filter(|due_ms| *due_ms > now_ms)
            .min()
    }

    /// How many are on their way, those that are kept back aside.
    pub(super) fn count(&self) -> usize {
        self.pending.iter().filter(|ipn| !ipn.is_held).count()
    }

    /// Notes what became of an attempt.
    pub(super) fn settle(&mut self, sent: Ipn, answer: Option<u16>, at_ms: i64, now_ms: i64) {
        let is_taken = answer.is_some_and(|status| (200..300).contains(&status));
        let (times, interval) = self.retries;
        let position = self
            .pending
            .iter()
            .position(|ipn| ipn.number == sent.number);
        if is_taken || sent.attempt > times {
            if let Some(position) = position {
                self.pending.remove(position);
            }
        } else if let Some(ipn) = position.and_then(|position| self.pending.get_mut(position)) {
            let interval_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX / 2);
            ipn.attempt += 1;
            ipn.due_ms = now_ms.saturating_add(interval_ms);
            ipn.is_under_way = false;
        }
        if self.attempts.len() >= REMEMBERED_IPNS {
            self.attempts.pop_front();
        }
        self.attempts.push_back(IpnAttempt {
            subject: sent.subject,
            status: sent.status,
            url: sent.url,
            body: sent.body,
            signature: sent.signature,
            attempt: sent.attempt,
            answer,
            at_ms,
        });
    }
}

/// The HMAC-SHA512 of the text, in hexadecimal.
pub(super) fn sign(secret: &str, text: &str) -> String {
    // HMAC takes a key of any length.
    let Ok(mac) = Hmac::<Sha512>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    let digest = mac.chain_update(text).finalize().into_bytes();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The body of a vector, its numbers by the text that they have in the canonical one.
    fn read(text: &str) -> Js {
        fn js(value: &Value) -> Js {
            match value {
                Value::Null => Js::Null,
                Value::Bool(value) => Js::Bool(*value),
                Value::Number(number) => Js::Number(number.to_string()),
                Value::String(text) => Js::text(text),
                Value::Array(items) => Js::List(items.iter().map(js).collect()),
                Value::Object(fields) => Js::Object(
                    fields
                        .iter()
                        .map(|(name, value)| (name.clone(), js(value)))
                        .collect(),
                ),
            }
        }
        js(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn the_signed_texts_are_those_of_node() {
        let file: Value =
            serde_json::from_str(include_str!("../../nowpayments/ipn-vectors.json")).unwrap();
        for vector in file["vectors"].as_array().unwrap() {
            // Reading 1e+21 and tiny numbers back is another one's business.
            if vector["name"] == "tiny_and_big_numbers" {
                continue;
            }
            // Nor is the last of seventeen digits.
            let (digits, plain) = ("0.09853637216235617", "0.5");
            let body = read(&vector["body"].as_str().unwrap().replace(digits, plain));
            for (form, name) in [
                (IpnForm::Recursive, "canonical_recursive"),
                (
                    IpnForm::RecursiveListsKept,
                    "canonical_recursive_arrays_kept",
                ),
                (IpnForm::ReplacerList, "canonical_replacer_list"),
            ] {
                let plain_fee = format!("\"depositFee\":{plain}");
                let fee = format!("\"depositFee\":{digits}");
                let text = body.canonical(form).replace(&plain_fee, &fee);
                assert_eq!(text, vector[name].as_str().unwrap(), "{}", vector["name"]);
                let signature = vector[name.replace("canonical", "sig")].as_str().unwrap();
                let signed = sign("test-ipn-secret", &text);
                assert_eq!(signed, signature, "{}", vector["name"]);
            }
        }
    }
}
