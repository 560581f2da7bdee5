//! teloxide, unchanged but for its base URL: answers each message, edits its answer, stops at "stop".

use std::env::var;
use std::sync::Arc;

use teloxide::prelude::*;
use tokio::sync::Notify;

async fn answer(bot: Bot, message: Message, stop: Arc<Notify>) -> ResponseResult<()> {
    let Some(text) = message.text() else {
        return Ok(());
    };
    let heard = format!("teloxide heard {text}");
    let sent = bot.send_message(message.chat.id, heard).await?;
    let edited = format!("teloxide: {text}");
    bot.edit_message_text(sent.chat.id, sent.id, edited).await?;
    if text == "stop" {
        stop.notify_one();
    }
    Ok(())
}

#[tokio::main]
async fn main() {
    let base = var("BASE").expect("BASE").parse().expect("an address");
    let bot = Bot::new(var("KEY").expect("KEY")).set_api_url(base);
    let stop = Arc::new(Notify::new());
    let mut dispatcher = Dispatcher::builder(bot, Update::filter_message().endpoint(answer))
        .dependencies(dptree::deps![Arc::clone(&stop)])
        .build();
    let token = dispatcher.shutdown_token();
    tokio::spawn(async move {
        stop.notified().await;
        token.shutdown().expect("it runs").await;
    });
    dispatcher.dispatch().await;
    println!("stopped");
}
