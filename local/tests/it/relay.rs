//! The relay: what people write reaches the operators, in one topic each, and the other way round.

mod albums;
mod another_chat;
mod edits;
mod faults;
mod lines;
mod marks;
mod silence;
mod turns;

use std::time::Duration;

use local::harness::{HOUR, MINUTE, TestStack};
use simulators::telegram::{Conversation, SeenMessage, SeenTopic, User};

const DESK: i64 = -1_001_777_000_111;
const DESK_ID: &str = "-1001777000111";
const ON: (&str, &str) = ("OPERATOR_CHAT_ID", DESK_ID);
const OPERATOR: i64 = 500;
/// The operator may use each command.
const OWNER: (&str, &str) = ("BOT_OWNERS", "500");

/// A stack whose bot has an operators' chat, with an operator in it.
async fn desk() -> TestStack {
    desk_with(&[]).await
}

async fn desk_with(env: &[(&str, &str)]) -> TestStack {
    let all: Vec<_> = [ON, OWNER].into_iter().chain(env.iter().copied()).collect();
    let stack = TestStack::with(&all).await;
    stack.telegram.add_by_admin(DESK, operator());
    stack.run_until_idle().await;
    stack
}

fn operator() -> User {
    User::new(OPERATOR).named("Olga")
}

fn private(stack: &TestStack, person: i64) -> Conversation {
    Conversation::private(stack.bot_id, person)
}

/// A person writes to the bot.
fn writes(stack: &TestStack, person: i64, text: &str) -> i64 {
    let user = User::new(person).named("Ann");
    stack.telegram.says(private(stack, person), &user, text)
}

/// The topics that stand there.
fn topics(stack: &TestStack) -> Vec<SeenTopic> {
    stack.telegram.topics(DESK)
}

/// The topic of a person that is open.
fn topic_of(stack: &TestStack, person: i64) -> i64 {
    let mut all = topics(stack);
    all.retain(|topic| topic.name.ends_with(&format!("· {person}")) && !topic.is_closed);
    let [topic] = &all[..] else {
        panic!("one topic of {person}: {:?}", topics(stack))
    };
    topic.thread_id
}

/// What the bot said in a topic, but for what is pinned there.
fn shown(stack: &TestStack, thread: i64) -> Vec<SeenMessage> {
    let conversation = Conversation::chat(DESK);
    let pinned = stack.telegram.pinned(conversation);
    let mut all = stack.telegram.messages(conversation);
    all.retain(|message| {
        message.thread_id == Some(thread)
            && message.from_id == Some(stack.bot_id)
            && !message.text.is_empty()
            && !pinned.contains(&message.message_id)
            && !message.is_deleted
    });
    all
}

fn texts(messages: &[SeenMessage]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message.text.as_str())
        .collect()
}

/// What the bot said to a person.
fn heard(stack: &TestStack, person: i64) -> Vec<String> {
    let all = stack.customer(person).messages_of(stack.bot_id);
    all.into_iter().map(|message| message.text).collect()
}

/// The operator writes in a topic.
fn answers(stack: &TestStack, thread: i64, text: &str) -> i64 {
    stack
        .telegram
        .says_in_topic(DESK, thread, &operator(), text)
}

fn reactions(stack: &TestStack, message: i64) -> Vec<String> {
    let seen = stack.telegram.message(Conversation::chat(DESK), message);
    seen.unwrap().reactions
}

async fn idle(stack: &TestStack) {
    stack.run_until_idle().await;
}

