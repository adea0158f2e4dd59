"""The `Forwarded` field as RFC 7239 defines it: which node each element names in `for=`."""

import re
from collections.abc import Iterable
from typing import Final

#: Escaped characters in a quoted value, and runs of others between them. A node has none of these; to match without a
#: bound takes memory of a hundred times the length.
MOST_PARTS: Final = 256

_QUOTED: Final = rb"(?>(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]++|\\[\t\x20-\x7e\x80-\xff]){0,%d})" % MOST_PARTS

#: One token of the grammar (RFC 7239 §4): a pair, or the `;` or `,` behind it. White space around these is taken, as
#: is a value with `:`, `[` or `]` that is not quoted: senders write both, and neither can be read in two ways.
_PAIR: Final = re.compile(
    rb"[ \t]*+(?:(?P<name>[!#$%&'*+\-.^_`|~0-9A-Za-z]++)[ \t]*+=[ \t]*+"
    rb'(?:"(?P<quoted>' + _QUOTED + rb')"'
    rb"|(?P<token>[!#$%&'*+\-.^_`|~0-9A-Za-z:\[\]]++))[ \t]*+)?"
    rb"(?P<end>[;,]|\Z)"
)

_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)

#: Elements that are read, and separators (each element has up to four pairs). More proxies than that never stand
#: behind one another, and the time to read a field stays below a millisecond.
MOST_ELEMENTS: Final = 256
_MOST_SEPARATORS: Final = 4 * MOST_ELEMENTS


def forwarded_for(lines: Iterable[bytes]) -> list[bytes] | None:
    """The nodes that the elements of all `lines` name in `for=`, in order, with quoting undone.

    An element without `for=` names none. None where any line breaks the grammar, an element names a parameter twice,
    or there are more elements than `MOST_ELEMENTS`, or parts of a value than `MOST_PARTS`: then it cannot be told who
    wrote what.
    """
    nodes: list[bytes] = []
    elements = separators = 0
    for line in lines:
        at, names = 0, set[bytes]()
        while True:
            pair = _PAIR.match(line, at)
            separators += 1
            if pair is None or separators > _MOST_SEPARATORS:
                return None
            name = pair["name"]
            if name is not None:
                name = name.lower()
                if name in names:
                    return None
                names.add(name)
                if name == b"for":
                    quoted = pair["quoted"]
                    nodes.append(pair["token"] if quoted is None else _ESCAPED.sub(rb"\1", quoted))
            if pair["end"] != b";":
                elements += bool(names)
                if elements > MOST_ELEMENTS:
                    return None
                names.clear()
            if not pair["end"]:
                break
            at = pair.end()
    return nodes
