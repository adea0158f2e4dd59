"""Types for `msgspec` of objects of which only some members are decoded; the others are skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw

from statusproxy.status.fields import Path


class Tree(dict[str, "Tree"]):
    """The members on the way of some paths, each with what is further down."""


def tree(paths: Iterable[Path]) -> Tree:
    """The members on the way of these paths."""
    root = Tree()
    for path in paths:
        node = root
        for key in path:
            node = node.setdefault(key, Tree())
    return root


def object_type(members: Mapping[str, Any]) -> type[msgspec.Struct]:
    """The type of an object whose other members are not decoded; `None` stands for an absent one."""
    return msgspec.defstruct(
        "Members",
        [(attribute(name), kind, None) for name, kind in members.items()],
        rename={attribute(name): name for name in members},
        gc=False,  # thousands live for a moment, and none can be part of a cycle
    )


Written = bytes | Raw
"""A JSON value as it is written."""

Step = tuple[Callable[[Written], msgspec.Struct], str]
"""What decodes an object, its members undecoded, and the attribute of the one that leads on."""

OBJECT: Final = ord("{")
ARRAY: Final = ord("[")


def members_decoder(wanted: Tree) -> Callable[[Written], msgspec.Struct]:
    """What reads the members of an object that lead on, undecoded, and skips the others."""
    return msgspec.json.Decoder(object_type(dict.fromkeys(wanted, Raw))).decode


def steps_along(wanted: Tree, path: Path) -> list[Step]:
    """How each member of a path is read from the object that holds it, where these are wanted."""
    steps = []
    for key in path:
        steps.append((members_decoder(wanted), attribute(key)))
        wanted = wanted[key]
    return steps


def follow_steps(value: Raw | None, steps: Iterable[Step]) -> Raw | None:
    """The value at the end of a path; None where a member is absent, or what should hold it is not an object."""
    for decode, name in steps:
        value = None if value is None or first_byte(value) != OBJECT else getattr(decode(value), name)
    return value


def first_byte(written: Raw) -> int:
    """The byte that tells what kind of value it is."""
    return memoryview(written)[0]


def attribute(name: str) -> str:
    """The attribute that holds a member: a valid name for any member's name."""
    return f"member_{name.encode().hex()}"