#[tokio::test]
async fn what_a_person_writes_stands_in_their_topic_and_an_answer_comes_back() {
    let stack = desk().await;
    writes(&stack, 7, "Where is my <b>link</b>?");
    idle(&stack).await;
    let topic = topic_of(&stack, 7);
    assert_eq!(topics(&stack)[0].name, "Ann · 7");
    assert_eq!(texts(&shown(&stack, topic)), ["Where is my <b>link</b>?"]);
    // Who it is stands pinned above.
    let [pinned] = stack.telegram.pinned(Conversation::chat(DESK))[..] else {
        panic!("one is pinned")
    };
    let pinned = stack
        .telegram
        .message(Conversation::chat(DESK), pinned)
        .unwrap();
    assert_eq!(pinned.thread_id, Some(topic));
    assert!(pinned.text.contains("Ann"), "{}", pinned.text);

    let answer = answers(&stack, topic, "It is on its way.");
    idle(&stack).await;
    let heard = heard(&stack, 7);
    assert!(heard[0].contains("has arrived"), "{heard:?}");
    assert_eq!(heard[1..], ["It is on its way."]);
    assert_eq!(reactions(&stack, answer), ["👌"]);

    // Told once: this conversation goes on.
    writes(&stack, 7, "Thank you");
    idle(&stack).await;
    assert_eq!(stack.customer(7).messages_of(stack.bot_id).len(), 2);
    assert_eq!(shown(&stack, topic).len(), 2);
    assert_eq!(topics(&stack).len(), 1);
    assert_eq!(stack.telegram.pinned(Conversation::chat(DESK)).len(), 1);
}

#[tokio::test]
async fn each_has_one_topic_however_many_write_at_once_and_however_often() {
    let stack = desk().await;
    for round in 0..5 {
        for person in 1..=20 {
            writes(&stack, person, &format!("{person}: {round}"));
        }
    }
    idle(&stack).await;
    assert_eq!(topics(&stack).len(), 20);
    for person in 1..=20 {
        let topic = topic_of(&stack, person);
        let said = shown(&stack, topic);
        let words = texts(&said).join("\n");
        let places: Vec<_> = (0..5)
            .map(|round| words.find(&format!("{person}: {round}")))
            .collect();
        assert!(places.iter().all(Option::is_some), "{words}");
        assert!(places.is_sorted(), "{words}");
    }
}

#[tokio::test]
async fn an_update_that_comes_again_says_nothing_again() {
    let stack = desk().await;
    writes(&stack, 7, "once");
    let update = serde_json::json!({"update_id": 900_000, "message": {
        "message_id": 4_000, "date": stack.clock.now_ms() / 1000, "text": "twice",
        "chat": {"id": 7, "type": "private", "first_name": "Ann"},
        "from": {"id": 7, "is_bot": false, "first_name": "Ann"},
    }});
    for _ in 0..3 {
        stack.telegram.sent(&update).await;
    }
    idle(&stack).await;
    let topic = topic_of(&stack, 7);
    let all = shown(&stack, topic);
    let mut all = texts(&all);
    all.sort_unstable();
    assert_eq!(all, ["once", "twice"]);
}

#[tokio::test]
async fn commands_and_words_among_operators_stay_where_they_are() {
    let stack = desk().await;
    writes(&stack, 7, "Hello");
    idle(&stack).await;
    let (topic, before) = (topic_of(&stack, 7), heard(&stack, 7).len());
    for text in ["// I know this one", "/note pays late", "/nonsense"] {
        answers(&stack, topic, text);
        idle(&stack).await;
    }
    assert_eq!(heard(&stack, 7).len(), before);
    let shown = shown(&stack, topic);
    let refused = shown.last().unwrap();
    assert!(
        refused.text.contains("Nothing was sent"),
        "{}",
        refused.text
    );
    // Elsewhere in the chat people talk among themselves.
    stack
        .telegram
        .says(Conversation::chat(DESK), &operator(), "Lunch?");
    idle(&stack).await;
    assert_eq!(heard(&stack, 7).len(), before);
}

#[tokio::test]
async fn an_anonymous_administrator_answers_and_a_channel_does_not() {
    let stack = desk().await;
    writes(&stack, 7, "Hello");
    idle(&stack).await;
    let (topic, before) = (topic_of(&stack, 7), heard(&stack, 7).len());
    stack
        .telegram
        .answers_anonymously(DESK, topic, "From the desk");
    idle(&stack).await;
    assert_eq!(heard(&stack, 7)[before..], ["From the desk"]);
}

