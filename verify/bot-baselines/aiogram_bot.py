"""A bot on aiogram as its documentation has it for webhooks: the header is checked, an update is handled once, `/help` is
answered by a call of sendMessage before the delivery is. aiogram logs a line for each update."""

import logging
import os
import time

from aiobotocore.session import get_session
from aiogram import BaseMiddleware, Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.filters import Command
from aiogram.webhook.aiohttp_server import SimpleRequestHandler, setup_application
from aiohttp import web

RETENTION_SECONDS = 48 * 3600


class Once(BaseMiddleware):
    """Handles an update that nobody has handled."""

    def __init__(self, bot_id):
        self.bot_id = bot_id
        self.dynamodb = None

    async def open(self, app):
        async with get_session().create_client("dynamodb") as self.dynamodb:
            yield

    async def __call__(self, handler, event, data):
        item = {
            "updateKey": {"S": f"{self.bot_id}#{event.update_id}"},
            "expiresAt": {"N": str(int(time.time()) + RETENTION_SECONDS)},
        }
        try:
            await self.dynamodb.put_item(
                TableName="Updates", Item=item, ConditionExpression="attribute_not_exists(updateKey)"
            )
        except self.dynamodb.exceptions.ConditionalCheckFailedException:
            return None
        return await handler(event, data)


def main():
    logging.basicConfig(level=logging.INFO)
    session = AiohttpSession(api=TelegramAPIServer.from_base(os.environ["TELEGRAM_API_BASE"]))
    bot = Bot(os.environ["TELEGRAM_BOT_TOKEN"], session=session)
    dispatcher = Dispatcher()
    once = Once(bot.id)
    dispatcher.update.outer_middleware(once)

    @dispatcher.message(Command("help"))
    async def help(message):
        await message.answer(os.environ["HELP"])

    app = web.Application()
    app.cleanup_ctx.append(once.open)
    secret = os.environ["TELEGRAM_WEBHOOK_SECRET"]
    handler = SimpleRequestHandler(dispatcher, bot, handle_in_background=False, secret_token=secret)
    handler.register(app, path="/v1/telegram/webhook")
    setup_application(app, dispatcher, bot=bot)
    web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=None, print=None)


main()
