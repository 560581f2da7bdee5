//! Facts as JSON: an object with `kind`, `key` and what that kind says.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::super::json::{JsonFault, JsonFields};
use super::{
    Asset, ChargeFact, ChargeFlag, ChargeStatus, Closing, DecisionAction, DisputeFact,
    DisputeStatus, FactBody, FactKind, OrderFact, RefundFact, RefundStatus, RenewalStatus,
};

/// The words of an enum in JSON, in one list for both ways.
macro_rules! words {
    ($($type:ident { $($variant:ident = $word:literal),+ $(,)? })+) => { $(
        impl $type {
            /// The word in JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                match word.as_str() {
                    $($word => Ok(Self::$variant),)+
                    other => Err(D::Error::custom(format_args!("unknown word {other:?}"))),
                }
            }
        }
    )+ };
}

words! {
    FactKind {
        Charge = "charge", Refund = "refund", Dispute = "dispute", Subscription = "subscription",
        Warning = "warning", Fee = "fee", Note = "note", Closed = "closed", Refused = "refused",
        Replaced = "replaced", Started = "started", Decision = "decision",
    }
    ChargeStatus { Pending = "pending", Void = "void", Paid = "paid" }
    ChargeFlag {
        WrongCurrency = "wrong_currency", AmountDiffers = "amount_differs", WrongAsset = "wrong_asset",
        LateDeposit = "late_deposit",
    }
    RefundStatus { Pending = "pending", Done = "done", Failed = "failed" }
    DisputeStatus {
        Inquiry = "inquiry", Closed = "closed", Open = "open", Lost = "lost", Won = "won",
    }
    RenewalStatus { Active = "active", Failing = "failing", Ending = "ending", Ended = "ended" }
    DecisionAction { Accept = "accept", Keep = "keep", End = "end" }
    Closing { Expired = "expired", Cancelled = "cancelled" }
}

impl<'de> Deserialize<'de> for Asset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = JsonFields::deserialize(deserializer)?;
        asset(&mut fields).map_err(D::Error::custom)
    }
}

fn asset(fields: &mut JsonFields) -> Result<Asset, JsonFault> {
    Ok(Asset {
        currency: fields.present("currency")?,
        amount: fields.amount("amount")?,
    })
}

impl<'de> Deserialize<'de> for OrderFact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = JsonFields::deserialize(deserializer)?;
        let kind: FactKind = fields.present("kind").map_err(D::Error::custom)?;
        let key: String = fields.present("key").map_err(D::Error::custom)?;
        let within = |fault: JsonFault| {
            D::Error::custom(fault.within(format_args!("{} {key:?}", kind.as_str())))
        };
        let body = body(kind, &key, &mut fields).map_err(within)?;
        // The time of a report that is dated for other reasons does not tell it from its repeats.
        fields.if_present::<i64>("at").map_err(within)?;
        let further = fields.rest().map_err(within)?;
        Ok(Self { key, body, further })
    }
}

fn body(kind: FactKind, key: &str, fields: &mut JsonFields) -> Result<FactBody, JsonFault> {
    Ok(match kind {
        FactKind::Charge => FactBody::Charge(ChargeFact {
            status: fields.present("status")?,
            amount: fields.amount("amount")?,
            currency: fields.present("currency")?,
            at: fields.present("at")?,
            end: fields.if_present("end")?,
            tax: fields.optional_amount("tax")?,
            flag: fields.if_present("flag")?,
            outcome: fields.if_present("outcome")?,
        }),
        FactKind::Refund => FactBody::Refund(RefundFact {
            charge: fields.present("charge")?,
            status: fields.present("status")?,
            amount: fields.amount("amount")?,
            outcome: fields.if_present("outcome")?,
        }),
        FactKind::Dispute => FactBody::Dispute(DisputeFact {
            charge: fields.present("charge")?,
            status: fields.present("status")?,
            amount: fields.amount("amount")?,
            seq: fields.present("seq")?,
        }),
        FactKind::Subscription => FactBody::Subscription {
            status: fields.present("status")?,
            seq: fields.present("seq")?,
        },
        FactKind::Warning => FactBody::Warning {
            charge: fields.present("charge")?,
        },
        FactKind::Fee => FactBody::Fee {
            charge: fields.present("charge")?,
            fee: Asset {
                currency: fields.present("currency")?,
                amount: fields.required_integer("amount")?,
            },
        },
        FactKind::Note => FactBody::Note,
        FactKind::Closed => FactBody::Closed(word(key)?),
        FactKind::Refused => FactBody::Refused,
        FactKind::Replaced => FactBody::Replaced {
            at: fields.present("at")?,
        },
        FactKind::Started => FactBody::Started {
            at: fields.present("at")?,
        },
        FactKind::Decision => FactBody::Decision {
            action: fields.present("action")?,
            value: fields.optional_amount("value")?,
        },
    })
}

