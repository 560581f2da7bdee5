// telegraf, unchanged but for its base URL: answers each message, edits its answer, stops at "stop".
import { Telegraf } from "telegraf";

const { BASE, KEY } = process.env;
const bot = new Telegraf(KEY, { telegram: { apiRoot: BASE } });
bot.on("text", async (context) => {
  const text = context.message.text;
  const sent = await context.reply(`telegraf heard ${text}`);
  await context.telegram.editMessageText(sent.chat.id, sent.message_id, undefined, `telegraf: ${text}`);
  if (text === "stop") setTimeout(() => bot.stop(), 0);
});
await bot.launch();
console.log("stopped");
