//! What there is to say: the sentences with their arguments, and the buttons.

use super::argument::{Address, Code, Date, LabelName, Name};
use crate::command::{CommandName, Role};

/// An enum of sentences, and the samples with which tests go through all of them.
macro_rules! sentences {
    ($lifetime:lifetime, $(#[$about:meta])* $catalogue:ident:
     $($(#[$doc:meta])* $name:ident $({ $($argument:ident: $kind:ty),+ })?,)+) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $catalogue<$lifetime> {
            $($(#[$doc])* $name $({
                $(#[doc = concat!("The argument `", stringify!($argument), "`.")] $argument: $kind,)+
            })?,)+
        }

        #[cfg(test)]
        impl $catalogue<'static> {
            /// Each sentence: its name, those of its arguments, and how it is made, with one argument changed.
            pub(super) fn samples() -> Vec<super::tests::SampledSentence<Self>> {
                vec![$((
                    stringify!($name),
                    vec![$($(stringify!($argument)),+)?],
                    (|_changed: &str| Self::$name $({
                        $($argument: super::tests::SampleArgument::sample(_changed == stringify!($argument)),)+
                    })?) as fn(&str) -> Self,
                ),)+]
            }
        }
    };
}

sentences! { 'a,
    /// A message to a person, HTML.
    Text:

    /// `/start` of a person without a seat.
    Welcome,
    /// `/start` of a person with seats.
    WelcomeBack { chats: u32 },
    /// The app lost the payload of a claim link.
    TapLinkAgain,

    /// A claim link is accepted; the button opens the chat.
    ClaimAccepted { chat: Name<'a> },
    /// A claim link is accepted, before there is a way into the chat.
    ClaimFollows { chat: Name<'a> },
    /// Somebody else has the seat of a claim link.
    ClaimTaken,
    /// "That is my other account."
    ClaimTakenOther,
    /// "It was not me."
    ClaimTakenNotMe,
    /// "That is my other account", of a seat with an invite link, which does not move.
    LinkTakenOther,
    /// A claim link that we never made, or a part of one.
    ClaimUnknown,
    /// A claim link whose time is over.
    ClaimExpired,
    /// A claim link with a newer one in its place.
    ClaimReplaced,
    /// A claim link that the seller voided.
    ClaimVoided,
    /// The claim link of an order that is not paid.
    ClaimUnpaid,
    /// The person is in the chat.
    AlreadyIn { chat: Name<'a> },
    /// The seat of this person has no end, so a claim would add nothing to it.
    ClaimAskForever { chat: Name<'a> },
    /// The seat was bought for somebody else.
    ClaimAskGift { chat: Name<'a> },
    /// "Keep it for somebody else."
    ClaimKept,

    /// A seat is to move to another account: asks first.
    MoveAsk { chat: Name<'a> },
    /// The claim link for the other account.
    MoveReady { chat: Name<'a>, link: Address<'a> },
    /// The seat moved too often.
    MoveTooOften,
    /// "I lost my link."
    LostLink,

    /// A join request without a seat waits a while for a claim.
    JoinNotEntitled { chat: Name<'a>, claim: Address<'a>, minutes: u32 },
    /// Stands after it where there is something to buy.
    JoinBuy { shop: Address<'a> },
    /// A join request is approved.
    JoinApproved { chat: Name<'a> },
    /// A join request waits for those before it.
    JoinWaiting { chat: Name<'a>, place: u32 },
    /// Telegram lets the person join no further chat.
    JoinTooManyChats { chat: Name<'a> },
    /// The join request is gone.
    JoinTapAgain { chat: Name<'a> },
    /// An administrator banned the person by hand.
    Banned { chat: Name<'a> },

    /// The invite link of a buyer whom the shop knows.
    LinkDelivered { link: Address<'a> },
    /// Stands below it.
    LinkWorksUntil { until: Date },
    /// A seat with an invite link that is still to be made.
    LinkFollows,
    /// A seat with an invite link that could not be made.
    LinkFailed,
    /// A seat with an invite link by which the person is inside.
    LinkInside,
    /// A seat with an invite link by which somebody else is inside.
    LinkUsed,

    /// The money of an order came.
    OrderPaid { title: Name<'a> },
    /// The money of a gift came: its claim link, to pass on.
    GiftPaid { title: Name<'a>, link: Address<'a> },
    /// Some of the money of an order came.
    OrderUnderpaid { title: Name<'a>, missing: Name<'a> },
    /// The money of an order went back.
    OrderRefunded { title: Name<'a> },
    /// An order waits for its payment; the button opens it.
    OrderToPay { title: Name<'a> },

    /// Why a payment is refused, as plain text, so without a mark: it is another person's order.
    PayNotYours,
    /// The same: the order can't be paid any more.
    PayOver,
    /// The same: a payment of it was taken a moment ago.
    PayUnderWay,
    /// The same: all seats are sold.
    PaySoldOut,
    /// The same: the price is another one.
    PayChanged,
    /// The same: they have it already.
    PayOwned,

    /// Heads the buttons of what is for sale.
    Shop,
    /// Nothing is for sale here.
    ShopEmpty,
    /// Heads the buttons of what can be given to somebody else.
    Gift,
    /// Heads the buttons of what a coupon makes cheaper.
    CouponShop { code: Name<'a> },
    /// A coupon that nothing here takes.
    CouponUnknown,
    /// Heads the orders of a person.
    Orders,
    /// No order.
    OrdersNone,
    /// A subscription is to renew no more: asks first.
    RenewalEndAsk { title: Name<'a> },
    /// It renews no more.
    RenewalEnding { title: Name<'a> },
    /// It goes on.
    RenewalKept,
    /// It does not renew.
    RenewalOver,
    /// What a button offered is not offered like that any more.
    ShopChanged,
    /// All seats of it are sold.
    ShopSoldOut,
    /// The person has it already.
    ShopOwned,
    /// Too many orders of the person wait for money.
    ShopTooMany,
    /// A renewal could not be charged.
    RenewalFailed { title: Name<'a>, page: Address<'a> },
    /// The bank wants to hear from who pays a renewal.
    RenewalNeedsAction { title: Name<'a>, page: Address<'a> },

    /// Heads the list of seats.
    Access,
    /// A seat that ends.
    AccessUntil { chat: Name<'a>, until: Date },
    /// A seat that does not end.
    AccessForever { chat: Name<'a> },
    /// No seat.
    AccessNothing,

    /// Heads the list of commands.
    Help,
    /// Asks for a language.
    LanguageList,
    /// A language is chosen: this one.
    LanguageChosen,
    /// Where the terms are.
    Terms { page: Address<'a> },
    /// The seller has published no terms.
    TermsUnset,

    /// What is kept, for how many days of a person without a purchase.
    Privacy { days: u32 },
    /// Where the seller's own policy is.
    PrivacyPolicy { page: Address<'a> },
    /// The export has begun.
    ExportStarted,
    /// The export is there.
    ExportReady { link: Address<'a>, until: Date },
    /// Erasure, first question.
    EraseAsk,
    /// Erasure, first question to a person with seats.
    EraseAskSeats { chats: u32 },
    /// Erasure, second question.
    EraseAskAgain,
    /// The erasure has begun.
    EraseStarted,
    /// All is erased.
    EraseDone,
    /// Follows [`Text::EraseDone`]: how many records there were, and when logs, queues and backups have rolled over.
    EraseReceipt { items: u32, logs: Date, queues: Date, backups: Date },
    /// The person keeps their data.
    EraseKept,

    /// A question about a payment.
    PaySupport,
    /// No marketing any more.
    Stopped,
    /// Marketing again.
    StopUndone,
    /// How to talk to a person.
    Support,
    /// A message has reached the operators.
    SupportArrived,
    /// The same, while none of them is there.
    SupportArrivedLater { from: Date },
    /// Nobody reads what is written here, but somebody can be reached there.
    SupportElsewhere { contact: Address<'a> },
    /// Nobody reads what is written here.
    SupportNone,
    /// A message can't be passed on to the operators.
    NotPassedOn,

    /// To operators: an answer did not reach the person.
    NotDelivered,
    /// The same, since the person has blocked the bot.
    NotDeliveredBlocked,
    /// The same, since the person has not started the bot.
    NotDeliveredNotStarted,
    /// The same, since Telegram does not copy such a message.
    NotDeliveredKind,
    /// To operators: heads several messages of a person that waited.
    JoinedWords { messages: u32, minutes: u32 },
    /// To operators: heads what is pinned in the topic of a person, with their language.
    TopicHead { person: Name<'a>, language: Name<'a> },
    /// Stands below it: no seat.
    TopicNoSeat,
    /// To operators: heads what the bot has said to a person.
    TopicSent,
    /// The same of what an actor has sent.
    TopicSentBy { actor: Name<'a> },
    /// To operators: a command that is none was not passed on.
    TopicUnknownCommand,
    /// To operators: several people write in this topic.
    TopicShared,
    /// To operators: somebody else has claimed the seat of this person, as they say.
    TopicConflict { request: Code<'a> },
    /// To operators: how a message is taken back.
    TopicDelete,
    /// To operators: no more messages of this person.
    TopicBlocked,
    /// To operators: messages of this person again.
    TopicUnblocked,
    /// To operators: there is no prepared answer of this name.
    TopicNoReply { name: Name<'a> },
    /// To operators: a message is a prepared answer from now on.
    TopicReplyKept { name: Name<'a> },

    /// A command was not taken, since there were too many.
    TooManyCommands { command: CommandName },
    /// A message was not passed on, since there were too many.
    TooManyMessages,
    /// How `/role` is written.
    RoleHowTo,
    /// A role that is not this person's to give or to take.
    RoleTooHigh,
    /// A role is given, or taken: this one is left.
    RoleGiven { person: Name<'a>, role: Role },
    /// A command that is taken elsewhere.
    NotHere { command: CommandName },
    /// How a command is written.
    HowTo { example: Code<'a> },
    /// Nobody and nothing is found.
    NobodyFound,
    /// Heads a list of people.
    SeveralFound,
    /// A person.
    PersonLine { person: Name<'a>, id: Code<'a> },
    /// The bot can write to a person.
    PersonReachable,
    /// A person has blocked the bot.
    PersonBlockedBot,
    /// A person never wrote to the bot.
    PersonSilent,
    /// A person without a seat.
    PersonNoSeat,
    /// A seat that gives no access any more.
    SeatEnded { chat: Name<'a> },
    /// Where a person is: in the chat of the seat.
    PersonIn,
    /// Outside.
    PersonOut,
    /// Banned by an administrator.
    PersonBanned,
    /// Asks to be let in.
    PersonAtDoor,
    /// A request.
    RequestLine { id: Code<'a>, transaction: Code<'a>, status: Code<'a>, at: Date },
    /// Nobody has claimed a request.
    RequestUnclaimed,
    /// When the person of a request joined.
    RequestJoined { at: Date },
    /// When a request was voided.
    RequestVoided { at: Date },
    /// A message to a person, and its state.
    MessageLine { at: Date, state: Code<'a> },
    /// The way in is sent to a person.
    WaySent,
    /// The way in can not be sent.
    WayNotSent,
    /// A chat that is none of ours, and those that are.
    ChatUnknown { known: Code<'a> },
    /// A chat without claim links.
    GrantNotHere { chat: Name<'a> },
    /// A free seat without an end.
    GrantForever { chat: Name<'a>, link: Address<'a> },
    /// A free seat with an end.
    GrantUntil { chat: Name<'a>, link: Address<'a>, until: Date },
    /// The link of a free seat was sent to the administrator who gave it, in private.
    GrantInPrivate { chat: Name<'a> },
    /// It can't be, since the bot may not write to them.
    GrantStartFirst,
    /// A seat is to be ended: asks first.
    EndAsk { person: Code<'a>, chat: Name<'a> },
    /// What was asked is not so any more.
    ChangedMeanwhile,
    /// A seat does not allow it.
    SeatRefused { reason: Code<'a> },
    /// A chat is paused.
    ChatPaused { chat: Name<'a>, reason: Name<'a> },
    /// When a pause ends by itself.
    PauseEnds { until: Date },
    /// A chat goes on.
    ChatResumed { chat: Name<'a> },
    /// Of `/doctor`: a chat with all that it needs.
    ChatReady { chat: Name<'a> },
    /// Of `/doctor`: nobody can come in.
    ChatNoDoor { chat: Name<'a> },
    /// Of `/doctor`: calls for a chat fail.
    ChatBroken { chat: Name<'a> },
    /// Of `/doctor`: what waits.
    ChatWaiting { chat: Name<'a>, number: u32 },
    /// Of `/doctor`: updates that could not be handled.
    UpdatesParked { number: u32 },
    /// To owners: something was sold.
    Sold { title: Name<'a>, amount: Name<'a> },
    /// To owners: an order waits for what they decide.
    CaseOpened { title: Name<'a>, case: Code<'a>, order: Code<'a> },
    /// To a payee: whether an address is right.
    PayoutAddressAsk { currency: Name<'a>, address: Code<'a> },
    /// To who was the payee before: what is paid goes to an address of somebody else.
    PayoutAddressGone { currency: Name<'a>, address: Code<'a> },
    /// The address is right.
    PayoutAddressConfirmed,
    /// The address is wrong.
    PayoutAddressDenied,
    /// To owners: the bot lacks what it needs in a chat that is sold.
    RightsLost { chat: Name<'a>, right: Name<'a> },
    /// To owners: the bot has all that it needs in a chat.
    RightsBack { chat: Name<'a> },
    /// To owners: the bot is in a chat that no setting names.
    AddedToChat { chat: Name<'a>, id: Name<'a>, right: Name<'a> },
    /// A command without the right to it.
    NeedsRole { command: CommandName, role: Role },
    /// A command that does not exist, and none is near.
    UnknownCommand,
    /// A command that does not exist, and one that does.
    DidYouMean { command: CommandName },
    /// The answer in groups; the button opens the private chat.
    PrivateOnly,
}

sentences! { 'a,
    /// What stands on a button, plain text: it says what the button does.
    Label:

    /// Opens a chat, or asks to join it.
    OpenChat { chat: LabelName<'a> },
    /// Opens an invite link.
    JoinChat,
    /// Opens the private chat with the bot.
    OpenPrivate,
    /// Opens the payment of an order.
    Pay { price: LabelName<'a> },
    /// Opens the page of an order.
    OrderPage { title: LabelName<'a> },
    /// Asks [`Text::RenewalEndAsk`].
    EndRenewal { title: LabelName<'a> },
    /// Ends the renewal.
    EndRenewalYes,
    /// Answers [`Text::RenewalEndAsk`] with [`Text::RenewalKept`].
    EndRenewalNot,
    /// Answers [`Text::ClaimTaken`] with [`Text::ClaimTakenOther`].
    OtherAccount,
    /// Answers [`Text::ClaimTaken`] with [`Text::ClaimTakenNotMe`].
    NotMe,
    /// Claims a seat after a question.
    UseLink,
    /// Answers the question with [`Text::ClaimKept`].
    KeepLink,
    /// Of `/access`: asks [`Text::MoveAsk`].
    AnotherAccount,
    /// The same of a person with several chats.
    AnotherAccountOf { chat: LabelName<'a> },
    /// Of `/access`: answers [`Text::LostLink`].
    LostLink,
    /// Answers [`Text::MoveAsk`] with [`Text::MoveReady`].
    Move,
    /// Below [`Text::MoveReady`]: copies the link, which can't be forwarded.
    CopyLink,
    /// Leaves the seat where it is.
    MoveNot,
    /// Exports what is known of a person.
    Export,
    /// Asks [`Text::EraseAsk`] or [`Text::EraseAskSeats`].
    Erase,
    /// Asks [`Text::EraseAskAgain`].
    EraseYes,
    /// Erases.
    EraseNow,
    /// Answers with [`Text::EraseKept`].
    EraseNot,
    /// Ends marketing, under each of its messages.
    NewsStop,
    /// Undoes [`Text::Stopped`].
    NewsAgain,
    /// Answers [`Text::PayoutAddressAsk`] with [`Text::PayoutAddressConfirmed`].
    PayoutAddressRight,
    /// Answers it, or [`Text::PayoutAddressGone`], with [`Text::PayoutAddressDenied`].
    PayoutAddressWrong,
    /// Sends a person the way into their chats.
    SendWayIn,
    /// Answers [`Text::EndAsk`].
    EndSeat,
}
