//! Libraries of the Bot API that nobody here wrote, unchanged but for their base URL. `local/tests/clients/run.sh` installs
//! them and runs this.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use local::harness::{Customer, TestStack, until};
use runtime::config::Env;
use tokio::process::{Child, Command};

use super::CLAIMED;

/// The programs, and what each says in its answers.
const LIBRARIES: [(&str, &str); 5] = [
    ("ptb.py", "ptb"),
    ("aiogram_bot.py", "aiogram"),
    ("grammy_bot.mjs", "grammy"),
    ("telegraf_bot.mjs", "telegraf"),
    ("teloxide-client", "teloxide"),
];

fn start(folder: &Path, program: &str, base: &str, key: &str) -> Child {
    let mut command = match program.rsplit_once('.') {
        Some((_, "py")) => Command::new(folder.join("venv/bin/python")),
        Some(_) => Command::new("node"),
        None => Command::new(folder.join(program)),
    };
    if program.contains('.') {
        command.arg(program);
    }
    command
        .current_dir(folder)
        .env("BASE", base)
        .env("KEY", key)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn is_answered(person: &Customer, bot: i64, text: &str) {
    until(text, async || {
        let seen = person.messages_of(bot);
        seen.iter()
            .any(|message| message.text == text)
            .then_some(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the libraries: local/tests/clients/run.sh installs them"]
async fn libraries_work_unchanged() {
    let folder = PathBuf::from(Env::of_process().optional("CLIENTS").unwrap());
    let stack = TestStack::with(&[CLAIMED]).await;
    let ann = stack.customer(7);
    let mut running = Vec::new();
    for (program, says) in LIBRARIES {
        let actor = stack.actor(says, "operator").await;
        running.push((start(&folder, program, &stack.local.url, &actor.key), says));
    }
    // All of them at once, each by its own key and with its own cursor.
    ann.say(stack.bot_id, "hello");
    for (_, says) in &running {
        is_answered(&ann, stack.bot_id, &format!("{says}: hello")).await;
    }
    ann.say(stack.bot_id, "stop");
    for (child, says) in running {
        is_answered(&ann, stack.bot_id, &format!("{says}: stop")).await;
        let ended = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output()).await;
        let ended = ended
            .unwrap_or_else(|_| panic!("{says} does not stop"))
            .unwrap();
        assert!(ended.status.success(), "{says}: {}", ended.status);
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert!(said.contains("stopped"), "{says}: {said}");
    }
    // The webhook of the bot ran all the time.
    ann.say(stack.bot_id, "/help");
    let before = ann.messages_of(stack.bot_id).len();
    until("the bot's own answer", async || {
        (ann.messages_of(stack.bot_id).len() > before).then_some(())
    })
    .await;
    stack.run_until_idle().await;
}
