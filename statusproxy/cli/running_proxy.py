"""Asking the running proxy."""

from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from statusproxy.admin import client as admin_client
from statusproxy.admin import messages
from statusproxy.cli.output import EXIT_FAILURE, fail
from statusproxy.cli.settings import read_settings
from statusproxy.config.layers import find_file, searched
from statusproxy.config.load import load
from statusproxy.config.settings import Admin, Settings
from statusproxy.systemd import environment

DEFAULT_ADMIN: Final = str(Admin().listen)
"""The admin listener of a proxy that was started without a file."""


def ask(
    config: Path | None,
    admin: str | None,
    method: str,
    path: str,
    session: str | None = None,
    patience: float | None = None,
) -> dict[str, Any]:
    """What the running proxy answers; where it knows no `session` of that id, fail with the ids that are like it.

    `patience`: seconds to wait for the answer, where that is not the client's own.
    """
    by_default = _is_default(config, admin)
    admin, token = listener(config, admin)
    longer = () if patience is None else (patience,)
    try:
        return admin_client.ask(admin, method, path, token, *longer)
    except admin_client.AdminError as error:
        if by_default and error.status is None:
            text = f"{error} No configuration file was found (looked at {searched()}); name it with --config, or"
            fail(f"{text} give --admin", EXIT_FAILURE)
        near = _near(admin, token, session) if session is not None and error.status == HTTPStatus.NOT_FOUND else []
        fail(f"{error}; did you mean {' or '.join(near)}?" if near else str(error), EXIT_FAILURE)


def listener(config: Path | None, admin: str | None) -> tuple[str, str | None]:
    """Where the running proxy is asked, and with which token; without a file, where one runs that has none either."""
    if admin is not None:
        return admin, None
    if _is_default(config, admin):
        return DEFAULT_ADMIN, None
    return listener_of(read_settings(lambda: load(config, None, environment()), instead=", or give --admin"))


def _is_default(config: Path | None, admin: str | None) -> bool:
    return admin is None and config is None and find_file(environment()) is None


def listener_of(settings: Settings) -> tuple[str, str | None]:
    """The same by settings that were read already."""
    if settings.admin.listen is None:
        fail("the admin listener is turned off (admin.listen); turn it on to use this command", EXIT_FAILURE)
    return str(settings.admin.listen), settings.admin.token


def _near(admin: str, token: str | None, session: str) -> list[str]:
    """The known ids that are like this one, each in quotes."""
    from statusproxy.admin.ids import near_ids

    try:
        known = admin_client.typed(admin_client.ask(admin, "GET", "/sessions", token), messages.Sessions)
    except admin_client.AdminError:
        return []
    return [f'"{one}"' for one in near_ids(session, [each.session for each in known.sessions])]


def typed(answer: dict[str, Any], kind: type[messages.Message]) -> messages.Message:
    """An answer as a `kind`; one of another shape, such as another version's, is a failure."""
    try:
        return admin_client.typed(answer, kind)
    except admin_client.AdminError as error:
        fail(str(error), EXIT_FAILURE)
