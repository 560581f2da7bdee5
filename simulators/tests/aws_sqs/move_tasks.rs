//! Dead letters on their way back.

use aws_sdk_sqs::types::ListMessageMoveTasksResultEntry;

use crate::aws_client::{AwsWorld, code};

const DEAD: &str = "arn:aws:sqs:us-east-1:000000000000:Dead";

/// `Orders` and `Dead`, with this many messages in the latter that came from the former.
async fn with_dead_letters(world: &AwsWorld, count: usize) -> (String, String) {
    let (url, dead) = world.queue_and_dead("Orders", "Dead", 1).await;
    for number in 0..count {
        world.send(&url, &number.to_string()).await;
    }
    while !world.receive(&url).await.is_empty() {}
    world.advance(30);
    assert!(world.receive(&url).await.is_empty());
    while world.aws.queue_depth("Orders").unwrap().total() > 0 {
        world.receive(&url).await;
    }
    assert_eq!(world.aws.queue_depth("Dead").unwrap().visible, count as u64);
    (url, dead)
}

async fn latest(world: &AwsWorld) -> ListMessageMoveTasksResultEntry {
    let listed = world
        .sqs
        .list_message_move_tasks()
        .source_arn(DEAD)
        .send()
        .await
        .unwrap();
    listed.results.unwrap().remove(0)
}

async fn ended(world: &AwsWorld) -> ListMessageMoveTasksResultEntry {
    loop {
        let task = latest(world).await;
        if task.status() != Some("RUNNING") {
            return task;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn dead_letters_go_back_to_where_they_came_from_as_new_messages() {
    let world = AwsWorld::start().await;
    let (url, _) = with_dead_letters(&world, 25).await;
    let started = world
        .sqs
        .start_message_move_task()
        .source_arn(DEAD)
        .send()
        .await
        .unwrap();
    assert!(started.task_handle().is_some());
    let task = ended(&world).await;
    assert_eq!(task.status(), Some("COMPLETED"));
    assert_eq!(task.approximate_number_of_messages_moved(), 25);
    assert_eq!(task.approximate_number_of_messages_to_move(), Some(25));
    assert_eq!(task.source_arn(), Some(DEAD));
    assert_eq!(
        task.task_handle(),
        None,
        "only a running task can be cancelled"
    );
    assert_eq!(world.aws.queue_depth("Dead").unwrap().total(), 0);
    assert_eq!(world.aws.queue_depth("Orders").unwrap().visible, 25);
    let message = world.receive(&url).await.remove(0);
    let attributes = message.attributes().unwrap();
    assert_eq!(attributes[&"ApproximateReceiveCount".into()], "1");
    assert!(!attributes.contains_key(&"DeadLetterQueueSourceArn".into()));
}

#[tokio::test]
async fn a_task_may_name_another_destination() {
    let world = AwsWorld::start().await;
    with_dead_letters(&world, 2).await;
    let elsewhere = world.queue("Elsewhere").await;
    let start = world.sqs.start_message_move_task().source_arn(DEAD);
    start
        .destination_arn("arn:aws:sqs:us-east-1:000000000000:Elsewhere")
        .send()
        .await
        .unwrap();
    assert_eq!(ended(&world).await.status(), Some("COMPLETED"));
    assert_eq!(world.receive(&elsewhere).await.len(), 2);
}

#[tokio::test]
async fn only_a_dead_letter_queue_can_be_the_source_and_only_one_task_runs() {
    let world = AwsWorld::start().await;
    with_dead_letters(&world, 30).await;
    let start = |arn: &str| {
        world
            .sqs
            .start_message_move_task()
            .source_arn(arn)
            .max_number_of_messages_per_second(1)
            .send()
    };
    assert_eq!(
        code(start("arn:aws:sqs:us-east-1:000000000000:Orders").await),
        "InvalidParameterValue"
    );
    assert_eq!(
        code(start("arn:aws:sqs:us-east-1:000000000000:Nobody").await),
        "ResourceNotFoundException"
    );
    assert_eq!(code(start("Dead").await), "ResourceNotFoundException");
    let zero = world
        .sqs
        .start_message_move_task()
        .source_arn(DEAD)
        .max_number_of_messages_per_second(0)
        .send()
        .await;
    assert_eq!(code(zero), "InvalidParameterValue");
    start(DEAD).await.unwrap();
    assert_eq!(
        code(start(DEAD).await),
        "AWS.SimpleQueueService.UnsupportedOperation"
    );
}

#[tokio::test]
async fn a_task_keeps_its_rate_and_can_be_cancelled() {
    let world = AwsWorld::start().await;
    with_dead_letters(&world, 30).await;
    let start = world
        .sqs
        .start_message_move_task()
        .source_arn(DEAD)
        .max_number_of_messages_per_second(5);
    let handle = start.send().await.unwrap().task_handle.unwrap();
    for moved in [5, 10] {
        while world.aws.queue_depth("Orders").unwrap().visible < moved {
            tokio::task::yield_now().await;
        }
        let task = latest(&world).await;
        assert_eq!(
            task.approximate_number_of_messages_moved(),
            i64::try_from(moved).unwrap()
        );
        assert_eq!(task.task_handle(), Some(handle.as_str()));
        if moved == 5 {
            world.advance(1);
        }
    }
    let cancelled = world
        .sqs
        .cancel_message_move_task()
        .task_handle(&handle)
        .send()
        .await
        .unwrap();
    assert_eq!(cancelled.approximate_number_of_messages_moved(), 10);
    assert_eq!(latest(&world).await.status(), Some("CANCELLED"));
    let again = world
        .sqs
        .cancel_message_move_task()
        .task_handle(&handle)
        .send()
        .await;
    assert_eq!(code(again), "AWS.SimpleQueueService.UnsupportedOperation");
    let unknown = world
        .sqs
        .cancel_message_move_task()
        .task_handle("nonsense")
        .send()
        .await;
    assert_eq!(code(unknown), "ResourceNotFoundException");
    assert_eq!(world.aws.queue_depth("Dead").unwrap().visible, 20);
}

#[tokio::test]
async fn a_message_that_was_sent_to_the_dead_letter_queue_itself_has_no_way_back() {
    let world = AwsWorld::start().await;
    let (_, dead) = with_dead_letters(&world, 0).await;
    world.send(&dead, "from nowhere").await;
    world
        .sqs
        .start_message_move_task()
        .source_arn(DEAD)
        .send()
        .await
        .unwrap();
    let task = ended(&world).await;
    assert_eq!(task.status(), Some("FAILED"));
    assert_eq!(
        task.failure_reason(),
        Some("CouldNotDetermineMessageSource")
    );
    assert_eq!(
        world.aws.queue_depth("Dead").unwrap().visible,
        1,
        "it stays"
    );
}

#[tokio::test]
async fn a_task_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let world = AwsWorld::in_folder(folder.path()).await;
    with_dead_letters(&world, 3).await;
    let start = world
        .sqs
        .start_message_move_task()
        .source_arn(DEAD)
        .max_number_of_messages_per_second(1);
    start.send().await.unwrap();
    while world.aws.queue_depth("Orders").unwrap().visible < 1 {
        tokio::task::yield_now().await;
    }
    world.aws.stop().await;
    let again = AwsWorld::in_folder_at(folder.path(), world.clock.clone()).await;
    drop(world);
    for moved in 2..=3 {
        while again.aws.queue_depth("Orders").unwrap().total() < moved {
            tokio::task::yield_now().await;
        }
        again.advance(1);
    }
    assert_eq!(
        ended(&again).await.approximate_number_of_messages_moved(),
        3
    );
}
