//! DynamoDB on the wire: the real SDK client, and word for word what the engine's own server answers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod aws_client;

use std::collections::HashMap;

use aws_client::{AwsWorld, code, post};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, Put, ReturnValue,
    ReturnValuesOnConditionCheckFailure, ScalarAttributeType, TimeToLiveSpecification,
    TransactWriteItem,
};
use simulators::aws::Service;

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

async fn table(world: &AwsWorld, name: &str) {
    let key = AttributeDefinition::builder()
        .attribute_name("id")
        .attribute_type(ScalarAttributeType::S);
    let schema = KeySchemaElement::builder()
        .attribute_name("id")
        .key_type(KeyType::Hash);
    let create = world
        .dynamodb
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest);
    let create = create
        .attribute_definitions(key.build().unwrap())
        .key_schema(schema.build().unwrap());
    create.send().await.unwrap();
}

async fn get(world: &AwsWorld, id: &str) -> Option<HashMap<String, AttributeValue>> {
    world
        .dynamodb
        .get_item()
        .table_name("Orders")
        .key("id", s(id))
        .send()
        .await
        .unwrap()
        .item
}

#[tokio::test]
async fn items_are_put_read_updated_and_deleted() {
    let world = AwsWorld::start().await;
    table(&world, "Orders").await;
    world
        .dynamodb
        .put_item()
        .table_name("Orders")
        .item("id", s("1"))
        .item("n", AttributeValue::N("1".into()))
        .send()
        .await
        .unwrap();
    let update = world
        .dynamodb
        .update_item()
        .table_name("Orders")
        .key("id", s("1"))
        .update_expression("ADD n :one");
    let update = update.expression_attribute_values(":one", AttributeValue::N("1".into()));
    let updated = update
        .return_values(ReturnValue::AllNew)
        .send()
        .await
        .unwrap();
    assert_eq!(
        updated.attributes.unwrap()["n"],
        AttributeValue::N("2".into())
    );
    assert_eq!(
        get(&world, "1").await.unwrap()["n"],
        AttributeValue::N("2".into())
    );
    world
        .dynamodb
        .delete_item()
        .table_name("Orders")
        .key("id", s("1"))
        .send()
        .await
        .unwrap();
    assert_eq!(get(&world, "1").await, None);
}

