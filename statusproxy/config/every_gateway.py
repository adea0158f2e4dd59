"""What holds at every gateway, read from `presets/_every_gateway.yaml`: marks that are looked for whatever the preset.

The file's `dialect` is laid below every preset (`layers.with_preset`).
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated

import msgspec

from statusproxy.config.blocks import struct
from statusproxy.config.forms import mapping, text, texts
from statusproxy.config.layers import DIALECT, EVERY_GATEWAY, built_in
from statusproxy.config.schema import Fields, Members, ShapeOf, Words
from statusproxy.config.spot import Spot
from statusproxy.config.yaml_tree import Entries
from statusproxy.status.fields import Path, parse_path

_PLACES = texts(text(empty=True))  # beside what a preset may write, `0` for an array's first element


class OwnMarks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What marks a message of the session's own making."""

    members: Members
    in_: Annotated[Mapping[str, tuple[str, ...]], mapping(_PLACES, "a mapping of engines to objects")] = msgspec.field(
        name="in"
    )
    ids: Fields
    receipt: ShapeOf

    @property
    def paths(self) -> tuple[Path, ...]:
        """Each member in each object that may hold it."""
        holders = (parse_path(each) for written in self.in_.values() for each in written)
        return tuple((*holder, member) for holder in holders for member in self.members)


class PresenceMarks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """By what an event is one about a contact or chat."""

    words: Words
    prefixes: Words
    ids: Fields


class EveryGateway(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The blocks of the file, but for `dialect`."""

    own: OwnMarks
    presence: PresenceMarks
    neutral: Words
    """Events, folded, that say nothing about a connection and need no rule."""


@cache
def every_gateway() -> EveryGateway:
    """What the file says: read once, for it changes with the program only."""
    mark, entries = built_in(EVERY_GATEWAY)
    blocks = Entries({name: placed for name, placed in entries.nodes.items() if name != DIALECT})
    known: EveryGateway = struct(EveryGateway).read(Spot(blocks, "", mark))
    return known
