//! What is not right: each has a sentence that says what to do, changes nothing, and is answered all the same.

use simulators::telegram::{ChatKind, Fault, FaultRule, Refusal, Rights};
use simulators::webengage::Mode;

use super::*;

/// Spoils something, of the world or of the environment.
type Spoil = fn(&TestStack, &mut HashMap<String, String>);

/// What is spoiled, and the words of the reason.
const SPOILED: [(Spoil, &str); 16] = [
    (
        |stack, _| stack.telegram.revoke_token(stack.bot_id),
        "bot 123456789: Telegram refused getMe: 401 Unauthorized: put the bot's present token, from @BotFather, into TELEGRAM_BOT_TOKEN",
    ),
    (
        |_, env| set(env, "TELEGRAM_CHAT_ID", "-100404"),
        "bot 123456789 in chat -100404: Telegram refused getChat: 400 Bad Request: chat not found: add the bot to the chat as an administrator, and check TELEGRAM_CHAT_ID",
    ),
    (
        |stack, _| stack.telegram.kick_bot(stack.bot_id, stack.chat_id),
        "403 Forbidden: bot was kicked from the supergroup chat: add the bot to the chat as an administrator who may invite users",
    ),
    (
        |stack, _| stack.telegram.demote_bot(stack.bot_id, stack.chat_id),
        "“Premium Club”, a supergroup: the bot is no administrator (it is “member”); make it one who may invite users",
    ),
    (
        |stack, _| {
            let rights = Rights {
                can_invite_users: false,
                ..Rights::all()
            };
            stack
                .telegram
                .make_admin(stack.bot_id, stack.chat_id, rights);
        },
        "the bot may not invite users; give it the right to invite users by link",
    ),
    (
        |stack, _| stack.telegram.migrate_chat(stack.chat_id, -1_009_999),
        "put -1009999=-1001234567890 into TELEGRAM_CHAT_ID",
    ),
    (
        |stack, _| stack.webengage.set_mode(Mode::Unauthorized),
        "WebEngage: WebEngage refused the event: HTTP 401 (check WEBENGAGE_API_KEY",
    ),
    (
        |_, env| set(env, "WEBENGAGE_LICENSE_CODE", "in~other"),
        "HTTP 404 (check WEBENGAGE_LICENSE_CODE, and WEBENGAGE_API_BASE for the data centre)",
    ),
    (
        |_, env| set(env, "TELEGRAM_WEBHOOK_SECRET", "s3cret-one,s3cret-two"),
        "one secret for each bot of TELEGRAM_BOT_TOKEN, in the same order: there are 2 of 1: to be fixed in the secret",
    ),
    (
        |_, env| {
            set(env, "TELEGRAM_WEBHOOK_SECRET", "");
            set(env, "WEBENGAGE_API_KEY", " ");
        },
        "TELEGRAM_WEBHOOK_SECRET is missing; WEBENGAGE_API_KEY is missing: to be fixed in the secret",
    ),
    (
        |_, env| set(env, "API_KEYS", ""),
        "API_KEYS: there are none, so no shop can buy: put at least one into the secret",
    ),
    (
        |_, env| {
            set(
                env,
                "SECRETS_ARN",
                "arn:aws:secretsmanager:us-east-1:000000000000:secret:none-AbCdEf",
            )
        },
        "the secret that SECRETS_ARN names can't be read",
    ),
    (
        |_, env| {
            set(
                env,
                "TELEGRAM_WEBHOOK_SECRET",
                "not a secret that Telegram takes",
            )
        },
        "webhook of bot 123456789: Telegram refused setWebhook: 400 Bad Request: secret token contains unallowed characters",
    ),
    (
        |stack, _| {
            stack
                .telegram
                .fail(FaultRule::on("getChat", Fault::BadGateway))
        },
        "Telegram answered getChat with HTTP 502 and no Bot API answer: try again in a minute",
    ),
    (
        |stack, _| {
            let limit = Fault::TooManyRequests { retry_after: 600 };
            stack.telegram.fail(FaultRule::on("getMe", limit));
        },
        "429 Too Many Requests: retry after 600: try again in a minute",
    ),
    (
        |stack, _| {
            let refusal = Refusal::bad_request(
                "bad webhook: Failed to resolve host: Name or service not known",
            );
            stack
                .telegram
                .fail(FaultRule::on("setWebhook", Fault::Refuse(refusal)));
        },
        "bad webhook: Failed to resolve host",
    ),
];

