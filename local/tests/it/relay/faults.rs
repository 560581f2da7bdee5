//! What the relay does when something is in its way: a word that must not be shown, a topic that can't be made, a message
//! that keeps failing.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::id::{BotId, ChatId};
use domain::message::{Class, Content, Message, MessageId, MessageLane};
use domain::time::Timestamp;
use local::harness::TestStack;
use simulators::telegram::{Conversation, Fault, FaultRule, Refusal, Rights, User};

use super::{
    DESK, answers, desk, desk_with, heard, idle, operator, private, reactions, shown, texts,
    topic_of, topics, writes,
};

/// No claim link or token: 46 characters are as many as one has.
const TOKEN: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRST";

fn forum() -> Conversation {
    Conversation::chat(DESK)
}

fn refused(words: &str) -> Fault {
    Fault::Refuse(Refusal::new(400, words))
}

/// A person sends a photo, which is copied; words are said.
fn sends(stack: &TestStack, person: i64, caption: &str) {
    let user = User::new(person).named("Ann");
    stack
        .telegram
        .sends_photo(private(stack, person), &user, caption);
}

/// All that was ever said in the operators' chat.
fn desk_words(stack: &TestStack) -> String {
    let all = stack.telegram.messages(forum());
    let words: Vec<_> = all.into_iter().map(|message| message.text).collect();
    words.join("\n")
}

#[tokio::test]
async fn an_edit_shows_no_token_whether_its_copy_is_known_or_gone() {
    let stack = desk().await;
    let asked = writes(&stack, 7, &format!("it says {TOKEN}"));
    let ann = User::new(7).named("Ann");
    let photo = stack
        .telegram
        .sends_photo(private(&stack, 7), &ann, "my bill");
    idle(&stack).await;
    let topic = topic_of(&stack, 7);
    assert_eq!(texts(&shown(&stack, topic)), ["it says …", "my bill"]);

    // What was redacted is followed by its edits.
    let edit = format!("now it says {TOKEN}");
    assert!(stack.telegram.edits(private(&stack, 7), asked, &edit));
    idle(&stack).await;
    assert_eq!(texts(&shown(&stack, topic)), ["now it says …", "my bill"]);

    // What is gone is said anew, and is followed from then on.
    for copy in shown(&stack, topic) {
        assert!(stack.telegram.deletes(forum(), copy.message_id));
    }
    for message in [asked, photo] {
        let edit = format!("again {message} {TOKEN}");
        assert!(stack.telegram.edits(private(&stack, 7), message, &edit));
        idle(&stack).await;
    }
    let again = [format!("again {asked} …"), format!("again {photo} …")];
    assert_eq!(texts(&shown(&stack, topic)), again);
    assert!(stack.telegram.edits(private(&stack, 7), asked, "<b> last"));
    idle(&stack).await;
    assert_eq!(
        texts(&shown(&stack, topic)),
        ["<b> last", again[1].as_str()]
    );
    assert!(!desk_words(&stack).contains(TOKEN));
}

#[tokio::test]
async fn what_is_edited_while_it_waits_shows_no_token() {
    let mut stack = desk().await;
    let (ann, place) = (User::new(7).named("Ann"), private(&stack, 7));
    let photos = |caption| stack.telegram.sends_photo(place, &ann, caption);
    let all = [writes(&stack, 7, "words"), photos("my bill"), photos("")];
    let album = stack.telegram.sends_album(place, &ann, &["one", "two"]);
    for message in all.into_iter().chain([album[0]]) {
        let edit = format!("now it says {TOKEN}");
        assert!(stack.telegram.edits(place, message, &edit));
    }
    idle(&stack).await;
    let said = desk_words(&stack);
    assert!(!said.contains(TOKEN), "{said}");
    assert!(said.contains("now it says …"), "{said}");
    assert_eq!(stack.telegram.count("copyMessages"), 0);
    let told = heard(&stack, 7);
    assert!(told.iter().any(|text| text.contains("pass this")));
    stack.leaves_something();
}

