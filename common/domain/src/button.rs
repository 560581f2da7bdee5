//! What stands behind a button of ours below a message: `~<action>:<subject>`, at most 64 bytes.
//!
//! It names a record or a choice, never an amount or a right, since anybody can make one up: who pressed it and the state
//! of the record decide. Data without the `~` belong to others that use the bot.

use std::fmt;
use std::str::FromStr;

use super::id::{ChatId, OrderId, RequestId, TelegramUserId};
use super::job::EraseQuestion;
use super::payout::AddressMark;
use super::product::OfferMark;
use super::texts::Language;

/// What begins the data of our buttons.
pub const OUR_MARK: char = '~';

/// A button of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ButtonData {
    /// A language is chosen.
    Language(Language),
    /// Somebody else's claim link: "that is my other account".
    OtherAccount(RequestId),
    /// Somebody else's claim link: "it was not me".
    NotMe(RequestId),
    /// "I have another account": asks whether this request is to move.
    AnotherAccount(RequestId),
    /// It is to move, if its claim link is still the one of this version.
    Move {
        /// Which.
        request: RequestId,
        /// The claim version that was shown.
        version: u8,
    },
    /// It stays where it is.
    MoveNot,
    /// "I lost my link."
    LostLink,
    /// No marketing any more.
    NewsStop,
    /// Marketing again.
    NewsAgain,
    /// A copy of what is known of the person.
    Export,
    /// Erasure: asks for the first time.
    Erase,
    /// Erasure: yes to this question, so that it is asked for the second time.
    EraseYes(EraseQuestion),
    /// Erasure, now: yes to this second question.
    EraseNow(EraseQuestion),
    /// No erasure.
    EraseNot,
    /// An operator has the way in sent to a person.
    WayIn(TelegramUserId),
    /// A tier is to be bought, as it was offered.
    Buy {
        /// A digest of its product, tier and version.
        offer: OfferMark,
    },
    /// A tier is to be bought for somebody else, as it was offered.
    Give {
        /// As of [`ButtonData::Buy`].
        offer: OfferMark,
    },
    /// "End the renewal" of an order: asks first.
    EndRenewal(OrderId),
    /// Yes to that question.
    EndRenewalYes(OrderId),
    /// No to it.
    EndRenewalNot,
    /// The payer of a gift wants it for themselves.
    UseGift(OrderId),
    /// They keep it for somebody else.
    KeepGift,
    /// A payee says whether an address is right.
    PayoutAddress {
        /// Which.
        mark: AddressMark,
        /// Whether it is.
        is_right: bool,
    },
    /// An administrator ends a seat, as they saw it.
    EndSeat {
        /// Whose.
        person: TelegramUserId,
        /// In which chat, by its canonical id.
        chat: ChatId,
        /// Which version of it they saw.
        version: u64,
    },
}

/// Data that are not a button of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoButton;

impl fmt::Display for ButtonData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Language(language) => write!(f, "~lang:{}", language.code()),
            Self::OtherAccount(request) => write!(f, "~other:{request}"),
            Self::NotMe(request) => write!(f, "~notme:{request}"),
            Self::AnotherAccount(request) => write!(f, "~account:{request}"),
            Self::Move { request, version } => write!(f, "~move:{request}:{version}"),
            Self::MoveNot => f.write_str("~stay:"),
            Self::LostLink => f.write_str("~lost:"),
            Self::NewsStop => f.write_str("~stop:"),
            Self::NewsAgain => f.write_str("~news:"),
            Self::Export => f.write_str("~export:"),
            Self::Erase => f.write_str("~erase:"),
            Self::EraseYes(question) => write!(f, "~eraseyes:{question}"),
            Self::EraseNow(question) => write!(f, "~erasenow:{question}"),
            Self::EraseNot => f.write_str("~erasenot:"),
            Self::WayIn(person) => write!(f, "~way:{person}"),
            Self::Buy { offer } => write!(f, "~buy:{offer}"),
            Self::Give { offer } => write!(f, "~give:{offer}"),
            Self::EndRenewal(order) => write!(f, "~endrenewal:{order}"),
            Self::EndRenewalYes(order) => write!(f, "~endrenewalyes:{order}"),
            Self::EndRenewalNot => f.write_str("~endrenewalnot:"),
            Self::UseGift(order) => write!(f, "~usegift:{order}"),
            Self::KeepGift => f.write_str("~keepgift:"),
            Self::PayoutAddress { mark, is_right } => match is_right {
                true => write!(f, "~paidright:{mark}"),
                false => write!(f, "~paidwrong:{mark}"),
            },
            Self::EndSeat {
                person,
                chat,
                version,
            } => write!(f, "~end:{person}:{chat}:{version}"),
        }
    }
}

impl FromStr for ButtonData {
    type Err = NoButton;

