"""Asking a gateway which kind it is: the GETs of the signs, one after the other, and nothing else."""

import ssl
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from statusproxy.config.addresses import Target
from statusproxy.detection.catalogue import Gateway
from statusproxy.detection.signs import SECRET, Fit, Header, Sign
from statusproxy.observe.network_errors import in_words
from statusproxy.status.fields import parse

PATIENCE: Final = 10.0
"""Seconds that one answer may take; gateways list their sessions within one, some within five."""

_CONNECT: Final = 5.0
_TRIES: Final = 2
_LARGEST: Final = 4 * 1024 * 1024
"""Bytes of an answer that are read."""


class UnreachableError(Exception):
    """The gateway does not answer at all; the text says why and what to do."""


class Answered(msgspec.Struct, frozen=True):
    """What came of one GET."""

    path: str
    header: Header | None
    """The header with the secret; None if no secret was sent."""
    status: int
    """0 where there is no answer."""
    document: object = None
    """None where the answer is not JSON."""
    problem: str | None = None
    """Why there is no answer, in words."""

    is_too_large: bool = False
    """Whether it is longer than what is read."""

    @property
    def refused(self) -> bool:
        """Whether the gateway wants a secret, or another one."""
        return self.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)

    @property
    def is_client_error(self) -> bool:
        """Whether the gateway takes the request for wrong."""
        return 400 <= self.status < 500


class Finding(msgspec.Struct, frozen=True):
    """How well the gateway that answered fits one kind."""

    gateway: Gateway
    fit: Fit
    refused: bool = False
    """Whether a sign could not be read for want of the right secret."""
    header: Header | None = None
    """The header with which the sign that fits was answered."""


class Probe(msgspec.Struct, frozen=True):
    """Everything that was found out."""

    findings: list[Finding]
    answers: list[Answered]

    def of(self, fit: Fit) -> list[Finding]:
        """The kinds that fit so well."""
        return [finding for finding in self.findings if finding.fit is fit]


async def probe(
    target: Target, gateways: Sequence[Gateway], secret: str | None, *, patience: float = PATIENCE
) -> Probe:
    """Ask the gateway for the signs of these kinds. Raises `UnreachableError` where it does not answer.

    The secret goes to this gateway alone, in the headers that the signs name. Paths end in logs: it is put into one
    only where nothing else fits, and where the gateway has refused what is no secret just as the kind does whose
    contract has it there.
    """
    timeout = aiohttp.ClientTimeout(total=patience, sock_connect=min(_CONNECT, patience))
    connector = aiohttp.UnixConnector(target.unix) if target.unix is not None else aiohttp.TCPConnector(limit=2)
    asked: dict[_Key, Answered] = {}
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=True) as session:
        for gateway in gateways:
            for sign in gateway.signs:
                key = _key(sign, secret)
                if not sign.needs_secret and key not in asked:
                    asked[key] = await _ask(session, target, sign.get, sign.header, secret)
                    _refuse_silence(list(asked.values()))
        in_path = [sign for gateway in gateways for sign in gateway.signs if sign.needs_secret]
        if not any(_finding(gateway, asked, secret).fit is Fit.YES for gateway in gateways):
            for sign in in_path:
                refusal = await _ask(session, target, sign.without_secret, None, None)
                asked[sign.without_secret, None] = refusal
                _refuse_silence(list(asked.values()))
                if secret is not None and _refuses(sign, refusal):
                    asked[_key(sign, secret)] = await _ask(session, target, sign.get, None, secret)
    return Probe([_finding(gateway, asked, secret) for gateway in gateways], list(asked.values()))


_Key = tuple[str, Header | None]


def _key(sign: Sign, secret: str | None) -> _Key:
    """What tells one GET from another: without a secret none has a header, nor has one with the secret in its path."""
    return sign.get, sign.header if secret is not None and not sign.needs_secret else None


def _refuses(sign: Sign, answered: Answered | None) -> bool:
    """Whether the gateway refuses what is no secret in this sign's path, as its kind does."""
    return answered is not None and answered.is_client_error and sign.is_refusal(answered.document)


