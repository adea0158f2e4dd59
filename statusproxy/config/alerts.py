"""The block `alerts`: when operators get messages, about what, and where the messages are sent.

Addresses are secrets: they hold tokens. They are shown as scheme and host, those of Apprise as their scheme.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec

from statusproxy.config.addresses import TARGET_ALLOWED, parse_target
from statusproxy.config.blocks import Section
from statusproxy.config.forms import Form, check_no_mask, choice, duration, text, texts
from statusproxy.config.schema import SecretText, Time
from statusproxy.config.spot import MASK, Spot

__all__ = ["APPRISE_ALLOWED", "TOPICS", "AlertTarget", "Alerts", "decoded_secret", "shown_webhook"]

#: What a target can ask for; `alerts.values.Topic` says what each is.
TOPICS: Final = ("lost", "back", "gateway-down", "webhooks-silent", "store", "spool")

APPRISE_ALLOWED: Final = "a URL of Apprise, such as ntfy://ntfy.example/topic or mailtos://user:password@mail.example"

#: How a secret of Standard Webhooks begins that is written in base64.
_BASE64: Final = "whsec_"

_APPRISE: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://[^\x00-\x20\x7f]+")
_WITH_USER: Final = re.compile(r"[A-Za-z]+://[^/?#]*@")


def _http_url(value: str) -> str:
    check_no_mask(value)
    if _WITH_USER.match(value):
        raise ValueError('a user and password here are never sent; remove what is before "@"')
    try:
        return str(parse_target(value))
    except ValueError:
        raise ValueError(f"allowed: {TARGET_ALLOWED}") from None


def _apprise_url(value: str) -> str:
    check_no_mask(value)
    if _APPRISE.fullmatch(value) is None:
        raise ValueError(f"allowed: {APPRISE_ALLOWED}")
    return value


def _address(parse: Callable[[str], str], show: Callable[[str], str], allowed: str) -> Form[str]:
    """The form of an address that no error repeats: a mistake in it may stand anywhere, and so may its token."""

    def read(spot: Spot) -> str:
        value = msgspec.structs.replace(spot, hidden=True)
        try:
            return parse(value.text(allowed))
        except ValueError as error:
            raise value.found(str(error)) from None

    return Form(read, show, secret=True)


def shown_webhook(url: str) -> str:
    """A webhook's address with nothing but scheme and host."""
    target = parse_target(url)
    return str(msgspec.structs.replace(target, path=f"/{MASK}", query=""))


def shown_apprise(url: str) -> str:
    """An address of Apprise with nothing but its scheme."""
    return f"{url.partition('://')[0]}://{MASK}"


WebhookUrl = Annotated[str, _address(_http_url, shown_webhook, TARGET_ALLOWED)]
AppriseUrl = Annotated[str, _address(_apprise_url, shown_apprise, APPRISE_ALLOWED)]
Topics = Annotated[tuple[str, ...], texts(choice(TOPICS), allowed=", ".join(TOPICS), at_least=1, compared=str)]


class AlertTarget(Section, frozen=True, kw_only=True):
    """A receiver of messages: a webhook, or whatever Apprise sends to."""

    webhook: WebhookUrl | None = None
    secret: SecretText | None = None  # signs the webhook's messages (Standard Webhooks)
    apprise: AppriseUrl | None = None
    on: Topics | None = None  # those of `alerts.on`
    sessions: Annotated[tuple[str, ...], texts(text(), at_least=1)] = ("*",)  # patterns with * and ?

    @property
    def url(self) -> str:
        """Where it is. A secret."""
        return self.webhook or self.apprise or ""

    @property
    def id(self) -> str:
        """What tells it from other targets, also after a restart: a digest of its kind and address."""
        kind = "apprise" if self.webhook is None else "webhook"
        return hashlib.sha256(f"{kind} {self.url}".encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """For people, without any secret: `webhook` and the host, or `apprise` and the scheme."""
        if self.webhook is None:
            return f"apprise {self.url.partition('://')[0]}"
        return f"webhook {urlsplit(self.webhook).netloc}"

    @property
    def key(self) -> bytes | None:
        """The key that signs the messages; None where they are not signed."""
        return None if self.secret is None else decoded_secret(self.secret)


class Alerts(Section, frozen=True, kw_only=True):
    """When operators are told, of what, and where."""

    after: Annotated[float, duration(at_least=0)] = 60.0  # what an outage must last
    remind: Time | None = 21_600.0  # again while it lasts; None: once
    group: Annotated[float, duration(at_least=5)] = 30.0  # how long a message waits for others at most
    on: Topics = TOPICS
    to: tuple[AlertTarget, ...] = ()
    heartbeat: WebhookUrl | None = None  # asked every 60 s while all is well

    def topics(self, target: AlertTarget) -> frozenset[str]:
        """The topics that are reported to this target."""
        return frozenset(self.on if target.on is None else target.on)


def decoded_secret(secret: str) -> bytes:
    """The key that a secret stands for: base64 after `whsec_`, else the text itself. Raises ValueError."""
    if not secret.startswith(_BASE64):
        return secret.encode()
    key = base64.b64decode(secret.removeprefix(_BASE64), validate=True)
    if not key:
        raise ValueError("an empty key")
    return key
