"""Types for `msgspec` of objects of which only some members are decoded; the others are skipped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

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


def attribute(name: str) -> str:
    """The attribute that holds a member: a valid name for any member's name."""
    return f"member_{name.encode().hex()}"
