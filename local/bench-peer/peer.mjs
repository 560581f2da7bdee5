#!/usr/bin/env node
// The route `POST /v1/invite/request` as a Node engineer would write it for Lambda: clients made once and kept alive, one
// conditional PutItem, one SendMessage, one log line. With AWS_LAMBDA_RUNTIME_API set it takes events from Lambda's
// runtime API (payload 2.0); otherwise it serves HTTP on 127.0.0.1:$PORT.
import { createHash, timingSafeEqual } from "node:crypto";
import http from "node:http";
import { ConditionalCheckFailedException, DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

const { API_KEYS, AWS_LAMBDA_RUNTIME_API, INVITE_QUEUE_URL, INVITE_REQUESTS_TABLE, PORT, TELEGRAM_CHAT_ID } = process.env;
const RETENTION_SECONDS = 90 * 24 * 3600;

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

  const hex = sha256(`${TELEGRAM_CHAT_ID}#${transactionId}`).toString("hex");
  const requestId = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
  const now = new Date();
  const createdAt = now.toISOString();
  try {
    await dynamodb.send(
      new PutItemCommand({
        TableName: INVITE_REQUESTS_TABLE,
        Item: {
          requestId: { S: requestId },
          userId: { S: userId },
          transactionId: { S: transactionId },
          chatId: { N: TELEGRAM_CHAT_ID },
          status: { S: "QUEUED" },
          attempts: { N: "0" },
          weLinkEventFired: { BOOL: false },
          joinEventFired: { BOOL: false },
          createdAt: { S: createdAt },
          updatedAt: { S: createdAt },
          expiresAt: { N: String(Math.floor(now.getTime() / 1000) + RETENTION_SECONDS) },
        },
        ConditionExpression: "attribute_not_exists(requestId)",
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      }),
    );
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    return answer(200, { ok: true, status: error.Item.status.S.toLowerCase(), requestId, duplicate: true });
  }
  const job = { kind: "mint", requestId, userId, transactionId, chatId: Number(TELEGRAM_CHAT_ID), createdAt };
  await sqs.send(new SendMessageCommand({ QueueUrl: INVITE_QUEUE_URL, MessageBody: JSON.stringify(job) }));
  console.log(JSON.stringify({ timestamp: createdAt, level: "INFO", message: "request accepted", "invite.id": requestId, outcome: "queued" }));
  return answer(200, { ok: true, status: "queued", requestId });
}

async function read(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Lambda's loop: take the next event, answer it, for ever. */
async function onLambda() {
  const [hostname, port] = AWS_LAMBDA_RUNTIME_API.split(":");
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const call = (method, path, body) =>
    new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
      const request = http.request({ hostname, port, method, path: `/2018-06-01/runtime/${path}`, agent, headers }, async (response) => {
        try {
          resolve({ headers: response.headers, text: await read(response) });
        } catch (error) {
          reject(error);
        }
      });
      request.on("error", reject);
      request.end(body);
    });
  for (;;) {
    const next = await call("GET", "invocation/next");
    const id = next.headers["lambda-runtime-aws-request-id"];
    try {
      const event = JSON.parse(next.text);
      const text = event.isBase64Encoded ? Buffer.from(event.body, "base64").toString() : (event.body ?? "");
      await call("POST", `invocation/${id}/response`, JSON.stringify(await accept(event.headers, text)));
    } catch (error) {
      await call("POST", `invocation/${id}/error`, JSON.stringify({ errorType: error.name, errorMessage: error.message }));
    }
  }
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

if (AWS_LAMBDA_RUNTIME_API) await onLambda();
else onHttp();
