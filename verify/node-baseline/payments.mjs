#!/usr/bin/env node
// The route `POST /v1/payments/stripe` as a Node engineer would write it for Lambda: Stripe's own package checks the signature over the
// raw body, one line of log, and the calls of `functions/payments` in its order: a conditional PutItem, then SendMessage. It takes
// events from Lambda's runtime API (payload 2.0).
import { ConditionalCheckFailedException, DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import Stripe from "stripe";
import { onLambda } from "./lambda.mjs";

const { PAYMENT_EVENTS_TABLE = "PaymentEvents", PAYMENT_QUEUE_URL } = process.env;
const { STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET } = process.env;
const KEPT_SECONDS = 30 * 24 * 3600;
const LEFT_TO_BELL_MS = 60_000;
const SHARDS = 8;

const stripe = new Stripe(STRIPE_SECRET_KEY);
const dynamodb = new DynamoDBClient({});
const sqs = new SQSClient({});

const answer = (statusCode, body) => ({
  statusCode,
  headers: { "content-type": "application/json", "cache-control": "no-store" },
  body: JSON.stringify(body),
});

/** Keeps one event of Stripe's, once, and rings. */
async function keep(headers, text) {
  let event;
  try {
    event = stripe.webhooks.constructEvent(text, headers["stripe-signature"] ?? "", STRIPE_WEBHOOK_SECRET);
  } catch {
    return answer(401, { ok: false, code: "unauthorized" });
  }
  const key = `stripe#${event.id}`;
  const now = new Date();
  let shard = 0;
  for (const byte of Buffer.from(key)) shard = (shard * 31 + byte) % SHARDS;
  try {
    await dynamodb.send(
      new PutItemCommand({
        TableName: PAYMENT_EVENTS_TABLE,
        Item: {
          eventKey: { S: key },
          eventState: { S: "RECEIVED" },
          body: { S: text },
          receivedAt: { S: now.toISOString() },
          attempts: { N: "0" },
          openShard: { S: String(shard) },
          nextAt: { S: new Date(now.getTime() + LEFT_TO_BELL_MS).toISOString() },
          expiresAt: { N: String(Math.floor(now.getTime() / 1000) + KEPT_SECONDS) },
        },
        ConditionExpression: "attribute_not_exists(eventKey)",
      }),
    );
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    return answer(200, { ok: true, result: "duplicate" });
  }
  await sqs.send(new SendMessageCommand({ QueueUrl: PAYMENT_QUEUE_URL, MessageBody: JSON.stringify({ kind: "event", key }) }));
  console.log(JSON.stringify({ timestamp: now.toISOString(), level: "INFO", message: "a payment event was kept", outcome: "kept" }));
  return answer(200, { ok: true, result: "kept" });
}

await onLambda(keep);
