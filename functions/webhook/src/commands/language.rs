//! `/language`, with or without the word for one.

use domain::button::ButtonData;
use domain::message::{Button, ButtonAction, Class};
use domain::texts::{Language, Text};

use crate::Failure;
use crate::conversation::Conversation;

pub(super) async fn run(conversation: &Conversation<'_>, word: &str) -> Result<(), Failure> {
    if let Some(language) = Language::of_word(word) {
        let people = &conversation.app.people;
        people
            .choose_language(conversation.person(), language)
            .await?;
        let html = Text::LanguageChosen.html(language);
        return conversation.say(Class::Reply, html, Vec::new()).await;
    }
    let choices = Language::ALL.map(|language| {
        vec![Button {
            text: language.name().to_owned(),
            action: ButtonAction::Callback(ButtonData::Language(language).to_string()),
        }]
    });
    let html = Text::LanguageList.html(conversation.language);
    conversation.say(Class::Reply, html, choices.into()).await
}
