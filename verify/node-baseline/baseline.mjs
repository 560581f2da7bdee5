#!/usr/bin/env node
// The route `POST /v1/invite/request` as a Node engineer would write it for Lambda: clients made once and kept alive, one
// log line, and the calls of `functions/request` in its order: GetItem, PutItem of the task, then PutItem of the record
// and, at most once a second, SendMessage. With AWS_LAMBDA_RUNTIME_API set it takes events from Lambda's
// runtime API (payload 2.0); otherwise it serves HTTP on 127.0.0.1:$PORT.
import { createHash, timingSafeEqual } from "node:crypto";
import http from "node:http";
import { ConditionalCheckFailedException, DynamoDBClient, GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { onLambda, read } from "./lambda.mjs";

const { API_KEYS, AWS_LAMBDA_RUNTIME_API, INVITE_QUEUE_URL, PORT } = process.env;
const { CHAT_TASKS_TABLE = "ChatTasks", INVITE_REQUESTS_TABLE = "InviteRequests" } = process.env;
const RETENTION_SECONDS = 90 * 24 * 3600;
const MINT_SHARDS = 4;
// As many chats as functions/request is given; what names none is for the first.
const CHAT_ID = process.env.TELEGRAM_CHAT_ID.split(",")[0];

const dynamodb = new DynamoDBClient({});
const sqs = new SQSClient({});
const sha256 = (text) => createHash("sha256").update(text).digest();
const keys = API_KEYS.split(",").map((key) => sha256(key.trim()));

const answer = (statusCode, body) => ({
  statusCode,
  headers: { "content-type": "application/json", "cache-control": "no-store" },
  body: JSON.stringify(body),
});

/** Accepts one payment: stores it once, queues its job, answers. */
async function accept(headers, text) {
  const presented = sha256(headers["x-api-key"] ?? "");
  if (!keys.some((key) => timingSafeEqual(key, presented))) return answer(401, { ok: false, code: "unauthorized" });
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    return answer(400, { ok: false, code: "invalid_json" });
  }
  const userId = String(body.userId ?? "").trim();
  const transactionId = String(body.transactionId ?? "").trim();
  if (userId.length < 1 || userId.length > 100) return answer(400, { ok: false, code: "invalid_user_id" });
  if (transactionId.length < 1 || transactionId.length > 256) return answer(400, { ok: false, code: "invalid_transaction_id" });

  const digest = sha256(`${CHAT_ID}#${transactionId}`);
  const hex = digest.toString("hex");
  const requestId = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
  const known = await dynamodb.send(
    new GetItemCommand({ TableName: INVITE_REQUESTS_TABLE, Key: { requestId: { S: requestId } }, ConsistentRead: true }),
  );
  if (known.Item) return repeated(known.Item, requestId);
  const now = new Date();
  const createdAt = now.toISOString();
  const purchase = { requestId: { S: requestId }, userId: { S: userId }, transactionId: { S: transactionId } };
  await putNew(CHAT_TASKS_TABLE, {
    lane: { S: `${CHAT_ID}#mint#${digest[0] % MINT_SHARDS}` },
    key: { S: `${String(now.getTime()).padStart(13, "0")}#${requestId}` },
    kind: { S: "mint" },
    chatId: { N: CHAT_ID },
    linkVersion: { N: "0" },
    createdAt: { S: createdAt },
    ...purchase,
  });
  const record = putNew(INVITE_REQUESTS_TABLE, {
    chatId: { N: CHAT_ID },
    canonicalChatId: { N: CHAT_ID },
    status: { S: "QUEUED" },
    attempts: { N: "0" },
    weLinkEventFired: { BOOL: false },
    joinEventFired: { BOOL: false },
    createdAt: { S: createdAt },
    updatedAt: { S: createdAt },
    expiresAt: { N: String(Math.floor(now.getTime() / 1000) + RETENTION_SECONDS) },
    ...purchase,
  });
  const [existing] = await Promise.all([record, ring(now.getTime())]);
  if (existing) return repeated(existing, requestId);
  console.log(JSON.stringify({ timestamp: createdAt, level: "INFO", message: "request accepted", "invite.id": requestId, outcome: "queued" }));
  return answer(200, { ok: true, status: "queued", requestId });
}

const repeated = (item, requestId) => answer(200, { ok: true, status: item.status.S.toLowerCase(), requestId, duplicate: true });

/** Writes an item that is new; answers the one that is there already, if there is one. */
async function putNew(TableName, Item) {
  try {
    await dynamodb.send(
      new PutItemCommand({
        TableName,
        Item,
        ConditionExpression: "attribute_not_exists(requestId)",
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      }),
    );
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    return error.Item;
  }
}

let coveredUntil = 0;

/** Wakes the worker, unless a message that arrives later is on its way: at most one a second, the first at once. */
async function ring(now) {
  if (now < coveredUntil) return;
  const isFirst = now - coveredUntil > 1000;
  coveredUntil = isFirst ? now : now + 1000;
  const MessageBody = JSON.stringify({ kind: "work", chatId: Number(CHAT_ID) });
  await sqs.send(new SendMessageCommand({ QueueUrl: INVITE_QUEUE_URL, MessageBody, DelaySeconds: isFirst ? 0 : 1 }));
}

function onHttp() {
  const server = http.createServer(async (request, response) => {
    const isOurs = request.method === "POST" && request.url === "/v1/invite/request";
    const { statusCode, headers, body } = isOurs
      ? await accept(request.headers, await read(request)).catch(() => answer(503, { ok: false, code: "unavailable" }))
      : answer(404, { ok: false, code: "not_found" });
    response.writeHead(statusCode, headers).end(body);
  });
  server.listen(Number(PORT ?? 9100), "127.0.0.1");
}

if (AWS_LAMBDA_RUNTIME_API) await onLambda(accept);
else onHttp();
