"""The gateways that presets know: title, notes and signs, from the `about:` blocks of the presets that come along."""

import importlib.resources
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec

from statusproxy.config.layers import preset_names, read_text
from statusproxy.config.yaml_tree import Entries, Items, Kind, Node
from statusproxy.detection.signs import Header, Sign, SignError, read_signs


class Gateway(msgspec.Struct, frozen=True):
    """A kind of gateway, as its preset describes it."""

    preset: str
    title: str
    signs: tuple[Sign, ...] = ()
    secret: Header | None = None
    """How it wants its secret."""
    webhook: tuple[str, ...] = ()
    """Where to set the webhook's URL: sentences."""
    proof: tuple[str, ...] = ()
    """By what its events can prove where they come from: lines of an entry of `webhooks`."""
    adds: tuple[str, ...] = ()
    cannot: tuple[str, ...] = ()
    sends_once: bool = False
    """Whether it sends each event once, so that one that is not taken is lost."""


def shipped() -> list[Gateway]:
    """The gateways of all presets that come with the program."""
    return list(_shipped())


@cache  # the presets stay as they are while the program runs
def _shipped() -> tuple[Gateway, ...]:
    return tuple(gateway(name, text) for name, text in _texts())


def gateway(preset: str, text: str) -> Gateway:
    """The gateway that a preset's text describes. Raises `SignError`."""
    _, entries = read_text(text, f"preset {preset}", None)
    about = _plain(entries.nodes["about"][1]) if "about" in entries.nodes else {}
    if not isinstance(about, dict):
        raise SignError(f"preset {preset}: about is not a mapping")
    signs = read_signs(about, preset)
    return Gateway(
        preset,
        str(about.get("title") or preset),
        signs,
        next((sign.header for sign in signs if sign.header is not None), None),
        _sentences(about.get("webhook")),
        _sentences(about.get("proof")),
        _sentences(about.get("adds")),
        _sentences(about.get("cannot")),
        about.get("sends_once") == "true",
    )


def _texts() -> Iterator[tuple[str, str]]:
    folder = importlib.resources.files("statusproxy") / "presets"
    for name in preset_names():
        yield name, (folder / f"{name}.yaml").read_text("utf-8")


def _plain(node: Node) -> Any:
    """A node of a preset's tree as mappings, lists and texts; numbers stay texts, null is None."""
    if isinstance(node, Entries):
        return {key: _plain(inner) for key, (_, inner) in node.nodes.items()}
    if isinstance(node, Items):
        return [_plain(inner) for _, inner in node.nodes]
    return None if node.kind is Kind.NULL else node.text


def _sentences(written: object) -> tuple[str, ...]:
    if written is None:
        return ()
    lines = written if isinstance(written, list) else [written]
    return tuple(line.strip() for each in lines for line in str(each).splitlines() if line.strip())
