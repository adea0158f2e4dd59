"""The command health: whether the running proxy serves, for supervisors of containers and for monitors.

It needs no curl and, for `/healthz`, no token. A configuration that was broken after the start does not make a serving
proxy unhealthy: a supervisor would restart it, and it could not start again.
"""

import sys
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

import click

from statusproxy.admin import client as admin_client
from statusproxy.admin import messages
from statusproxy.cli.options import admin_option, config_option, json_option
from statusproxy.cli.output import EXIT_FAILURE, fail, show_json
from statusproxy.cli.running_proxy import DEFAULT_ADMIN, listener_of, typed
from statusproxy.config.errors import ConfigError
from statusproxy.config.layers import find_file, read_file
from statusproxy.config.load import load
from statusproxy.config.yaml_tree import Entries, Scalar
from statusproxy.observe.visible import visible
from statusproxy.systemd import environment

#: Seconds to wait for the answer.
_TIMEOUT: Final = 3.0

_LONGEST: Final = 3600

#: `/readyz` of a proxy that is about to stop.
_UNREADY: Final = 503

_DRAINING: Final = "draining"
_OK: Final = "ok"


class _Asked(NamedTuple):
    """Where the proxy is asked, and why the configuration cannot be used, if it cannot."""

    admin: str
    token: str | None = None
    broken: str | None = None


def _seconds(context: click.Context, parameter: click.Parameter, said: float) -> float:
    if not 0 < said <= _LONGEST:  # nor "nan", which click accepts as a number
        raise click.BadParameter(f"allowed: seconds, more than 0 and at most {_LONGEST}", context, parameter)
    return said


@click.command()
@config_option
@admin_option
@click.option("--ready", is_flag=True, help="Ask for store and gateway too, and whether the proxy is about to stop.")
@click.option(
    "--timeout",
    type=float,
    default=_TIMEOUT,
    callback=_seconds,
    metavar="SECONDS",
    show_default=True,
    help="How long to wait for the answer.",
)
@json_option
def health(config: Path | None, admin: str | None, ready: bool, timeout: float, as_json: bool) -> None:
    """Say in one line whether the running proxy serves, for a container's health check or a monitor.

    The exit code is 0 while the proxy serves, whatever the gateway does, and 1 otherwise. With --ready it is 0 only
    while the store accepts writes, the gateway accepts connections and the proxy is not about to stop; the line names
    what is missing.
    """
    asked = _asked(config, admin)
    answer = _ask(asked, "/readyz" if ready else "/healthz", timeout)
    if ready:
        wrong, line = _readiness(typed(answer, messages.Health))
    else:
        alive = typed(answer, messages.Alive)
        wrong, line = alive.status != _OK, f"serving: statusproxy {alive.version} answers at {asked.admin}"
    if as_json:
        show_json(answer)
    if wrong:
        _fail(line, asked)
    if not as_json:
        click.echo(visible(f"{line}; but a restart would fail: {asked.broken}" if asked.broken else line))
    sys.exit(0)


def _readiness(health: messages.Health) -> tuple[bool, str]:
    """Whether the proxy is not ready, and the line that says so."""
    wrong = [
        f"{name}: {state}" for name, state in (("store", health.store), ("gateway", health.gateway)) if state != _OK
    ]
    if health.status == _DRAINING:
        wrong.insert(0, "draining: the proxy is about to stop")
    if wrong:
        return True, f"not ready: {'; '.join(wrong)}"
    line = "ready: the store accepts writes, and the gateway accepts connections"
    damage = len(health.damage)
    return False, f"{line}; the stored state was damaged: see `statusproxy state show`" if damage else line


def _asked(config: Path | None, admin: str | None) -> _Asked:
    """Where to ask: by the defaults where there is no configuration, by what is legible of one that is broken."""
    if admin is not None:
        return _Asked(admin)
    known = environment()
    file = config or find_file(known)
    if file is None:
        return _Asked(DEFAULT_ADMIN)
    try:
        settings = load(file, None, known)
    except ConfigError as error:
        return _Asked(_written_address(file, known) or DEFAULT_ADMIN, broken=str(error))
    return _Asked(*listener_of(settings))


def _written_address(file: Path, environ: Mapping[str, str]) -> str | None:
    """`admin.listen` as the file has it, None where it has none that can be read."""
    try:
        _, entries = read_file(file, environ)
    except ConfigError:
        return None
    _, admin = entries.nodes.get("admin", (None, None))
    _, listen = admin.nodes.get("listen", (None, None)) if isinstance(admin, Entries) else (None, None)
    return listen.text if isinstance(listen, Scalar) and listen.text else None


def _ask(asked: _Asked, path: str, timeout: float) -> dict[str, Any]:
    try:
        return admin_client.ask(asked.admin, "GET", path, asked.token, timeout, also=(_UNREADY,))
    except admin_client.AdminError as error:
        if error.status == HTTPStatus.NOT_FOUND:  # each of ours has both paths: it is the gateway, or the proxy itself
            _fail(f"what answers at {asked.admin} is not statusproxy's admin listener (it answered 404)", asked)
        _fail(str(error), asked)


def _fail(why: str, asked: _Asked) -> NoReturn:
    fail(f"{asked.broken}; and {why}" if asked.broken else why, EXIT_FAILURE)
