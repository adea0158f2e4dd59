"""A JSON Web Token (RFC 7519) in a header as a webhook sender's proof: signed with HS256 by a shared secret.

PyJWT reads it. That costs 12 MiB of memory and a tenth of a second to import, so only a site that asks for a token
imports it, and does so before its first request.
"""

import warnings
from typing import TYPE_CHECKING, Final

import msgspec

from statusproxy.proxy.http1.head import Headers, first

if TYPE_CHECKING:
    from jwt.types import Options

#: Seconds by which the sender's clock may differ from ours.
LEEWAY: Final = 60

#: Bytes of a token that is read. Those of gateways have 200; PyJWT walks over each byte.
_LONGEST: Final = 8192

_SCHEME: Final = b"bearer"

#: The claims that say when a token holds are judged where they are there. The others are the sender's own affair: when
#: it was issued (by a clock of which the two claims above tell already), by whom, and for whom.
_OPTIONS: Final["Options"] = {
    "verify_signature": True,
    "verify_exp": True,
    "verify_nbf": True,
    "verify_iat": False,
    "verify_iss": False,
    "verify_aud": False,
    "verify_sub": False,
    "verify_jti": False,
}


class BearerJwt(msgspec.Struct, frozen=True):
    """A field (lower-case name) that must carry a token, with or without `Bearer` before it."""

    header: bytes
    secret: bytes

    def __post_init__(self) -> None:
        """Import PyJWT; ModuleNotFoundError where it is not installed."""
        import jwt

        # `statusproxy check` warns of a short secret; which one it is the gateway decides.
        warnings.filterwarnings("ignore", category=jwt.InsecureKeyLengthWarning)

    def stands_in(self, headers: Headers) -> bool:
        """Whether the fields carry a token that was signed with the secret and holds now. Never raises.

        The only algorithm is HS256, whatever a token says of itself (RFC 8725 §3.1). So neither a token that says
        `none` is accepted, nor one that was signed with a public key as the secret.
        """
        import jwt

        said = (first(headers, self.header) or b"").strip()
        scheme, _, rest = said.partition(b" ")
        token = rest.strip() if scheme.lower() == _SCHEME else said
        if not token or len(token) > _LONGEST:
            return False
        try:
            jwt.decode(token, self.secret, algorithms=["HS256"], leeway=LEEWAY, options=_OPTIONS)
        except Exception:  # noqa: BLE001 - a token that makes the library fail is not proof
            return False
        return True
