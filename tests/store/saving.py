"""A proxy's store as a process: it takes a change on each line of its input, and says when that was answered for.

    python -m tests.store.saving PORT FOLDER LIMIT

Asked with "?", it says what is wrong with the store. The server is Redis at PORT, the journal is in FOLDER, and the
server has LIMIT seconds for an answer.
"""

import asyncio
import sys
from pathlib import Path

from statusproxy.config.state_url import Place
from statusproxy.store.errors import StoreError

from .redis_server import redis_store
from .samples import a_change, overridden


def say(text: object) -> None:
    """Answer a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def main(port: str, folder: str, limit: str) -> None:
    """Save what comes on standard input, until it ends."""
    seconds = float(limit)
    place = Place("127.0.0.1", int(port))
    store = redis_store(place, journal=Path(folder), answer_limit=seconds, save_limit=seconds)
    await store.open()
    say("open")
    loop = asyncio.get_running_loop()
    while session := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        if session == "?":
            say(store.error)
            continue
        try:
            await store.save([overridden(session)], [], [a_change(session)])
        except StoreError as error:
            say(f"answered: {error}")
        else:
            say("answered")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
