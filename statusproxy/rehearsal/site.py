"""The configuration as `try` needs it: which webhook and which corrected route a path is, and the rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from statusproxy.config.paths import SESSION
from statusproxy.config.settings import Settings, Webhook
from statusproxy.observe.exchange_report import Kind
from statusproxy.proxy.routes import Match, Route, RouteTable
from statusproxy.proxy.sender_auth import SenderPolicy
from statusproxy.status.channels import ChannelRule

_METHOD: Final = "POST"


@dataclass(frozen=True)
class Site:
    """The settings, and their routes as the proxy finds them."""

    settings: Settings
    webhooks: RouteTable[tuple[Webhook, SenderPolicy]]
    channels: RouteTable[ChannelRule]

    def webhook(self, path: str | None) -> Match[tuple[Webhook, SenderPolicy]]:
        """The webhook that a path is posted to; without a path the first that is configured."""
        if path is None:
            path = next((webhook.path for webhook in self.settings.webhooks), "")
            found = self.webhooks.match(_METHOD, _target(path))
            return Match(found.kind, found.entry, None, found.template)
        return self.webhooks.match(_METHOD, _target(path))

    def answer(self, path: str | None) -> Match[ChannelRule]:
        """The corrected route of a path; without a path the first that is configured without a session in it."""
        if path is None:
            path = next((one.path for one in self.settings.channels if SESSION not in one.path), "")
        return self.channels.match(_METHOD, _target(path))


def site(settings: Settings, policy: Callable[[Webhook], SenderPolicy]) -> Site:
    """The site of these settings; `policy` makes what a webhook asks of its sender."""
    methods = frozenset({_METHOD})
    return Site(
        settings=settings,
        webhooks=RouteTable(
            [Route(Kind.WEBHOOK, methods, webhook.path, (webhook, policy(webhook))) for webhook in settings.webhooks]
        ),
        channels=RouteTable([Route(Kind.CHANNELS, methods, one.path, one.rule()) for one in settings.channels]),
    )


def _target(path: str) -> bytes:
    """A path as it stands in a request, with `{session}` of a template as an ordinary segment."""
    return path.encode("utf-8", "surrogateescape")
