"""Checks of routes: no path is twice in a list, and no route matches all requests of a later one."""

from collections.abc import Sequence

from statusproxy.config.effect import Reach, never_reached
from statusproxy.config.path_tokens import mask_tokens
from statusproxy.config.paths import fold_path
from statusproxy.config.settings import Settings
from statusproxy.config.spot import MASK, Block, Spot
from statusproxy.config.templates import BELOW, SESSION
from statusproxy.config.yaml_tree import Items

#: Blocks whose entries have a path, by which `preset_without` names them.
_BY_PATH = ("webhooks", "channels")

_POSTED = frozenset({"POST", "PUT", "PATCH"})
_READ = frozenset({"GET", "HEAD"})
_EVERY = _POSTED | _READ | {"DELETE", "OPTIONS", "TRACE"}


def check_once(block: Block, name: str, written: Sequence[str]) -> None:
    """Refuse two entries of a list with the same path, as a gateway tells paths apart."""
    seen: dict[str, int] = {}
    for index, path in enumerate(written):
        first = seen.setdefault(fold_path(path), index)
        if first != index:
            entry = block.at(name).items("a list")[index].entries("a mapping")["path"]
            raise entry.found(f"{name}[{first}] has the same path; allowed: each path once")


def check_reached(block: Block, settings: Settings) -> None:
    """Refuse a route that gets no request, as earlier ones take all of them. Routes are in serving order."""
    places: list[tuple[str, int, str]] = []  # the key in the file, the index, and what both are called
    reach: list[Reach] = []
    for index, webhook in enumerate(settings.webhooks):
        places.append(("webhooks", index, f"webhooks[{index}]"))
        reach.append((_POSTED if webhook.forward else _EVERY, webhook.path))
    for index, channels in enumerate(settings.channels):
        places.append(("channels", index, f"channels[{index}]"))
        reach.append((_READ, channels.path))
    for name, routes in settings.reconnect.routes().items():
        for index, route in enumerate(routes):
            method, _, path = route.partition(" ")
            places.append((f"reconnect.{name}", index, f"reconnect.{name}"))
            reach.append((frozenset({method}), path))
    left_out = {fold_path(path) for path in settings.preset_without}
    for late, early in never_reached(reach):
        taken, taker = (_place(block, *places[each][:2]) for each in (late, early))
        # What a preset brings is not the user's to correct; what takes its requests is.
        if taken.mark.source == block.spot.mark.source:
            raise taken.error(
                f"it gets no request, since {places[early][2]} takes them first; allowed: routes that differ"
            )
        # A forwarded event's path may take those that only show that a session is back; a tap answers them itself.
        taken_matters = places[late][0] in _BY_PATH or (
            reach[early][0] == _EVERY and fold_path(reach[late][1]) not in left_out
        )
        if taken_matters and taker.mark.source == block.spot.mark.source:
            raise taker.error(_taken_from_preset(places[late][0], reach[late][1], reach[early][1]))


def _place(block: Block, key: str, index: int) -> Spot:
    spot = block.at(*key.split("."))
    return spot.items("a list")[index] if isinstance(spot.node, Items) else spot


def _taken_from_preset(name: str, path: str, taker: str) -> str:
    """The error about a route that takes all requests of one of the preset."""
    path = mask_tokens(path, MASK)
    before = f", an entry {path} before this one" if (SESSION in taker or BELOW in taker) and name == "webhooks" else ""
    left_out = f"preset_without: [{path}]" if name in _BY_PATH else f"{name} of your own"
    return (
        f"it takes the requests of {path}, which the preset has in {name}; allowed: another path{before}, or {left_out}"
    )