def _refuse_silence(answers: Sequence[Answered]) -> None:
    """Raise `UnreachableError` where the first GETs brought nothing: the others would wait as long."""
    if len(answers) == _TRIES and all(each.problem is not None for each in answers):
        raise UnreachableError(f"{answers[0].problem}; is that the gateway's address?")


async def _ask(
    session: aiohttp.ClientSession, target: Target, get: str, header: Header | None, secret: str | None
) -> Answered:
    fields = {"Accept": "application/json"}
    if header is not None and secret is not None:
        fields[header.name] = header.value(secret)
    header = header if secret is not None else None
    path = get.replace(SECRET, quote(secret or "", safe=""))
    origin = "http://localhost" if target.unix is not None else f"{target.scheme}://{target.authority}"
    url = URL(f"{origin}{target.path.rstrip('/')}{path}", encoded=True)
    try:
        async with session.get(url, headers=fields, allow_redirects=False) as answer:
            body = await answer.content.read(_LARGEST + 1) if _is_read(answer.status) else b""
            while _is_read(answer.status) and not answer.content.at_eof() and len(body) <= _LARGEST:
                body += await answer.content.read(_LARGEST)
            return Answered(get, header, answer.status, _document(body), is_too_large=len(body) > _LARGEST)
    except aiohttp.ClientConnectorCertificateError as error:
        raise UnreachableError(
            f"{in_words(error.certificate_error)}; if it is signed by an authority of your own, set gateway_tls.ca "
            "in a config.yaml by hand, with preset: NAME"
        ) from None
    except (aiohttp.ClientConnectorError, ssl.SSLError) as error:
        raise UnreachableError(
            f"{in_words(getattr(error, 'os_error', error))}; is the gateway running there?"
        ) from None
    except TimeoutError:
        return Answered(get, header, 0, problem=f"no answer within {session.timeout.total:g} s")
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, OSError):
        return Answered(get, header, 0, problem="the other side closed the connection")
    except aiohttp.ClientError:
        return Answered(get, header, 0, problem="the other side does not speak HTTP")


def _is_read(status: int) -> bool:
    """Whether the body of an answer is read: that of a success, and of a refusal."""
    return status == HTTPStatus.OK or 400 <= status < 500


def _document(body: bytes) -> object:
    if not body or len(body) > _LARGEST:
        return None
    try:
        return parse(body)
    except (ValueError, RecursionError):
        return None


def _finding(gateway: Gateway, asked: Mapping[_Key, Answered], secret: str | None) -> Finding:
    best = Finding(gateway, Fit.NO)
    for sign in gateway.signs:
        answered = asked.get(_key(sign, secret))
        if sign.needs_secret and best.fit is Fit.NO and _refuses(sign, asked.get((sign.without_secret, None))):
            best = Finding(gateway, Fit.NO, True)
        if answered is None:
            continue
        fit = Fit.NO if answered.status != HTTPStatus.OK else sign.fit(answered.document)
        if fit > best.fit:
            best = Finding(gateway, fit, False, sign.header)
        elif best.fit is Fit.NO and answered.refused:
            best = Finding(gateway, Fit.NO, True)
    return best


def describe(answers: Iterable[Answered]) -> list[str]:
    """The result of each GET, one line each. No line has a secret: the path is written as the sign has it."""
    lines = []
    for each in answers:
        what = (
            each.problem or f"{each.status} {HTTPStatus(each.status).phrase if each.status in _CODES else ''}".strip()
        )
        if each.status == HTTPStatus.OK:
            no_document = f", more than {_LARGEST // 1024**2} MiB" if each.is_too_large else ", no JSON"
            what += no_document if each.document is None else ", JSON of another shape"
        lines.append(f"GET {each.path}" + (f" ({each.header.name})" if each.header else "") + f": {what}")
    return lines


_CODES: Final = frozenset(map(int, HTTPStatus))
