"""Which senders are trusted to tell about sessions: by network, and by each proof that is asked of them.

The proofs: a shared secret or a JSON Web Token in a header, a signature over the body, a token in the body. Where
several are configured, all must hold. An event's path is open to the internet on many sites, so events can be forged.
An event that is not trusted is forwarded all the same.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Final, Literal

import msgspec

from statusproxy.proxy.bearer_jwt import BearerJwt
from statusproxy.proxy.body_token import BodyToken
from statusproxy.proxy.client_address import LONGEST_ADDRESS, Network, parse_address, within
from statusproxy.proxy.http1.head import Headers, first


class SharedSecret(msgspec.Struct, frozen=True):
    """A field (lower-case name) that must carry a secret."""

    header: bytes
    value: bytes


class Signature(msgspec.Struct, frozen=True):
    """A field (lower-case name) that must carry an HMAC of the body as it was sent."""

    header: bytes
    secret: bytes
    algorithm: str = "sha256"
    prefix: bytes = b""
    encoding: Literal["hex", "base64"] = "hex"


class Verification:
    """The verification of one webhook's sender, complete once the body is whole: an observer of that body."""

    __slots__ = ("_claimed", "_doubt", "_mac", "_signature", "token")

    def __init__(
        self,
        doubt: str | None,
        signature: Signature | None = None,
        claimed: bytes | None = None,
        token: BodyToken | None = None,
    ) -> None:
        """`doubt`: why the sender is not trusted, where that is known already. `claimed`: the signature as it came."""
        self.token = token
        """What the body must carry as well: to be judged once the body is whole and decoded."""
        self._doubt = doubt
        self._signature = signature
        self._claimed = claimed
        self._mac = None
        if doubt is None and signature is not None:
            self._mac = hmac.new(signature.secret, digestmod=signature.algorithm)

    @property
    def open(self) -> bool:
        """Whether the sender may still turn out to be trusted, so that its body is worth keeping."""
        return self._doubt is None

    @property
    def needs_body(self) -> bool:
        """Whether the verification depends on the body, so that all of it must be fed."""
        return self._mac is not None

    def feed(self, data: bytes) -> None:
        """Take the next piece of the body, as it was sent."""
        if self._mac is not None:
            self._mac.update(data)

    def catch_up(self) -> None:
        """There is never work left: `feed` does it all."""

    def doubt(self) -> str | None:
        """Why the sender is not trusted (`network`, `secret`, `jwt`, `signature`); None when it is.

        A `token` is not judged here.
        """
        if self._doubt is not None or self._mac is None or self._signature is None:
            return self._doubt
        digest = self._mac.digest()
        expected = digest.hex().encode() if self._signature.encoding == "hex" else base64.b64encode(digest)
        claimed = self._claimed or b""
        if not claimed.startswith(self._signature.prefix):
            return "signature"
        claimed = claimed[len(self._signature.prefix) :].strip()
        if self._signature.encoding == "hex":
            claimed = claimed.lower()
        return None if hmac.compare_digest(claimed, expected) else "signature"


#: What is asked of nearly every sender is known before its body comes, and says the same of all of them.
_TRUSTED: Final = Verification(None)
_REFUSED: Final = {why: Verification(why) for why in ("network", "secret", "jwt")}

#: Senders remembered.
_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class SenderPolicy:
    """What one webhook path asks of a sender: to be in the networks of `from`, and what else is configured."""

    from_: Sequence[Network]
    secret: SharedSecret | None = None
    hmac: Signature | None = None
    jwt: BearerJwt | None = None
    token: BodyToken | None = None
    proves_nothing: bool = field(init=False)
    """Whether the sender's address is all that is asked."""
    _looked_up: Callable[[str], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        proofs = (self.secret, self.hmac, self.jwt, self.token)
        object.__setattr__(self, "proves_nothing", all(proof is None for proof in proofs))
        # One sender makes many requests: its network is looked up once. The memory knows nothing of this object.
        looked_up = lru_cache(maxsize=_REMEMBERED)(partial(_is_within, tuple(self.from_)))
        object.__setattr__(self, "_looked_up", looked_up)

    def verify(self, client: str, headers: Headers) -> Verification:
        """Begin to verify one webhook, sent by `client` (the real one, behind trusted proxies)."""
        if len(client) > LONGEST_ADDRESS or not self._looked_up(client):
            return _REFUSED["network"]
        if self.proves_nothing:
            return _TRUSTED
        if self.secret is not None:
            given = first(headers, self.secret.header) or b""
            # Digests compared, so that neither the length nor the contents of the secret show in the time it takes.
            if not hmac.compare_digest(hashlib.sha256(given).digest(), hashlib.sha256(self.secret.value).digest()):
                return _REFUSED["secret"]
        if self.jwt is not None and not self.jwt.stands_in(headers):
            return _REFUSED["jwt"]
        if self.hmac is not None:
            return Verification(None, self.hmac, first(headers, self.hmac.header), self.token)
        return _TRUSTED if self.token is None else Verification(None, token=self.token)


def _is_within(networks: Sequence[Network], client: str) -> bool:
    return within(parse_address(client), networks)