    fn from_str(data: &str) -> Result<Self, NoButton> {
        let data = data.strip_prefix(OUR_MARK).ok_or(NoButton)?;
        let (action, subject) = data.split_once(':').ok_or(NoButton)?;
        let request = || subject.parse().map_err(|_| NoButton);
        let order = || subject.parse().map_err(|_| NoButton);
        let question = || subject.parse().map_err(|_| NoButton);
        Ok(match action {
            "lang" => Self::Language(Language::of_tag(subject).ok_or(NoButton)?),
            "other" => Self::OtherAccount(request()?),
            "notme" => Self::NotMe(request()?),
            "account" => Self::AnotherAccount(request()?),
            "move" => {
                let (request, version) = subject.split_once(':').ok_or(NoButton)?;
                Self::Move {
                    request: request.parse().map_err(|_| NoButton)?,
                    version: version.parse().map_err(|_| NoButton)?,
                }
            }
            "stay" => Self::MoveNot,
            "lost" => Self::LostLink,
            "stop" => Self::NewsStop,
            "news" => Self::NewsAgain,
            "export" => Self::Export,
            "erase" => Self::Erase,
            "eraseyes" => Self::EraseYes(question()?),
            "erasenow" => Self::EraseNow(question()?),
            "erasenot" => Self::EraseNot,
            "way" => Self::WayIn(person(subject)?),
            "buy" => Self::Buy {
                offer: subject.parse().map_err(|_| NoButton)?,
            },
            "give" => Self::Give {
                offer: subject.parse().map_err(|_| NoButton)?,
            },
            "endrenewal" => Self::EndRenewal(order()?),
            "endrenewalyes" => Self::EndRenewalYes(order()?),
            "endrenewalnot" => Self::EndRenewalNot,
            "usegift" => Self::UseGift(order()?),
            "keepgift" => Self::KeepGift,
            "paidright" | "paidwrong" => Self::PayoutAddress {
                mark: subject.parse().map_err(|_| NoButton)?,
                is_right: action == "paidright",
            },
            "end" => {
                let mut parts = subject.split(':');
                let mut part = || parts.next().ok_or(NoButton);
                let (who, chat, version) = (part()?, part()?, part()?);
                Self::EndSeat {
                    person: person(who)?,
                    chat: ChatId(chat.parse().map_err(|_| NoButton)?),
                    version: version.parse().map_err(|_| NoButton)?,
                }
            }
            _ => return Err(NoButton),
        })
    }
}

fn person(id: &str) -> Result<TelegramUserId, NoButton> {
    id.parse().map(TelegramUserId).map_err(|_| NoButton)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_button_is_read_back_and_fits() {
        let request = RequestId::from_bytes([7; 16]);
        let question = EraseQuestion {
            asked_at: 1_800_000_000,
            chats: u32::MAX,
        };
        let mark: AddressMark = "0123456789abcdef0123456789abcdef".parse().unwrap();
        for button in [
            ButtonData::Language(Language::Russian),
            ButtonData::OtherAccount(request),
            ButtonData::NotMe(request),
            ButtonData::AnotherAccount(request),
            ButtonData::Move {
                request,
                version: u8::MAX,
            },
            ButtonData::MoveNot,
            ButtonData::LostLink,
            ButtonData::NewsStop,
            ButtonData::NewsAgain,
            ButtonData::Export,
            ButtonData::Erase,
            ButtonData::EraseYes(question),
            ButtonData::EraseNow(question),
            ButtonData::EraseNot,
            ButtonData::WayIn(TelegramUserId(1 << 52)),
            ButtonData::EndRenewal(OrderId::from_random([7; 16])),
            ButtonData::EndRenewalYes(OrderId::from_random([7; 16])),
            ButtonData::EndRenewalNot,
            ButtonData::UseGift(OrderId::from_random([7; 16])),
            ButtonData::KeepGift,
            ButtonData::PayoutAddress {
                mark,
                is_right: true,
            },
            ButtonData::PayoutAddress {
                mark,
                is_right: false,
            },
            ButtonData::EndSeat {
                person: TelegramUserId(1 << 52),
                chat: ChatId(-1_009_999_999_999),
                version: 9_999_999_999,
            },
        ] {
            let data = button.to_string();
            assert!(data.len() <= 64, "{data}");
            assert_eq!(data.parse(), Ok(button));
        }
    }

    #[test]
    fn what_is_made_up_is_no_button() {
        for data in [
            "",
            "~",
            "~lang",
            "~lang:xx",
            "lang:en",
            "~other:7",
            "~grant:7",
            "~way:",
            "~move:7",
            "~move:00000000-0000-0000-0000-000000000000:256",
            "~end:7:-1",
            "~end:7:x:1",
            "~paidright:",
            "~paidwrong:0123456789abcdef0123456789abcdeF",
            "~erasenow:",
            "~erasenow:1800000000",
        ] {
            assert_eq!(data.parse::<ButtonData>(), Err(NoButton), "{data}");
        }
    }
}