#[tokio::test]
async fn a_failed_condition_tells_the_item_that_it_found() {
    let world = AwsWorld::start().await;
    table(&world, "Orders").await;
    let put = |who: &str| {
        let put = world
            .dynamodb
            .put_item()
            .table_name("Orders")
            .item("id", s("1"))
            .item("who", s(who));
        let put = put.condition_expression("attribute_not_exists(id)");
        put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
    };
    put("first").await.unwrap();
    let error = put("second").await.unwrap_err().into_service_error();
    let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(
        failed,
    ) = error
    else {
        panic!("another error: {error:?}")
    };
    assert_eq!(failed.item().unwrap()["who"], s("first"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_writers_of_one_condition_one_wins() {
    let world = AwsWorld::start().await;
    table(&world, "Orders").await;
    let writers: Vec<_> = (0..50)
        .map(|number| {
            let put = world
                .dynamodb
                .put_item()
                .table_name("Orders")
                .item("id", s("1"))
                .item("who", s(&number.to_string()));
            tokio::spawn(put.condition_expression("attribute_not_exists(id)").send())
        })
        .collect();
    let mut won = 0;
    for writer in writers {
        won += usize::from(writer.await.unwrap().is_ok());
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn a_transaction_is_all_or_nothing_and_says_which_condition_failed() {
    let world = AwsWorld::start().await;
    table(&world, "Orders").await;
    world
        .dynamodb
        .put_item()
        .table_name("Orders")
        .item("id", s("taken"))
        .send()
        .await
        .unwrap();
    let put = |id: &str| {
        let put = Put::builder()
            .table_name("Orders")
            .item("id", s(id))
            .condition_expression("attribute_not_exists(id)");
        TransactWriteItem::builder()
            .put(put.build().unwrap())
            .build()
    };
    let both = world
        .dynamodb
        .transact_write_items()
        .transact_items(put("free"))
        .transact_items(put("taken"));
    let error = both.send().await.unwrap_err().into_service_error();
    let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(cancelled) =
        error
    else {
        panic!("another error: {error:?}")
    };
    let codes: Vec<_> = cancelled
        .cancellation_reasons()
        .iter()
        .filter_map(|reason| reason.code())
        .collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed"]);
    assert_eq!(get(&world, "free").await, None);
}

#[tokio::test]
async fn items_past_their_time_to_live_go_by_the_turned_clock() {
    expires_by_the_turned_clock(AwsWorld::start().await).await;
}

#[tokio::test]
async fn items_in_a_folder_go_by_the_turned_clock_and_are_found_by_an_index() {
    let folder = tempfile::tempdir().unwrap();
    expires_by_the_turned_clock(AwsWorld::in_folder(folder.path()).await).await;
    let file = rusqlite::Connection::open(folder.path().join("dynamodb.sqlite")).unwrap();
    let plan: String = file
        .query_row(
            "EXPLAIN QUERY PLAN SELECT item_json FROM \"Orders\"
             WHERE CAST(json_extract(item_json, '$.\"expiresAt\".N') AS INTEGER) >= 0
             AND CAST(json_extract(item_json, '$.\"expiresAt\".N') AS INTEGER) < 7",
            [],
            |row| row.get(3),
        )
        .unwrap();
    assert!(plan.contains("USING INDEX"), "{plan}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_who_wait_together_share_a_flush_and_one_alone_has_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let world = AwsWorld::in_folder(folder.path()).await;
    table(&world, "Orders").await;
    let put = |id: String| {
        let call = world.dynamodb.put_item().table_name("Orders");
        let call = call.item("id", s(&id));
        async move {
            call.send().await.unwrap();
        }
    };
    let before = world.aws.flushes();
    for number in 0..20 {
        put(format!("alone-{number}")).await;
    }
    assert_eq!(world.aws.flushes() - before, 20);
    // Reads have nothing to wait for once all is on the disk.
    assert!(get(&world, "alone-1").await.is_some());
    assert_eq!(world.aws.flushes() - before, 20);
    let before = world.aws.flushes();
    for round in 0..10 {
        let callers = (0..16).map(|caller| put(format!("crowd-{round}-{caller}")));
        tokio::task::JoinSet::from_iter(callers).join_all().await;
    }
    let flushes = world.aws.flushes() - before;
    assert!((10..160).contains(&flushes), "{flushes} for 160 writes");
}

async fn expires_by_the_turned_clock(world: AwsWorld) {
    table(&world, "Orders").await;
    let ttl = TimeToLiveSpecification::builder()
        .attribute_name("expiresAt")
        .enabled(true)
        .build()
        .unwrap();
    world
        .dynamodb
        .update_time_to_live()
        .table_name("Orders")
        .time_to_live_specification(ttl)
        .send()
        .await
        .unwrap();
    let expires = (world.clock.now_ms() / 1000 + 3600).to_string();
    let put = world
        .dynamodb
        .put_item()
        .table_name("Orders")
        .item("id", s("1"));
    put.item("expiresAt", AttributeValue::N(expires))
        .send()
        .await
        .unwrap();
    assert_eq!(world.aws.expire_items().unwrap(), 0);
    world.advance(3700);
    assert!(
        get(&world, "1").await.is_some(),
        "as on AWS, it is there until it is swept"
    );
    assert_eq!(world.aws.expire_items().unwrap(), 1);
    assert_eq!(get(&world, "1").await, None);
}

#[tokio::test]
async fn tables_and_items_outlive_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let world = AwsWorld::in_folder(&folder.path().join("made/if/missing")).await;
    table(&world, "Orders").await;
    world
        .dynamodb
        .put_item()
        .table_name("Orders")
        .item("id", s("1"))
        .send()
        .await
        .unwrap();
    world.aws.stop().await;
    drop(world);
    let again = AwsWorld::in_folder(&folder.path().join("made/if/missing")).await;
    assert!(get(&again, "1").await.is_some());
    let missing = again
        .dynamodb
        .get_item()
        .table_name("Nobody")
        .key("id", s("1"))
        .send()
        .await;
    assert_eq!(code(missing), "ResourceNotFoundException");
}

#[tokio::test]
async fn the_recorder_counts_units_as_dynamodb_does_and_leaves_the_answers_as_they_are() {
    let world = AwsWorld::start().await;
    table(&world, "Orders").await;
    let wire = world.aws.wire();
    let put = |id: &str, bytes: usize| {
        let put = world
            .dynamodb
            .put_item()
            .table_name("Orders")
            .item("id", s(id))
            .item("b", s(&"x".repeat(bytes)));
        put.condition_expression("attribute_not_exists(id)")
    };
    let read = |id: &str, consistent| {
        world
            .dynamodb
            .get_item()
            .table_name("Orders")
            .key("id", s(id))
            .consistent_read(consistent)
    };
    put("unrecorded", 1).send().await.unwrap();
    assert!(wire.calls().is_empty(), "off until it is turned on");
    wire.record_calls(true);
    let answer = put("small", 10).send().await.unwrap();
    assert_eq!(answer.consumed_capacity, None, "the caller did not ask");
    put("large", 2500).send().await.unwrap();
    put("large", 1).send().await.unwrap_err();
    put("small", 9000).send().await.unwrap_err();
    read("small", true).send().await.unwrap();
    read("small", false).send().await.unwrap();
    put("huge", 9000).send().await.unwrap();
    read("huge", true).send().await.unwrap();
    read("huge", false).send().await.unwrap();
    let asked = read("absent", true)
        .return_consumed_capacity("TOTAL".into())
        .send()
        .await
        .unwrap();
    assert_eq!(asked.consumed_capacity.unwrap().capacity_units, Some(1.0));
    wire.record_calls(false);
    read("small", true).send().await.unwrap();

    let calls = wire.take_calls();
    assert!(calls.iter().all(|call| call.service == Service::DynamoDb
        && call.table_or_queue.as_deref() == Some("Orders")));
    let units: Vec<_> = calls
        .iter()
        .map(|call| {
            (
                call.operation,
                call.status,
                call.read_units,
                call.write_units,
            )
        })
        .collect();
    assert_eq!(
        units,
        [
            ("PutItem", 200, 0.0, 1.0),
            ("PutItem", 200, 0.0, 3.0),
            ("PutItem", 400, 0.0, 3.0),
            ("PutItem", 400, 0.0, 1.0),
            ("GetItem", 200, 1.0, 0.0),
            ("GetItem", 200, 0.5, 0.0),
            ("PutItem", 200, 0.0, 9.0),
            ("GetItem", 200, 3.0, 0.0),
            ("GetItem", 200, 1.5, 0.0),
            ("GetItem", 200, 1.0, 0.0),
        ]
    );
    assert!(wire.calls().is_empty());
    assert_eq!(
        wire.count(Service::DynamoDb, "GetItem"),
        6,
        "counted always"
    );
}

#[tokio::test]
async fn transactions_cost_twice_also_when_they_are_cancelled() {
    let world = AwsWorld::start().await;
    table(&world, "Orders").await;
    let put = |id: &str| {
        let put = Put::builder()
            .table_name("Orders")
            .item("id", s(id))
            .condition_expression("attribute_not_exists(id)");
        TransactWriteItem::builder()
            .put(put.build().unwrap())
            .build()
    };
    world.aws.wire().record_calls(true);
    let two = || {
        world
            .dynamodb
            .transact_write_items()
            .transact_items(put("a"))
            .transact_items(put("b"))
    };
    two().send().await.unwrap();
    two().send().await.unwrap_err();
    let units: Vec<_> = world
        .aws
        .wire()
        .take_calls()
        .iter()
        .map(|call| (call.status, call.write_units))
        .collect();
    assert_eq!(units, [(200, 4.0), (400, 4.0)]);
}

/// What is sent raw to both servers, whose answers must be the same.
const RAW: [(&str, &str); 33] = [
    ("ListTables", "{}"),
    ("ListTables", r#"{"Limit": 0}"#),
    ("ListTables", r#"{"Limit": "1"}"#),
    ("DescribeTable", "{}"),
    ("DescribeTable", r#"{"TableName": "Nobody"}"#),
    ("DescribeTable", r#"{"TableName": 7}"#),
    ("DescribeTable", r#"{"TableName": "x"}"#),
    ("DescribeTable", r#"{"TableName": null}"#),
    ("DescribeTable", ""),
    ("DescribeTable", "not json"),
    ("DescribeTable", "{"),
    ("DescribeTable", "\"text\""),
    ("DescribeTable", "7"),
    ("PutItem", "{}"),
    ("PutItem", r#"{"TableName": "Orders"}"#),
    ("PutItem", r#"{"TableName": "Orders", "Item": {}}"#),
    (
        "PutItem",
        r#"{"TableName": "Orders", "Item": {"id": {"S": ""}}}"#,
    ),
    (
        "PutItem",
        r#"{"TableName": "Orders", "Item": {"id": {"N": "1"}}}"#,
    ),
    (
        "PutItem",
        r#"{"TableName": "Orders", "Item": {"id": {"S": "1"}, "n": {"N": "abc"}}}"#,
    ),
    (
        "PutItem",
        r#"{"TableName": "Orders", "Item": {"id": {"S": "1"}, "n": {}}}"#,
    ),
    (
        "PutItem",
        r#"{"TableName": "Orders", "Item": {"id": {"S": "1"}, "n": {"NULL": false}}}"#,
    ),
    (
        "PutItem",
        r#"{"TableName": "Orders", "Item": {"id": {"S": "1"}, "n": {"SS": []}}}"#,
    ),
    (
        "PutItem",
        r#"{"TableName": "Orders", "Item": {"id": {"S": "1"}}, "ConditionExpression": "nonsense("}"#,
    ),
    (
        "PutItem",
        r#"{"TableName": "Orders", "Item": {"id": {"S": "1"}}, "ReturnValues": "SOME"}"#,
    ),
    (
        "PutItem",
        r#"{"TableName": "Orders", "Item": {"id": {"S": "1"}}, "ReturnConsumedCapacity": "TOTAL"}"#,
    ),
    (
        "PutItem",
        r#"{"TableName": "Orders", "Item": {"id": {"S": "1"}}, "ConditionExpression": "attribute_not_exists(id)"}"#,
    ),
    ("GetItem", r#"{"TableName": "Orders", "Key": {}}"#),
    (
        "GetItem",
        r#"{"TableName": "Orders", "Key": {"id": {"S": "1"}, "x": {"S": "1"}}}"#,
    ),
    (
        "GetItem",
        r#"{"TableName": "Orders", "Key": {"id": {"S": "1"}}, "ConsistentRead": true}"#,
    ),
    (
        "UpdateItem",
        r#"{"TableName": "Orders", "Key": {"id": {"S": "1"}}, "UpdateExpression": "SET"}"#,
    ),
    (
        "UpdateItem",
        r#"{"TableName": "Orders", "Key": {"id": {"S": "1"}}, "UpdateExpression": "SET a = :a"}"#,
    ),
    (
        "Query",
        r#"{"TableName": "Orders", "KeyConditionExpression": "id = :id"}"#,
    ),
    ("TransactWriteItems", r#"{"TransactItems": []}"#),
];

#[tokio::test]
async fn raw_requests_are_answered_word_for_word_as_by_the_engines_own_server() {
    let world = AwsWorld::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let engine = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(dynoxide::server::serve_on(
        listener,
        dynoxide::Database::memory().unwrap(),
    ));
    let make = r#"{"TableName": "Orders", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}"#;
    for url in [&world.aws.url(), &engine] {
        let made = post(url, Some("DynamoDB_20120810.CreateTable"), true, make).await;
        assert_eq!(made.status, 200, "{made:?}");
    }
    let mut different = Vec::new();
    for (operation, body) in RAW {
        let target = format!("DynamoDB_20120810.{operation}");
        let ours = post(&world.aws.url(), Some(&target), true, body).await;
        let theirs = post(&engine, Some(&target), true, body).await;
        if (ours.status, &ours.body) != (theirs.status, &theirs.body) {
            different.push(format!(
                "{operation} {body}\n  ours   {} {}\n  theirs {} {}",
                ours.status, ours.body, theirs.status, theirs.body
            ));
        }
    }
    served.abort();
    assert!(
        different.is_empty(),
        "{} differ:\n{}",
        different.len(),
        different.join("\n")
    );
}