#[tokio::test]
async fn what_an_operator_sends_is_sent_as_it_is() {
    let stack = desk().await;
    writes(&stack, 7, "Hello");
    idle(&stack).await;
    let topic = topic_of(&stack, 7);
    let answer = answers(&stack, topic, &format!("use {TOKEN}"));
    idle(&stack).await;
    assert_eq!(heard(&stack, 7).last().unwrap(), &format!("use {TOKEN}"));
    let edit = format!("use this: {TOKEN}");
    assert!(stack.telegram.edits(forum(), answer, &edit));
    idle(&stack).await;
    assert_eq!(heard(&stack, 7).last().unwrap(), &edit);
}

#[tokio::test]
async fn nothing_of_an_album_is_sent_whose_words_stay_among_operators() {
    let stack = desk().await;
    writes(&stack, 7, "Hello");
    idle(&stack).await;
    let (topic, before) = (topic_of(&stack, 7), heard(&stack, 7).len());
    for captions in [["// a bill", "", ""], ["", "/note a bill", ""]] {
        stack
            .telegram
            .sends_album_in_topic(DESK, topic, &operator(), &captions);
        idle(&stack).await;
        assert_eq!(heard(&stack, 7).len(), before, "{captions:?}");
    }
    let album = ["yours", ""];
    stack
        .telegram
        .sends_album_in_topic(DESK, topic, &operator(), &album);
    idle(&stack).await;
    assert_eq!(heard(&stack, 7).len(), before + 2);
}

#[tokio::test]
async fn what_a_person_wrote_is_not_deleted_by_an_operator() {
    let stack = desk().await;
    writes(&stack, 7, "Hello");
    idle(&stack).await;
    let topic = topic_of(&stack, 7);
    let copy = shown(&stack, topic)[0].message_id;
    let delete = stack
        .telegram
        .replies(forum(), &operator(), copy, "/delete");
    idle(&stack).await;
    assert_eq!(stack.telegram.count("deleteMessage"), 0);
    assert!(reactions(&stack, delete).is_empty());
    let all = stack.telegram.messages(forum());
    let last = all.last().unwrap();
    assert_eq!(last.from_id, Some(stack.bot_id), "{last:?}");
}

#[tokio::test]
async fn who_sends_a_prepared_answer_sees_what_became_of_it_and_others_keep_theirs() {
    let stack = desk().await;
    for person in [7, 8, 9] {
        writes(&stack, person, "When?");
    }
    idle(&stack).await;
    let hours = answers(&stack, topic_of(&stack, 7), "Nine to five.");
    stack
        .telegram
        .replies(forum(), &operator(), hours, "/reply = hours");
    idle(&stack).await;
    stack
        .telegram
        .blocks(stack.bot_id, &User::new(8).named("Ann"));
    idle(&stack).await;
    let to_8 = answers(&stack, topic_of(&stack, 8), "/reply hours");
    let to_9 = answers(&stack, topic_of(&stack, 9), "/reply hours");
    idle(&stack).await;
    assert!(reactions(&stack, to_8).is_empty());
    let said = shown(&stack, topic_of(&stack, 8));
    let told = &said.last().unwrap().text;
    assert!(told.contains("has blocked the bot"), "{told}");
    assert_eq!(reactions(&stack, to_9), ["👌"]);
    assert_eq!(heard(&stack, 9).last().unwrap(), "Nine to five.");
    // The prepared answer is still that to whom it was written.
    assert!(stack.telegram.edits(forum(), hours, "Nine to six."));
    idle(&stack).await;
    assert_eq!(heard(&stack, 7).last().unwrap(), "Nine to six.");
    assert_eq!(heard(&stack, 9).last().unwrap(), "Nine to five.");
}

#[tokio::test]
async fn edits_are_counted_as_messages_and_what_is_too_much_is_met_with_silence() {
    let stack = desk_with(&[("RELAY_PER_MINUTE", "3")]).await;
    let asked = writes(&stack, 7, "0");
    for number in 1..=6 {
        let text = number.to_string();
        assert!(stack.telegram.edits(private(&stack, 7), asked, &text));
    }
    idle(&stack).await;
    assert_eq!(texts(&shown(&stack, topic_of(&stack, 7))), ["2"]);
    let heard = heard(&stack, 7);
    assert!(
        heard.iter().all(|text| !text.contains("bit fast")),
        "{heard:?}"
    );
}

