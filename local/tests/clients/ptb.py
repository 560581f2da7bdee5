"""python-telegram-bot, unchanged but for its base URL: answers each message, edits its answer, stops at "stop"."""

import os

from telegram.ext import Application, MessageHandler, filters

BASE, KEY = os.environ["BASE"], os.environ["KEY"]


async def heard(update, context):
    text = update.effective_message.text
    sent = await update.effective_message.reply_text(f"ptb heard {text}")
    await sent.edit_text(f"ptb: {text}")
    if text == "stop":
        context.application.stop_running()


application = Application.builder().token(KEY).base_url(BASE + "/bot").base_file_url(BASE + "/file/bot").build()
application.add_handler(MessageHandler(filters.TEXT, heard))
application.run_polling(poll_interval=0.1)
print("stopped")
