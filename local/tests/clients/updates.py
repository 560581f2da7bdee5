"""Every kind of update, built by aiogram, and the same once more as python-telegram-bot writes it.

    python updates.py > ../data/updates.jsonl

One line each: {"of": "<kind>.<what is in it>", "update": {...}}. Of a kind there is one with what must be there alone, one with all that may be
there, and of messages of people one for each thing that they may be or hold.
"""

import asyncio
import datetime
import enum
import json
import os
import types
import typing

from aiogram.types import Message, Update
from aiogram.types.base import TelegramObject
from pydantic_core import PydanticUndefined

BOT = 4242
DEPTH = 2
CHATS = {"message": ("private", "supergroup"), "edited_message": ("private",)}
# What would be read as something else if it were made up.
SAID = {"date": 1750000000, "first_name": "Ann", "username": "ann_o", "language_code": "en", "type": "private", "text": "hello", "status": "member"}


def value(name, of, depth, whole):
    origin, arguments = typing.get_origin(of), typing.get_args(of)
    if origin in (typing.Union, types.UnionType):
        arguments = [one for one in arguments if one is not type(None)]
        # A time is a number at the wire.
        return value(name, next((one for one in arguments if one in (int, datetime.datetime)), arguments[0]), depth, whole)
    if origin is typing.Annotated:
        return value(name, arguments[0], depth, whole)
    if origin is list:
        return [value(name, arguments[0], depth, whole)]
    if origin is typing.Literal:
        return arguments[0]
    if origin is dict:
        return {}
    if isinstance(of, type) and issubclass(of, TelegramObject):
        return made(of, depth - 1, whole)
    if isinstance(of, type) and issubclass(of, enum.Enum):
        return next(iter(of)).value
    if of in (int, datetime.datetime, datetime.timedelta):
        return SAID.get(name, 7)
    if of is float:
        return 1.5
    if of is bool:
        return True
    return SAID.get(name, f"a {name}")


def made(model, depth, whole, extra=()):
    out = {}
    for name, field in model.model_fields.items():
        if field.is_required() or name in extra or (whole and depth > 0):
            out[field.alias or name] = value(name, field.annotation, depth, whole)
        elif field.default not in (None, PydanticUndefined) and isinstance(field.default, (str, enum.Enum)):
            # What tells one of several forms from the others has a default.
            out[field.alias or name] = getattr(field.default, "value", field.default)
    return out


def updates():
    kinds = [name for name in Update.model_fields if name != "update_id"]
    for kind in kinds:
        field = Update.model_fields[kind].annotation
        model = next(one for one in typing.get_args(field) if one is not type(None))
        yield f"{kind}.least", {kind: made(model, DEPTH, False)}
        yield f"{kind}.whole", {kind: made(model, DEPTH, True)}
        if kind in CHATS:
            for name in Message.model_fields:
                for chat in CHATS[kind]:
                    message = made(Message, DEPTH, False, extra=(name,))
                    message["from"] = {"id": 7, "is_bot": False, "first_name": "Ann"}
                    message["chat"] = {"id": 7 if chat == "private" else -1001, "type": chat}
                    yield f"{kind}.{chat}.{name}", {kind: message}


async def main():
    import telegram

    bot = telegram.Bot(f"{BOT}:{'A' * 35}")
    for number, (name, update) in enumerate(updates(), 1):
        update = {"update_id": number, **update}
        read = Update.model_validate(update)
        print(json.dumps({"of": f"aiogram.{name}", "update": json.loads(read.model_dump_json(exclude_none=True, by_alias=True, exclude_unset=True))}))
        if ".supergroup." in name:
            continue
        again = telegram.Update.de_json({**update, "update_id": 100_000 + number}, bot)
        print(json.dumps({"of": f"ptb.{name}", "update": again.to_dict()}))


os.environ.pop("BASE", None)
asyncio.run(main())