#[tokio::test]
async fn an_edit_opens_no_topic() {
    let stack = desk().await;
    let asked = writes(&stack, 7, "Were is it?");
    idle(&stack).await;
    let topic = topic_of(&stack, 7);
    answers(&stack, topic, "/close");
    idle(&stack).await;
    let edit = "Where is it?";
    assert!(stack.telegram.edits(private(&stack, 7), asked, edit));
    idle(&stack).await;
    assert!(topics(&stack)[0].is_closed);
    assert_eq!(texts(&shown(&stack, topic)), [edit]);
}

#[tokio::test]
async fn a_bot_without_its_rights_in_the_operators_chat_loses_nothing() {
    let mut stack = desk().await;
    let rights = |rights| stack.telegram.make_admin(stack.bot_id, DESK, rights);
    rights(Rights::none());
    writes(&stack, 7, "Hello");
    idle(&stack).await;
    // It is parked, and waits for a person: nothing is said twice, nothing is lost.
    assert!(topics(&stack).is_empty());
    // With them the next word makes the topic, and waits for none that was refused.
    rights(Rights::all());
    let began = stack.clock.now_ms();
    writes(&stack, 7, "Hello again");
    stack.run_until(|| !topics(&stack).is_empty()).await;
    let waited = stack.clock.now_ms() - began;
    assert!(waited < 10_000, "{waited} ms");
    idle(&stack).await;
    assert_eq!(texts(&shown(&stack, topic_of(&stack, 7))), ["Hello again"]);
    stack.leaves_something();
}

#[tokio::test]
async fn a_record_that_can_not_be_read_stops_nobody_else() {
    let mut stack = desk().await;
    for person in [7, 8] {
        writes(&stack, person, "Hello");
    }
    idle(&stack).await;
    let (of_7, of_8) = (topic_of(&stack, 7), topic_of(&stack, 8));
    stack
        .telegram
        .fail(FaultRule::on("copyMessage", Fault::Internal).times(1));
    let copies = stack.telegram.count("copyMessage");
    sends(&stack, 7, "one");
    stack
        .run_until(|| stack.telegram.count("copyMessage") > copies)
        .await;
    let update = stack.dynamodb().update_item().table_name("People");
    let update = update.key("telegramUserId", AttributeValue::S("7".to_owned()));
    let update = update.update_expression("SET topicState = :other");
    let other = AttributeValue::S("OF_ANOTHER_VERSION".to_owned());
    let update = update.expression_attribute_values(":other", other);
    update.send().await.unwrap();
    writes(&stack, 8, "two");
    idle(&stack).await;
    assert_eq!(texts(&shown(&stack, of_8)), ["Hello", "two"]);
    assert_eq!(texts(&shown(&stack, of_7)), ["Hello"]);
    stack.leaves_something();
}

#[tokio::test]
async fn a_topic_that_is_gone_each_time_is_given_up() {
    let mut stack = desk().await;
    let gone = refused("Bad Request: message thread not found");
    stack
        .telegram
        .fail(FaultRule::on("copyMessage", gone).chat(DESK));
    sends(&stack, 7, "Hello");
    idle(&stack).await;
    assert_eq!(stack.telegram.count("copyMessage"), 5);
    let told = heard(&stack, 7);
    assert!(
        told.iter().any(|text| text.contains("pass this")),
        "{told:?}"
    );
    stack.leaves_something();
}

#[tokio::test]
async fn a_message_that_keeps_failing_holds_up_its_own_topic_alone() {
    // It waits for up to an hour.
    let stack = desk_with(&[("BASE_BACKOFF_SEC", "3600")]).await;
    for person in [7, 8] {
        writes(&stack, person, "Hello");
    }
    idle(&stack).await;
    let (of_7, of_8) = (topic_of(&stack, 7), topic_of(&stack, 8));
    stack
        .telegram
        .fail(FaultRule::on("copyMessage", Fault::Internal).times(1));
    sends(&stack, 7, "one");
    writes(&stack, 7, "two");
    writes(&stack, 8, "three");
    stack
        .run_until(|| texts(&shown(&stack, of_8)).contains(&"three"))
        .await;
    assert_eq!(texts(&shown(&stack, of_7)), ["Hello"]);
    idle(&stack).await;
    let all = shown(&stack, of_7);
    let words = texts(&all).join("\n");
    let places = ["one", "two"].map(|word| words.find(word));
    assert!(places[0].is_some() && places[0] < places[1], "{words}");
}

