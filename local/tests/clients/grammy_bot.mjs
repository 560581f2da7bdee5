// grammY, unchanged but for its base URL: answers each message, edits its answer, stops at "stop".
import { Bot } from "grammy";

const { BASE, KEY } = process.env;
const bot = new Bot(KEY, { client: { apiRoot: BASE } });
bot.on("message:text", async (context) => {
  const text = context.message.text;
  const sent = await context.reply(`grammy heard ${text}`);
  await context.api.editMessageText(sent.chat.id, sent.message_id, `grammy: ${text}`);
  if (text === "stop") setTimeout(() => bot.stop(), 0);
});
await bot.start();
console.log("stopped");
