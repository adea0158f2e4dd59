"""The configuration as `try` needs it: which webhook and which corrected route a path is, and the rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from statusproxy.config.settings import Settings, Webhook
from statusproxy.config.templates import SESSION
from statusproxy.observe.exchange_report import HIDDEN, RouteKind
from statusproxy.proxy.routes import Match, Route, RouteTable
from statusproxy.proxy.sender_auth import SenderPolicy
from statusproxy.status.channels import ChannelRule

_METHOD: Final = "POST"

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Site:
    """The settings, and their routes as the proxy finds them."""

    settings: Settings
    webhook_routes: Sequence[Route[tuple[Webhook, SenderPolicy] | None]]
    channel_routes: Sequence[Route[ChannelRule]]
    webhooks: RouteTable[tuple[Webhook, SenderPolicy] | None]
    channels: RouteTable[ChannelRule]

    def webhook(self, path: str | None) -> Match[tuple[Webhook, SenderPolicy] | None]:
        """The webhook that a path is posted to; without a path the first that is configured, and no session.

        A path that a webhook leaves out (`except`) is passed on, and has a template all the same.
        """
        if path is not None:
            return self.webhooks.match(_METHOD, _target(path))
        return _first([one for one in self.webhook_routes if one.entry is not None])

    def answer(self, path: str | None) -> Match[ChannelRule]:
        """The corrected route of a path; without a path the first that is a list, or may be one."""
        if path is not None:
            return self.channels.match(_METHOD, _target(path))
        lists = [one for one in self.channel_routes if SESSION not in one.path]
        return _first(sorted(lists, key=lambda one: one.entry.one))


def is_left_out(found: Match[Entry]) -> bool:
    """Whether a webhook would take a path except for its `except`."""
    return found.kind is RouteKind.PASS and found.template not in (None, HIDDEN)


def _first(routes: Sequence[Route[Entry]]) -> Match[Entry]:
    if not routes:
        return Match(RouteKind.PASS)
    return Match(routes[0].kind, routes[0].entry, None, routes[0].path)


def site(settings: Settings, policy: Callable[[Webhook], SenderPolicy]) -> Site:
    """The site of these settings; `policy` makes what a webhook asks of its sender."""
    methods = frozenset({_METHOD})
    webhooks: list[Route[tuple[Webhook, SenderPolicy] | None]] = []
    for webhook in settings.webhooks:
        webhooks += [Route(RouteKind.PASS, methods, path, None) for path in webhook.except_]
        webhooks.append(Route(RouteKind.WEBHOOK, methods, webhook.path, (webhook, policy(webhook))))
    channels = [Route(RouteKind.CHANNELS, methods, one.path, one.rule()) for one in settings.channels]
    cut = settings.session_cut()
    return Site(settings, webhooks, channels, RouteTable(webhooks, cut), RouteTable(channels, cut))


def _target(path: str) -> bytes:
    """A path as it stands in a request."""
    return path.encode("utf-8", "surrogateescape")