#[tokio::test]
async fn where_new_people_share_a_topic_the_message_of_one_that_fails_holds_up_nobody_and_keeps_its_name()
 {
    // It waits for up to an hour.
    let env = [("NEW_TOPICS_PER_HOUR", "1"), ("BASE_BACKOFF_SEC", "3600")];
    let stack = desk_with(&env).await;
    writes(&stack, 7, "Hello");
    idle(&stack).await;
    stack
        .telegram
        .fail(FaultRule::on("copyMessage", Fault::Internal).times(1));
    sends(&stack, 8, "one");
    stack
        .run_until(|| stack.telegram.count("copyMessage") > 0)
        .await;
    writes(&stack, 9, "two");
    let shared = topics(&stack)[1].thread_id;
    let said = || {
        let all = shown(&stack, shared);
        all.into_iter()
            .map(|message| message.text)
            .collect::<Vec<_>>()
    };
    let began = stack.clock.now_ms();
    stack.run_until(|| said().contains(&"two".to_owned())).await;
    let waited = stack.clock.now_ms() - began;
    assert!(waited < 120_000, "{waited} ms");
    assert!(!said().contains(&"one".to_owned()), "{:?}", said());
    idle(&stack).await;
    // Each stands right below the name of its writer.
    let all = said();
    for (words, person) in [("one", "· 8"), ("two", "· 9")] {
        let place = all.iter().position(|text| text == words).unwrap();
        assert!(all[place - 1].contains(person), "{all:?}");
    }
}

#[tokio::test]
async fn what_telegram_refuses_and_no_person_can_mend_is_parked_nowhere() {
    let stack = desk().await;
    writes(&stack, 7, "Hello");
    idle(&stack).await;
    let topic = topic_of(&stack, 7);
    let rule = FaultRule::on(
        "setMessageReaction",
        refused("Bad Request: REACTION_INVALID"),
    );
    stack.telegram.fail(rule.chat(DESK));
    let answer = answers(&stack, topic, "Hello, Ann");
    idle(&stack).await;
    assert_eq!(heard(&stack, 7).last().unwrap(), "Hello, Ann");
    assert!(reactions(&stack, answer).is_empty());
    assert_eq!(stack.telegram.count("setMessageReaction"), 1);
    // She takes no voice messages of those whom she does not know.
    let forbidden = refused("Bad Request: VOICE_MESSAGES_FORBIDDEN");
    let rule = FaultRule::on("copyMessage", forbidden).chat(7);
    stack.telegram.fail(rule.times(1));
    answers(&stack, topic, "a voice");
    idle(&stack).await;
    let said = shown(&stack, topic);
    let told = &said.last().unwrap().text;
    assert!(told.contains("does not let me do this"), "{told}");
    let lane = MessageLane::Parked(BotId(u64::try_from(stack.bot_id).unwrap()));
    let parked = stack.messages().page(lane, None, 10).await.unwrap();
    assert!(parked.found.is_empty(), "{parked:?}");
}

#[tokio::test]
async fn who_was_not_reached_is_told_at_the_next_start_and_once() {
    let stack = TestStack::with(&[("CHAT_DELIVERY", "claim")]).await;
    let ann = User::new(7).named("Ann");
    stack.telegram.presses_start(stack.bot_id, &ann, "");
    idle(&stack).await;
    stack.telegram.blocks(stack.bot_id, &ann);
    for (cause, class) in [
        ("paid#1", Class::Transactional),
        ("paid#2", Class::Transactional),
        ("offer#3", Class::Marketing),
    ] {
        let message = Message {
            id: MessageId::new(Timestamp::from_ms(stack.clock.now_ms()), cause),
            bot: BotId(u64::try_from(stack.bot_id).unwrap()),
            chat: ChatId(7),
            thread: None,
            class,
            content: Content::Text {
                html: cause.to_owned(),
                buttons: vec![],
                protect: false,
                silent: false,
            },
            not_before: None,
            not_after: None,
        };
        stack.say(&message).await;
        stack.clock.advance(Duration::from_secs(2));
    }
    idle(&stack).await;
    for _ in 0..2 {
        stack.telegram.presses_start(stack.bot_id, &ann, "");
        idle(&stack).await;
    }
    let heard = heard(&stack, 7);
    let again: Vec<_> = heard.iter().filter(|text| text.contains('#')).collect();
    assert_eq!(again, ["paid#2"]);
}