#[tokio::test]
async fn an_edit_follows_both_ways_and_an_answer_is_taken_back() {
    let stack = desk().await;
    let asked = writes(&stack, 7, "Were is it?");
    idle(&stack).await;
    let topic = topic_of(&stack, 7);
    assert!(
        stack
            .telegram
            .edits(private(&stack, 7), asked, "Where is it?")
    );
    idle(&stack).await;
    assert_eq!(texts(&shown(&stack, topic)), ["Where is it?"]);

    let ann = User::new(7).named("Ann");
    let photo = stack
        .telegram
        .sends_photo(private(&stack, 7), &ann, "my bil");
    idle(&stack).await;
    assert!(stack.telegram.edits(private(&stack, 7), photo, "my bill"));
    idle(&stack).await;
    assert_eq!(texts(&shown(&stack, topic)), ["Where is it?", "my bill"]);

    let answer = answers(&stack, topic, "Heer");
    idle(&stack).await;
    let desk = Conversation::chat(DESK);
    assert!(stack.telegram.edits(desk, answer, "Here"));
    idle(&stack).await;
    assert_eq!(heard(&stack, 7).last().unwrap(), "Here");

    stack
        .telegram
        .replies(Conversation::chat(DESK), &operator(), answer, "/delete");
    idle(&stack).await;
    let all = stack.customer(7).messages_of(stack.bot_id);
    assert!(
        all.iter()
            .all(|message| message.is_deleted || message.text != "Here"),
        "{all:?}"
    );
}

#[tokio::test]
async fn an_album_stays_one_and_its_parts_come_once() {
    let stack = desk().await;
    let ann = User::new(7).named("Ann");
    stack
        .telegram
        .sends_album(private(&stack, 7), &ann, &["one", "two", "three"]);
    idle(&stack).await;
    let topic = topic_of(&stack, 7);
    let copies = shown(&stack, topic);
    assert_eq!(texts(&copies), ["one", "two", "three"]);
    assert!(copies[0].album.is_some());
    assert!(copies.iter().all(|copy| copy.album == copies[0].album));
    assert_eq!(stack.telegram.count("copyMessages"), 1);
}

#[tokio::test]
async fn an_answer_that_can_not_be_delivered_says_why() {
    let stack = desk().await;
    writes(&stack, 7, "Hello");
    idle(&stack).await;
    let topic = topic_of(&stack, 7);
    stack
        .telegram
        .blocks(stack.bot_id, &User::new(7).named("Ann"));
    idle(&stack).await;
    let answer = answers(&stack, topic, "Hello, Ann");
    idle(&stack).await;
    let all = shown(&stack, topic);
    let said = all.last().unwrap();
    assert!(said.text.contains("has blocked the bot"), "{}", said.text);
    assert!(reactions(&stack, answer).is_empty());
}

#[tokio::test]
async fn a_topic_that_is_gone_is_made_anew_and_a_closed_one_opens() {
    let stack = desk().await;
    writes(&stack, 7, "one");
    idle(&stack).await;
    let first = topic_of(&stack, 7);
    assert!(stack.telegram.deletes_topic(DESK, first));
    writes(&stack, 7, "two");
    idle(&stack).await;
    let second = topic_of(&stack, 7);
    assert_ne!(first, second);
    assert_eq!(texts(&shown(&stack, second)), ["two"]);

    answers(&stack, second, "/close");
    idle(&stack).await;
    assert!(topics(&stack)[0].is_closed);
    writes(&stack, 7, "three");
    idle(&stack).await;
    assert_eq!(topic_of(&stack, 7), second);
    // By hand, too.
    assert!(stack.telegram.closes_topic(DESK, second));
    idle(&stack).await;
    writes(&stack, 7, "four");
    idle(&stack).await;
    assert_eq!(texts(&shown(&stack, second)), ["two", "three", "four"]);
    assert_eq!(topic_of(&stack, 7), second);
}

