"""Warnings of `statusproxy check`: settings that are valid but may not be what was meant."""

from collections.abc import Iterator
from typing import Final

from statusproxy.config.dump import to_yaml
from statusproxy.config.errors import ConfigError
from statusproxy.config.load import loads
from statusproxy.config.paths import fold_path
from statusproxy.config.settings import Channels, Settings
from statusproxy.config.state_url import SqliteFile, parse_state_url
from statusproxy.config.templates import SESSION, source_of

__all__ = ["warnings"]

#: Bytes of the shortest secret for HS256: as many as the hash has.
_JWT_SECRET: Final = 32


def warnings(settings: Settings) -> list[str]:
    """One sentence or two for each."""
    return [*_sources(settings), *_short_secrets(settings), *_idle_spools(settings)]


def _idle_spools(settings: Settings) -> Iterator[str]:
    """A spool without a place on disk: nothing is kept."""
    paths = [webhook.path for webhook in settings.webhooks if webhook.spool]
    if paths and not isinstance(parse_state_url(settings.state.url), SqliteFile):
        yield (
            f"webhooks: spool: true on {', '.join(paths)} has no effect: events are kept beside the state, and this "
            "state.url keeps none; with sqlite:///state.db they are"
        )


def _short_secrets(settings: Settings) -> Iterator[str]:
    """Secrets of JSON Web Tokens that can be found by trying: one token that was seen is enough to try on."""
    for index, webhook in enumerate(settings.webhooks):
        if webhook.jwt is not None and len(webhook.jwt.secret.encode()) < _JWT_SECRET:
            yield (
                f"webhooks[{index}].jwt.secret: shorter than the {_JWT_SECRET} bytes that RFC 7518 (§3.2) asks for; "
                "who has seen one token can find it by trying"
            )


def _sources(settings: Settings) -> Iterator[str]:
    """Corrected routes that may show the same sessions from different sources.

    A list and the route for one of its channels are a pair. Pairs of entries that the preset itself brings were looked
    at when it was made.
    """
    known = _preset_paths(settings)
    told: set[str] = set()
    for entry in settings.channels:
        if fold_path(entry.path) in known:
            continue
        told.add(entry.path)
        others = [other.path for other in settings.channels if other.path not in told and not _pair(entry, other)]
        if others:
            yield (
                f"channels: {entry.path} and {', '.join(others)} may show the same sessions from different sources. "
                "What one shows is no evidence about the other: a correction ends on the route on which the gateway "
                "was seen to know of the disconnect, or by a QR code or a new start"
            )


def _pair(one: Channels, other: Channels) -> bool:
    shorter, longer = sorted((fold_path(source_of(each.path)) for each in (one, other)), key=len)
    return longer == shorter or longer == f"{shorter.rstrip('/')}/{SESSION}"


def _preset_paths(settings: Settings) -> set[str]:
    if settings.preset is None:
        return set()
    try:
        preset = loads(to_yaml({"gateway": "http://127.0.0.1", "preset": settings.preset}))
    except ConfigError:  # a file that leans on this configuration, or on a variable
        return set()
    return {fold_path(entry.path) for entry in preset.channels}
