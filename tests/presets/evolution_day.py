"""One day's events of Evolution, made up: instances that drop, reconnect, are logged out and scanned again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random

from tests.presets.evolution import Evolution, Instance
from tests.presets.stage import NOON

MINUTE = 60.0


def day(seed: int) -> list[bytes]:
    """The bodies in the order in which they are made, a minute or more apart; the same for the same seed."""
    return [json.dumps(event).encode() for event in _events(Random(seed))]


def _events(random: Random) -> Iterator[dict[str, object]]:
    now = [NOON]
    names = ("sales", "support", "desk")
    evolution = Evolution(lambda: now[0], instances={name: Instance() for name in names})
    for _ in range(24):
        now[0] += MINUTE * random.randint(1, 30)
        name = random.choice(names)
        match evolution.instances[name].memory, random.randrange(4):
            case ("close", _):
                evolution.instances[name].memory = "connecting"
                yield evolution.update(name, "connecting", 200)
            case ("connecting", 0):
                yield from evolution.drop(name)
            case ("connecting", _):
                yield from evolution.reopen(name)
            case (_, 0):
                yield from evolution.log_out(name)
            case (_, 1):
                yield from evolution.drop(name)
            case (_, 2):
                yield evolution.message(name, own=True)
            case _:
                yield evolution.message(name, own=False)