/// Reads a key that is one of a few words.
fn word<T: DeserializeOwned>(key: &str) -> Result<T, JsonFault> {
    serde_json::from_value(Value::from(key)).map_err(|error| JsonFault::new("key", error))
}

/// A value of a fact's JSON.
#[derive(Serialize)]
#[serde(untagged)]
enum Written<'a> {
    Text(&'a str),
    Integer(i128),
    Parts(BTreeMap<&'static str, Written<'a>>),
    Further(&'a Value),
}

/// Whether the JSON has the times that a join takes from both.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Times {
    Written,
    LeftOut,
}

impl OrderFact {
    /// The JSON without `at` and `end`, keys sorted, no spaces: it decides between two reports that are otherwise alike.
    pub(super) fn canonical_json(&self) -> String {
        // A map with text keys and without floats of our own: writing it can't fail.
        serde_json::to_string(&self.written(Times::LeftOut)).unwrap_or_default()
    }

    fn written(&self, times: Times) -> BTreeMap<&str, Written<'_>> {
        let mut map: BTreeMap<&str, Written<'_>> = self
            .further
            .iter()
            .map(|(name, value)| (name.as_str(), Written::Further(value)))
            .collect();
        map.insert("kind", Written::Text(self.body.kind().as_str()));
        map.insert("key", Written::Text(&self.key));
        let mut text = |name, value| map.insert(name, Written::Text(value));
        let (mut amount, mut seq, mut at, mut outcome) = (None, None, None, None);
        let (mut end, mut tax, mut value) = (None, None, None);
        match &self.body {
            FactBody::Charge(charge) => {
                text("status", charge.status.as_str());
                text("currency", &charge.currency);
                if let Some(flag) = charge.flag {
                    text("flag", flag.as_str());
                }
                amount = Some(charge.amount);
                at = Some(charge.at);
                end = charge.end;
                tax = charge.tax;
                outcome = charge.outcome.as_ref();
            }
            FactBody::Refund(refund) => {
                text("charge", &refund.charge);
                text("status", refund.status.as_str());
                amount = Some(refund.amount);
                outcome = refund.outcome.as_ref();
            }
            FactBody::Dispute(dispute) => {
                text("charge", &dispute.charge);
                text("status", dispute.status.as_str());
                amount = Some(dispute.amount);
                seq = Some(dispute.seq);
            }
            FactBody::Subscription {
                status,
                seq: reading,
            } => {
                text("status", status.as_str());
                seq = Some(*reading);
            }
            FactBody::Warning { charge } => {
                text("charge", charge);
            }
            FactBody::Fee { charge, fee } => {
                text("charge", charge);
                text("currency", &fee.currency);
                amount = Some(fee.amount);
            }
            FactBody::Note | FactBody::Closed(_) | FactBody::Refused => {}
            FactBody::Replaced { at: when } | FactBody::Started { at: when } => at = Some(*when),
            FactBody::Decision {
                action,
                value: worth,
            } => {
                text("action", action.as_str());
                value = *worth;
            }
        }
        let (at, end) = match times {
            Times::Written => (at, end),
            Times::LeftOut => (None, None),
        };
        let integers = [
            ("amount", amount),
            ("at", at.map(i128::from)),
            ("end", end.map(i128::from)),
            ("seq", seq.map(i128::from)),
            ("tax", tax),
            ("value", value),
        ];
        for (name, integer) in integers {
            if let Some(integer) = integer {
                map.insert(name, Written::Integer(integer));
            }
        }
        if let Some(asset) = outcome {
            let parts = BTreeMap::from([
                ("amount", Written::Integer(asset.amount)),
                ("currency", Written::Text(&asset.currency)),
            ]);
            map.insert("outcome", Written::Parts(parts));
        }
        map
    }
}

impl Serialize for OrderFact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written(Times::Written).serialize(serializer)
    }
}
