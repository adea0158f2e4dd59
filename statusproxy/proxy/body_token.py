"""A secret inside a webhook's body as its sender's proof: a member of the JSON, or of a form."""

import codecs
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec

from statusproxy.status.fields import Path, lookup, parse_members, parse_path, usable_text

#: Members of a form that are looked through. Gateways send two or three.
_MOST_MEMBERS: Final = 64

#: Bytes of an encoded name or value that is worth decoding: a secret is no longer.
_LONGEST: Final = 4096

#: Bytes of a body that the slow decoder is tried on. It reads what JavaScript allows and the quick one does not, such
#: as half of an emoji, and takes 20 ms for a few hundred KiB.
_SLOWLY_READ: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class BodyToken:
    """A member of the body that must carry a secret: a path (`data.apikey`) into a JSON object, or a form's name."""

    name: str
    value: bytes
    """The secret."""
    path: Path = field(init=False)
    decoder: msgspec.json.Decoder[Any] = field(init=False, compare=False)
    """Reads that one member, and skips all others."""

    def __post_init__(self) -> None:
        path = parse_path(self.name)
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "decoder", msgspec.json.Decoder(_only(path)))

    def stands_in(self, body: bytes) -> bool:
        """Whether a whole body, its coding undone, carries the secret. Never raises.

        An array, or several documents, carry none: it would not be clear which of them it is for.
        """
        body = body.removeprefix(codecs.BOM_UTF8)
        is_json = body[:_LONGEST].lstrip().startswith((b"{", b"["))
        given = self._in_json(body) if is_json else _in_form(body, self.name)
        # Digests compared, so that neither the length nor the contents of the secret show in the time it takes.
        digest = hashlib.sha256(given or b"").digest()
        return hmac.compare_digest(digest, hashlib.sha256(self.value).digest())

    def _in_json(self, body: bytes) -> bytes | None:
        """The text or number under the path; None if there is none."""
        try:
            found = self.decoder.decode(body)
            for _ in self.path:
                found = found.member
            text = usable_text(msgspec.json.decode(found)) if len(found) <= _LONGEST else None
        except (ValueError, RecursionError):
            text = self._slowly(body) if len(body) <= _SLOWLY_READ else None
        return None if text is None else text.encode()

    def _slowly(self, body: bytes) -> str | None:
        try:
            return usable_text(lookup(parse_members(body), self.path))
        except (ValueError, RecursionError):
            return None


def _only(path: Path) -> Any:
    """The type of an object whose member under `path` alone is read."""
    kind: Any = msgspec.Raw
    for key in reversed(path):
        kind = msgspec.defstruct("Holder", [("member", kind)], rename={"member": key}, frozen=True)
    return kind


def _in_form(body: bytes, name: str) -> bytes | None:
    """The first member of that name in `application/x-www-form-urlencoded`; None if there is none."""
    wanted = name.encode()
    for member in body.split(b"&", _MOST_MEMBERS)[:_MOST_MEMBERS]:
        encoded, _, value = member.partition(b"=")
        if len(encoded) <= _LONGEST and _decoded(encoded) == wanted:
            return _decoded(value) if len(value) <= _LONGEST else None
    return None


def _decoded(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))