#[tokio::test]
async fn a_prepared_answer_is_sent_by_its_name() {
    let stack = desk().await;
    writes(&stack, 7, "Hello");
    idle(&stack).await;
    let topic = topic_of(&stack, 7);
    let hours = answers(&stack, topic, "We are here from nine to five.");
    stack.telegram.replies(
        Conversation::chat(DESK),
        &operator(),
        hours,
        "/reply = hours",
    );
    idle(&stack).await;
    writes(&stack, 8, "When?");
    idle(&stack).await;
    let other = topic_of(&stack, 8);
    answers(&stack, other, "/reply Hours");
    answers(&stack, other, "/reply price");
    idle(&stack).await;
    assert_eq!(
        heard(&stack, 8).last().unwrap(),
        "We are here from nine to five."
    );
    let all = shown(&stack, other);
    assert!(all.last().unwrap().text.contains("price"));
}

#[tokio::test]
async fn no_claim_link_is_shown_to_operators() {
    let stack = desk_with(&[("CHAT_DELIVERY", "claim")]).await;
    let bought = stack.shop().buy("alice", "T1").await;
    let link = bought.body["inviteLink"].as_str().unwrap().to_owned();
    let token = link.split_once("c_").unwrap().1;
    writes(&stack, 7, "Hello");
    stack.run_until_idle().await;
    let ann = User::new(7).named("Ann");
    stack
        .telegram
        .sends_photo(private(&stack, 7), &ann, &format!("look: {link}"));
    writes(&stack, 8, &format!("it says {token}"));
    idle(&stack).await;
    let all = stack.telegram.messages(Conversation::chat(DESK));
    assert!(all.iter().any(|message| message.text.contains("look: ")));
    assert!(all.iter().any(|message| message.text.contains("it says ")));
    assert!(
        all.iter().all(|message| !message.text.contains(token)),
        "{all:?}"
    );
}

#[tokio::test]
async fn a_full_chat_takes_twenty_a_minute_and_joins_the_words_of_one_person() {
    let stack = desk().await;
    writes(&stack, 7, "first");
    idle(&stack).await;
    let topic = topic_of(&stack, 7);
    let (before, began) = (stack.telegram.call_count(), stack.clock.now_ms());
    for person in 100..130 {
        writes(&stack, person, "new here");
    }
    for number in 0..12 {
        let (ann, html) = (User::new(7).named("Ann"), format!("word <b>{number}</b>"));
        stack.telegram.says_html(private(&stack, 7), &ann, &html);
    }
    idle(&stack).await;
    let all = shown(&stack, topic);
    let joined: Vec<_> = all
        .iter()
        .filter(|message| message.text.contains("behind"))
        .collect();
    assert!(!joined.is_empty(), "{:?}", texts(&all));
    for message in joined {
        let lines: Vec<_> = message.text.split("\n\n").collect();
        let bold = lines.iter().enumerate().map(|(place, line)| match place {
            0 => *line,
            _ => line.strip_prefix("word ").unwrap(),
        });
        let bold: Vec<_> = bold.map(|words| ("bold", words)).collect();
        assert_eq!(marks::marks(message), marks::pairs(&bold));
    }
    let words = texts(&all).join("\n");
    let places: Vec<_> = (0..12)
        .map(|number| words.find(&format!("word {number}")))
        .collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{words}"
    );
    let calls = stack.telegram.calls();
    let to_desk = calls[usize::try_from(before).unwrap()..]
        .iter()
        .filter(|call| call.chat_id == Some(DESK));
    let minutes = (stack.clock.now_ms() - began) / 60_000 + 1;
    let count = i64::try_from(to_desk.count()).unwrap();
    assert!(count <= 21 * minutes, "{count} calls in {minutes} minutes");
    assert_eq!(stack.telegram.too_many_requests(), 0);
}

#[tokio::test]
async fn a_thousand_messages_of_one_person_delay_nobody_else() {
    let stack = desk().await;
    writes(&stack, 7, "Hello");
    writes(&stack, 8, "Hello");
    idle(&stack).await;
    let other = topic_of(&stack, 8);
    let before = stack.clock.now_ms();
    for number in 0..1000 {
        writes(&stack, 7, &format!("{number}"));
    }
    writes(&stack, 8, "Am I next?");
    let began = stack.clock.now_ms();
    stack
        .run_until(|| texts(&shown(&stack, other)).contains(&"Am I next?"))
        .await;
    let waited = Duration::from_millis(u64::try_from(stack.clock.now_ms() - began).unwrap());
    assert!(waited <= MINUTE, "{waited:?}");
    idle(&stack).await;
    // What was not taken is said once in a minute.
    let refused = heard(&stack, 7);
    let refused = refused.iter().filter(|text| text.contains("bit fast"));
    let refused = refused.count();
    let minutes = usize::try_from((stack.clock.now_ms() - before) / 60_000 + 2).unwrap();
    assert!((1..=minutes).contains(&refused), "{refused} in {minutes}");
}