fn set(env: &mut HashMap<String, String>, name: &str, value: &str) {
    env.insert(name.to_owned(), value.to_owned());
}

#[tokio::test]
async fn what_is_not_right_fails_the_deploy_with_what_to_do_and_changes_nothing() {
    for (spoil, words) in SPOILED {
        let stack = TestStack::start().await;
        let mut env = env(&stack);
        let before = registered(&stack, stack.bot_id).unwrap();
        spoil(&stack, &mut env);
        let waiting = Waiting::start().await;
        let event = call(
            "Create",
            &waiting,
            "https://ours.example/v1/telegram/webhook",
        );
        let outcome = invoke(&env, &event).await.unwrap();
        assert_eq!(outcome.status, Status::Failed, "{words}: {outcome:?}");
        let answer = waiting.answer();
        assert_eq!(answer["Status"], "FAILED");
        let reason = answer["Reason"].as_str().unwrap();
        assert!(reason.contains(words), "{words}: {reason}");
        assert!(
            reason.contains(
                "Then deploy again, or run: aws lambda invoke --function-name admit-one-setup"
            ),
            "{reason}"
        );
        assert_clean(&env, reason);
        let mut calls = stack.telegram.calls();
        calls.retain(|call| call.method == "setWebhook" && call.status == 200);
        assert_eq!(calls.last().unwrap().params, before, "{words}");
        assert_eq!(stack.webengage.ingested_count(), 0);
        // On the way back from an update the same is told, and stops nothing.
        let mut back = call(
            "Update",
            &waiting,
            "https://ours.example/v1/telegram/webhook",
        );
        back["OldResourceProperties"] = json!({"DeployId": "42"});
        invoke(&env, &back).await.unwrap();
        let answer = waiting.answer();
        assert_eq!(answer["Status"], "SUCCESS");
        assert!(
            answer["Reason"].as_str().unwrap().contains(words),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn what_a_person_should_know_and_can_wait_does_not_fail_the_deploy() {
    let spoils: [(Spoil, &str); 3] = [
        (
            |stack, _| {
                let rights = Rights {
                    can_restrict_members: false,
                    ..Rights::all()
                };
                stack
                    .telegram
                    .make_admin(stack.bot_id, stack.chat_id, rights);
            },
            "the bot may not ban users; give it that right",
        ),
        (
            |stack, _| stack.webengage.outage(),
            "WebEngage: WebEngage answered HTTP 503: licence and key are not checked.",
        ),
        (
            |stack, _| {
                let limit = Fault::TooManyRequests { retry_after: 1 };
                stack
                    .telegram
                    .fail(FaultRule::on("setWebhook", limit).times(1));
                stack
                    .telegram
                    .fail(FaultRule::on("getMe", Fault::ResetBefore).times(2));
            },
            "Ready: ",
        ),
    ];
    for (spoil, words) in spoils {
        let stack = TestStack::start().await;
        let mut env = env(&stack);
        spoil(&stack, &mut env);
        let waiting = Waiting::start().await;
        invoke(&env, &call("Create", &waiting, &webhook_url(&stack)))
            .await
            .unwrap();
        let answer = waiting.answer();
        assert_eq!(answer["Status"], "SUCCESS", "{answer}");
        let result = answer["Data"]["Result"].as_str().unwrap();
        assert!(result.contains(words), "{words}: {result}");
    }
}

#[tokio::test]
async fn a_stack_can_always_be_deleted() {
    let spoils: [(Spoil, &str); 4] = [
        (
            |_, env| set(env, "TELEGRAM_BOT_TOKEN", ""),
            "no bot is known",
        ),
        (
            |_, env| {
                set(
                    env,
                    "SECRETS_ARN",
                    "arn:aws:secretsmanager:us-east-1:000000000000:secret:none-AbCdEf",
                )
            },
            "can't be read",
        ),
        (
            |stack, _| stack.telegram.revoke_token(stack.bot_id),
            "left: Telegram refused getWebhookInfo: 401 Unauthorized",
        ),
        (
            |stack, _| stack.telegram.fail(FaultRule::always(Fault::ResetBefore)),
            "left: Telegram did not answer",
        ),
    ];
    for (spoil, words) in spoils {
        let stack = TestStack::start().await;
        let mut env = env(&stack);
        spoil(&stack, &mut env);
        let waiting = Waiting::start().await;
        invoke(&env, &call("Delete", &waiting, &webhook_url(&stack)))
            .await
            .unwrap();
        let answer = waiting.answer();
        assert_eq!(answer["Status"], "SUCCESS", "{answer}");
        assert!(
            answer["Reason"].as_str().unwrap().contains(words),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_call_of_no_known_kind_is_answered_too() {
    let stack = TestStack::start().await;
    let env = env(&stack);
    let waiting = Waiting::start().await;
    let mut event = call("Rename", &waiting, &webhook_url(&stack));
    for words in ["RequestType is none of Create", "RequestType is missing"] {
        invoke(&env, &event).await.unwrap();
        let answer = waiting.answer();
        assert_eq!(answer["Status"], "FAILED");
        assert!(
            answer["Reason"].as_str().unwrap().contains(words),
            "{answer}"
        );
        event["RequestType"] = json!(null);
        event["ResourceProperties"] = json!("none");
    }
}

#[tokio::test]
async fn an_answer_comes_before_the_time_is_over() {
    let stack = TestStack::start().await;
    let env = env(&stack);
    stack
        .telegram
        .fail(FaultRule::on("getMe", Fault::HangForever));
    let waiting = Waiting::start().await;
    let event = call("Create", &waiting, &webhook_url(&stack));
    let deadline = Instant::now() + Duration::from_secs(2);
    let outcome = setup::handle(read(&env), &event, "setup", deadline).await;
    assert!(Instant::now() < deadline);
    assert_eq!(outcome.unwrap().status, Status::Failed);
    let reason = waiting.answer()["Reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("did not answer in time"), "{reason}");
}

#[tokio::test]
async fn an_answer_that_is_not_taken_is_given_again_and_in_the_end_lambda_calls_again() {
    let stack = TestStack::start().await;
    let env = env(&stack);
    let patient = Waiting::refusing(&[503, 500]).await;
    let url = webhook_url(&stack);
    invoke(&env, &call("Create", &patient, &url)).await.unwrap();
    assert_eq!(patient.answer()["Status"], "SUCCESS");
    let deaf = Waiting::refusing(&[403; 4]).await;
    let unanswered = invoke(&env, &call("Create", &deaf, &url)).await;
    let sentence = unanswered.unwrap_err().to_string();
    assert!(sentence.contains("HTTP 403"), "{sentence}");
    // Whoever could read an answer on its way could give another one.
    let mut plain = call("Create", &deaf, &url);
    plain["ResponseURL"] = json!("http://s3.example/response?X-Amz-Signature=s3cret");
    let sentence = invoke(&env, &plain).await.unwrap_err().to_string();
    assert!(sentence.contains("no https URL"), "{sentence}");
}

#[tokio::test]
async fn a_long_answer_is_cut_to_what_cloudformation_takes() {
    let stack = TestStack::start().await;
    let mut env = env(&stack);
    let chats: Vec<String> = (1..=60)
        .map(|n| {
            let id = -1_007_000_000_000 - n;
            stack
                .telegram
                .add_chat(id, &"“\\\"ö\n".repeat(50), ChatKind::Channel);
            stack.telegram.make_admin(stack.bot_id, id, Rights::none());
            id.to_string()
        })
        .collect();
    set(&mut env, "TELEGRAM_CHAT_ID", &chats.join(","));
    let waiting = Waiting::start().await;
    let outcome = invoke(&env, &call("Create", &waiting, &webhook_url(&stack)))
        .await
        .unwrap();
    assert_eq!(outcome.checks.len(), 62);
    assert!(!outcome.says.contains('\n'), "{}", outcome.says);
    let answer = waiting.answer();
    assert_eq!(answer["Status"], "FAILED");
    assert!(answer["Reason"].as_str().unwrap().ends_with('…'));
}
