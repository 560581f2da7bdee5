// A bot on grammY as its documentation has it for webhooks: the header is checked, an update is handled once, `/help` is
// answered by a call of sendMessage before the delivery is. A line is logged for each update.
import http from "node:http";
import { ConditionalCheckFailedException, DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { Bot, webhookCallback } from "grammy";

const { TELEGRAM_API_BASE, TELEGRAM_BOT_TOKEN, TELEGRAM_WEBHOOK_SECRET, HELP, PORT } = process.env;
const RETENTION_SECONDS = 48 * 3600;

const dynamodb = new DynamoDBClient({});
const bot = new Bot(TELEGRAM_BOT_TOKEN, { client: { apiRoot: TELEGRAM_API_BASE } });

bot.use(async (context, next) => {
  const updateKey = `${context.me.id}#${context.update.update_id}`;
  const expiresAt = String(Math.floor(Date.now() / 1000) + RETENTION_SECONDS);
  try {
    await dynamodb.send(
      new PutItemCommand({
        TableName: "Updates",
        Item: { updateKey: { S: updateKey }, expiresAt: { N: expiresAt } },
        ConditionExpression: "attribute_not_exists(updateKey)",
      }),
    );
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    return;
  }
  await next();
  console.log(JSON.stringify({ level: "INFO", message: "update handled", update: context.update.update_id }));
});
bot.command("help", (context) => context.reply(HELP));

const handle = webhookCallback(bot, "http", { secretToken: TELEGRAM_WEBHOOK_SECRET });
http.createServer(handle).listen(Number(PORT), "127.0.0.1");