#[tokio::test]
async fn new_people_share_a_topic_when_too_many_come_and_each_is_answered() {
    let stack = desk_with(&[("NEW_TOPICS_PER_HOUR", "2")]).await;
    for person in 1..=4 {
        writes(&stack, person, &format!("from {person}"));
        idle(&stack).await;
    }
    let names: Vec<_> = topics(&stack).into_iter().map(|topic| topic.name).collect();
    assert_eq!(names, ["Ann · 1", "Ann · 2", "New people · newcomers"]);
    let shared = topics(&stack)[2].thread_id;
    let all = shown(&stack, shared);
    assert!(all[0].text.contains("Ann") && all[0].text.contains('3'));
    assert_eq!(all[1].text, "from 3");
    // Whom it is for is not clear.
    answers(&stack, shared, "Hello?");
    idle(&stack).await;
    assert!(
        shown(&stack, shared)
            .last()
            .unwrap()
            .text
            .contains("Several")
    );
    stack.telegram.replies(
        Conversation::chat(DESK),
        &operator(),
        all[1].message_id,
        "Hello, third",
    );
    idle(&stack).await;
    assert_eq!(heard(&stack, 3).last().unwrap(), "Hello, third");
    assert!(!heard(&stack, 4).contains(&"Hello, third".to_owned()));
    // An hour later there is room again.
    stack.clock.advance(HOUR);
    writes(&stack, 4, "again");
    idle(&stack).await;
    assert_eq!(texts(&shown(&stack, topic_of(&stack, 4))), ["again"]);
}

#[tokio::test]
async fn at_night_people_are_told_when_somebody_is_there_and_what_can_not_be_passed_on() {
    // The simulated clock says what time it is: an hour that surely is another one.
    let hour = TestStack::start().await.clock.now_ms() / 3_600_000 % 24;
    let (from, to) = ((hour + 2) % 24, (hour + 3) % 24);
    let hours = format!("{from:02}:00-{to:02}:00");
    let stack = desk_with(&[("SUPPORT_HOURS", &hours)]).await;
    writes(&stack, 7, "Hello");
    idle(&stack).await;
    let told = heard(&stack, 7);
    assert!(told[0].contains(&format!("{from:02}:00 UTC")), "{told:?}");
}

#[tokio::test]
async fn without_an_operators_chat_people_are_told_who_reads_and_who_does_not() {
    for (url, words) in [
        ("", "Nobody reads"),
        ("https://t.me/owner", "https://t.me/owner"),
    ] {
        let stack = TestStack::with(&[("CHAT_DELIVERY", "claim"), ("SUPPORT_URL", url)]).await;
        writes(&stack, 7, "/support");
        idle(&stack).await;
        let told = heard(&stack, 7);
        assert!(told[0].contains(words), "{told:?}");
    }
}

#[tokio::test]
async fn who_leaves_the_operators_chat_is_no_operator_any_more() {
    let stack = desk_with(&[("BOT_OWNERS", "1")]).await;
    let boss = User::new(1).named("Boss");
    let private = private(&stack, 1);
    stack.telegram.says(private, &boss, "/role 500 operator");
    idle(&stack).await;
    let role = async || {
        let people = stack.people();
        let known = people.get(domain::id::TelegramUserId(OPERATOR)).await;
        known.unwrap().and_then(|known| known.role)
    };
    assert_eq!(role().await, Some(domain::command::Role::Operator));
    stack.telegram.leave(DESK, OPERATOR);
    idle(&stack).await;
    assert_eq!(role().await, None);
}
