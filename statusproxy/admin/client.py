"""Asking a running proxy's admin listener, for the command line."""

import contextlib
import http.client
import json
import socket
from collections.abc import Collection, Iterator
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote as _quote

import msgspec

from statusproxy.admin.messages import Message, read
from statusproxy.config.addresses import Address, parse_admin
from statusproxy.observe.network_errors import in_words
from statusproxy.observe.visible import json_visible

#: Seconds to wait for an answer: it comes from this host's memory.
_PATIENCE = 10.0

#: Bytes of a download that are read at once.
_PIECE: Final = 64 * 1024


class AdminError(Exception):
    """The admin listener could not be asked, or said no; the text tells a person what to do.

    `status` is the code of its answer, None where there was none.
    """

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, patience: float) -> None:
        super().__init__("localhost", timeout=patience)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def quote(session: str) -> str:
    """A session's id as one segment of a path."""
    return _quote(session, safe="")


def pretty(answer: dict[str, Any]) -> str:
    """JSON for people and `jq`, with control characters escaped for terminals."""
    return "\n".join(map(json_visible, json.dumps(answer, indent=2, ensure_ascii=False).split("\n")))


def ask(
    where: str,
    method: str,
    path: str,
    token: str | None = None,
    patience: float = _PATIENCE,
    also: Collection[int] = (),
) -> dict[str, Any]:
    """The JSON object that the listener at `where` (`host:port`, a URL or `unix:/path`) answers.

    `patience` is how long one step may take, in seconds. `also` has status codes of 400 and above that are no error.
    Raises `AdminError`.
    """
    with _asked(where, method, path, token, patience) as (where, response):
        body = response.read()
    return _object(where, response, body, also)


def download(where: str, path: str, token: str | None = None, patience: float = _PATIENCE) -> Iterator[bytes]:
    """What the listener answers on `path`, in pieces, as it comes. Raises `AdminError`, also where it is not whole."""
    with _asked(where, "GET", path, token, patience) as (where, response):
        if response.status != HTTPStatus.OK or response.getheader("Content-Type") != "application/octet-stream":
            _object(where, response, response.read())
            raise AdminError(
                f"the program at {where} does not answer like a running statusproxy; is it an older version?"
            )
        missing = int(response.getheader("Content-Length") or 0)
        while piece := response.read(_PIECE):
            missing -= len(piece)
            yield piece
        if missing:
            raise AdminError("the answer ended too early")


@contextlib.contextmanager
def _asked(
    where: str, method: str, path: str, token: str | None, patience: float
) -> Iterator[tuple[str, http.client.HTTPResponse]]:
    """The listener's address as it is shown, and its answer, to be read inside. Raises `AdminError`."""
    # As bytes: http.client encodes texts in Latin-1, which does not have every character of a token.
    headers = {"Authorization": f"Bearer {token}".encode()} if token else {}
    try:
        address = parse_admin(where)
    except ValueError as error:
        # What was written is not repeated: a password may stand in it.
        raise AdminError(f"the admin listener's address cannot be read; {error}") from None
    where = str(address)
    connection = _connect(address, patience)
    try:
        connection.request(method, path, headers=headers)
        yield where, connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise AdminError(
            f"the proxy's admin listener at {where} does not answer ({in_words(error)}); is statusproxy running, "
            "with this configuration?"
        ) from error
    finally:
        connection.close()


def _object(where: str, response: http.client.HTTPResponse, body: bytes, also: Collection[int] = ()) -> dict[str, Any]:
    """The JSON object that was answered. Raises `AdminError` where it is an error, or none."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise AdminError(
            f"what answers at {where} is not statusproxy's admin listener; give admin.listen an address that no other "
            "program has"
        )
    if response.status >= 400 and response.status not in also:
        raise AdminError(str(answer.get("error", f"the admin listener answered {response.status}")), response.status)
    return answer


def typed(answer: dict[str, Any], kind: type[Message]) -> Message:
    """An answer converted to its message. Raises `AdminError` if it is another, such as of another version."""
    try:
        return read(answer, kind)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:  # the latter of half a surrogate pair
        raise AdminError(
            f"the running proxy's answer cannot be read ({error}); is it another version of statusproxy? "
            "Restart the service, or run its own `statusproxy`"
        ) from error


def _connect(address: Address, patience: float) -> http.client.HTTPConnection:
    if address.unix is not None:
        return _UnixConnection(address.unix, patience)
    # A listener on all addresses is asked on this one.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)
    return http.client.HTTPConnection(host, address.port, timeout=patience)
