"""JSON to an HTTP receiver, signed as Standard Webhooks says (https://www.standardwebhooks.com).

webhook-id         the message's id, the same at each attempt: the receiver knows a repeat by it
webhook-timestamp  when this attempt was made, epoch seconds
webhook-signature  v1,BASE64 of the HMAC-SHA256 of "id.timestamp.body"; only where a secret is set
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from http import HTTPStatus

import aiohttp
from aiohttp import ClientSession

from statusproxy.alerts.channels.letter import SENT, Letter, Outcome
from statusproxy.alerts.http_client import error_words, finish
from statusproxy.proxy.outcomes import retry_after

__all__ = ["WebhookChannel", "signature"]


class WebhookChannel:
    """One receiver of JSON. Implements `Channel`."""

    def __init__(
        self, url: str, key: bytes | None, session: Callable[[], ClientSession], clock: Callable[[], float] = time.time
    ) -> None:
        """`key` signs, where it is not None; `session` gives the client's session; `clock` gives epoch seconds."""
        self._url = url
        self._key = key
        self._session = session
        self._clock = clock

    async def send(self, letter: Letter) -> Outcome:
        """As `Channel.send`: within the session's deadline. Redirects are not followed: they would lead elsewhere."""
        moment = int(self._clock())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": letter.id,
            "webhook-timestamp": str(moment),
        }
        if self._key is not None:
            headers["webhook-signature"] = signature(self._key, letter.id, moment, letter.body)
        try:
            async with self._session().post(
                self._url, data=letter.body, headers=headers, allow_redirects=False
            ) as response:
                outcome = self._judged(response)
                await finish(response)
                return outcome
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return Outcome(error_words(error))

    def _judged(self, response: aiohttp.ClientResponse) -> Outcome:
        status = response.status
        if 200 <= status < 300:
            return SENT
        error = f"it answered {status}{_phrase(status)}"
        if 300 <= status < 400:
            error += "; redirects are not followed"
        fields = [(name.lower(), value) for name, value in response.raw_headers]
        return Outcome(error, retry_after(fields, self._clock()))


def signature(key: bytes, id_: str, moment: int, body: bytes) -> str:
    """The value of `webhook-signature`."""
    signed = b"%s.%d.%s" % (id_.encode(), moment, body)
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _phrase(status: int) -> str:
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""
