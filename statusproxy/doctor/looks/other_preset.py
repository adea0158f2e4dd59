"""Whether a list that the configured preset cannot read is that of another gateway, whose preset comes along."""

from statusproxy.config.layers import about, preset_names
from statusproxy.config.load import loads
from statusproxy.config.paths import fold_path
from statusproxy.doctor.looks import shapes
from statusproxy.status.channel_list import ChannelList, ChannelRule


def fitting(body: bytes, path: str, preset: str | None) -> tuple[str, str] | None:
    """The one other preset that reads the whole of this list, and its gateway's title; None where not exactly one does.

    Asked only of a site whose `preset` is a shipped one too: a preset of one's own is changed, not replaced.
    """
    names = preset_names()
    if preset not in names:
        return None
    found = [name for name in names if name != preset and any(_reads(rule, body) for rule in _rules(name, path))]
    if len(found) != 1:
        return None
    said = about(found[0])
    return found[0], said.title if said is not None and said.title else found[0]


def _rules(preset: str, path: str) -> list[ChannelRule]:
    settings = loads(f"gateway: http://gateway.example\npreset: {preset}\n")
    return [each.rule() for each in settings.channels if fold_path(each.path) == fold_path(path)]


def _reads(rule: ChannelRule, body: bytes) -> bool:
    """Whether every channel has its id and its status, and some word is known."""
    shape = shapes.shape(ChannelList(body, rule))
    return (
        bool(shape.elements)
        and None not in shape.ids
        and all(shapes.has_status(element, rule) for element in shape.elements or ())
        and any(shapes.knows(rule, word) for word in shape.words)
    )
