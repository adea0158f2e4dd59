"""The settings that wait for a restart, listed once; and what is in force after a reload.

A setting is in force everywhere or nowhere. What is only looked at when the service starts keeps its old value after
a reload: in what the proxy does, and in what it says about itself.
"""

from operator import attrgetter
from typing import Any, Final

from msgspec.structs import replace

from statusproxy.config.settings import Settings

#: Keys whose change waits for a restart. `tls` stands for switching TLS on or off; renewed files are loaded.
AT_START: Final = (
    "listen",
    "listen_mode",
    "state",
    "admin.listen",
    "timeouts.keep_alive",
    "sessions.history_days",
    "log.format",
    "tls",
)

_TOKEN: Final = "admin.token"  # noqa: S105 - its key


def after_reload(
    running: Settings, wanted: Settings, *, admin_exposed: bool = False
) -> tuple[Settings, tuple[str, ...]]:
    """The settings in force once `wanted` is read while `running` are in force, and the keys that wait.

    `admin_exposed` tells that other machines can reach the open admin listener. It then keeps its token: a file that
    removes both listener and token must not leave the listener open without one until the restart.
    """
    waiting = [key for key in AT_START if _differs(key, running, wanted)]
    settings = wanted
    for key in waiting:
        settings = _with(settings, key, attrgetter(key)(running))
    if admin_exposed and settings.admin.token is None and running.admin.token is not None:
        settings = _with(settings, _TOKEN, running.admin.token)
        waiting.append(_TOKEN)
    return settings, tuple(waiting)


def waits(key: str) -> bool:
    """Whether a change of this key, or of a key within it (`state.url`), waits for a restart."""
    if key.startswith("tls."):
        return False
    return any(key == each or key.startswith(f"{each}.") for each in AT_START)


def _differs(key: str, running: Settings, wanted: Settings) -> bool:
    if key == "tls":
        return (running.tls is None) != (wanted.tls is None)
    value = attrgetter(key)
    return bool(value(running) != value(wanted))


def _with(settings: Settings, key: str, value: Any) -> Settings:
    """`settings` with one value replaced, in the block that holds it."""
    block, _, name = key.rpartition(".")
    if not block:
        return replace(settings, **{name: value})
    return replace(settings, **{block: replace(getattr(settings, block), **{name: value})})
