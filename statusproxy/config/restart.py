"""The settings that wait for a restart, listed once; and what is in force after a reload.

A setting is in force everywhere or nowhere. What is only looked at when the service starts keeps its old value after
a reload: in what the proxy does, and in what it says about itself.
"""

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any, Final

from msgspec.structs import replace

from statusproxy.config.addresses import Address, Target, parse_gateway, parse_target
from statusproxy.config.effect import leads_back
from statusproxy.config.errors import ConfigError
from statusproxy.config.settings import Settings
from statusproxy.config.state_url import Place, parse_state_url

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
_SPOOL_SIZE: Final = "spool.max_bytes"


def after_reload(
    running: Settings, wanted: Settings, *, admin_exposed: bool = False
) -> tuple[Settings, tuple[str, ...]]:
    """The settings in force once `wanted` is read while `running` are in force, and the keys that wait.

    `admin_exposed` tells that other machines can reach the open admin listener. It then keeps its token: a file that
    removes both listener and token must not leave the listener open without one until the restart. The spool keeps its
    size where the state will move to a server, or from one: the default goes by where the spool lies.

    Raises ConfigError where a new address leads to a listener of this proxy that the file no longer has, but which
    stays open until the restart: the file's own checks cannot see that.
    """
    waiting = [key for key in AT_START if _differs(key, running, wanted)]
    settings = wanted
    for key in waiting:
        settings = _with(settings, key, attrgetter(key)(running))
    if admin_exposed and settings.admin.token is None and running.admin.token is not None:
        settings = _with(settings, _TOKEN, running.admin.token)
        waiting.append(_TOKEN)
    if _is_on_server(running) != _is_on_server(wanted) and _differs(_SPOOL_SIZE, running, wanted):
        settings = _with(settings, _SPOOL_SIZE, attrgetter(_SPOOL_SIZE)(running))
        waiting.append(_SPOOL_SIZE)
    _check_elsewhere(settings, waiting)
    return settings, tuple(waiting)


def waits(key: str) -> bool:
    """Whether a change of this key, or of a key within it (`state.url`), waits for a restart."""
    if key.startswith("tls."):
        return False
    return any(key == each or key.startswith(f"{each}.") for each in AT_START)


def _check_elsewhere(settings: Settings, waiting: Sequence[str]) -> None:
    """Refuse settings by which a request, event or message would come back to this proxy."""
    for key in ("listen", "admin.listen"):
        if key not in waiting:
            continue
        listen = settings.listen if key == "listen" else [settings.admin.listen] if settings.admin.listen else []
        for name, target in _targets(settings):
            if leads_back(target, listen):
                raise ConfigError(
                    f"{name}: it leads back to this proxy: the change of {key} takes effect after a restart, and until "
                    f"then {key} is {_listed(listen)}; allowed: another address, or a restart in place of the reload"
                )


def _targets(settings: Settings) -> Iterator[tuple[str, Target]]:
    """Where something is sent to, each with its key."""
    yield "gateway", parse_gateway(settings.gateway)
    for index, webhook in enumerate(settings.webhooks):
        if webhook.forward_to is not None:
            yield f"webhooks[{index}].forward_to", parse_target(webhook.forward_to)
    if settings.alerts is None:
        return
    for index, target in enumerate(settings.alerts.to):
        if target.webhook is not None:
            yield f"alerts.to[{index}].webhook", parse_target(target.webhook)
    if settings.alerts.heartbeat is not None:
        yield "alerts.heartbeat", parse_target(settings.alerts.heartbeat)


def _listed(addresses: Sequence[Address]) -> str:
    return ", ".join(map(str, addresses))


def _is_on_server(settings: Settings) -> bool:
    """Whether the state, and so the spool, lies on a server."""
    return isinstance(parse_state_url(settings.state.url), Place)


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
