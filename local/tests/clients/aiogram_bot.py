"""aiogram, unchanged but for its base URL: answers each message, edits its answer, stops at "stop"."""

import asyncio
import os

from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer

BASE, KEY = os.environ["BASE"], os.environ["KEY"]


async def main():
    bot = Bot(KEY, session=AiohttpSession(api=TelegramAPIServer.from_base(BASE)))
    dispatcher = Dispatcher()

    @dispatcher.message()
    async def heard(message):
        sent = await message.answer(f"aiogram heard {message.text}")
        await sent.edit_text(f"aiogram: {message.text}")
        if message.text == "stop":
            asyncio.get_running_loop().call_soon(asyncio.create_task, dispatcher.stop_polling())

    await dispatcher.start_polling(bot, polling_timeout=10)


asyncio.run(main())
print("stopped")
