"""Error messages for text that is not YAML. They repeat no part of the file, which may hold secrets.

PyYAML's messages quote the file: the name after `*`, a tag, a character. Where these stand, a password may stand. So
its messages are only recognised here, and what is said instead names the fix.
"""

import ipaddress
import re
from typing import Final

import yaml

__all__ = ["describe"]

_QUOTE: Final = "; put quotes around the value"

#: Part of PyYAML's message -> what is said, and the fix. The first that fits is taken.
_PROBLEMS: Final = (
    (r"'\\t'", "found a tab where YAML expects spaces; indent with spaces"),
    (
        r"mapping values are not allowed",
        'mapping values are not allowed here; put quotes around a value that holds ": ", and check the indentation',
    ),
    (r"cannot start any token", f"found a character that cannot begin a value, such as @ or %{_QUOTE}"),
    (r"another document", "found a second document; allowed: one per file"),
    (
        r"expected ',' or '([]}])'",
        r"expected ',' or '\1'; close the bracket, and put quotes around values that hold brackets",
    ),
    (r"undefined alias", "found a value that begins with *, which in YAML refers to another value" + _QUOTE),
    (r"duplicate anchor", "found & with the same name twice, which in YAML names a value" + _QUOTE),
    (r"while scanning an? (alias|anchor)|alphabetic or numeric", "found a value that begins with * or &" + _QUOTE),
    (r"tag|URI|expected '[!>]'", "found a value that begins with !, which in YAML is a tag" + _QUOTE),
    (r"block scalar", "found a value that begins with | or >" + _QUOTE),
    (
        r"escape",
        r"found a backslash in double quotes that begins no escape sequence; write \\, or use single quotes",
    ),
    (r"could not find expected ':'", "found a line that is not a key with a value; write key: value"),
    (r"end of stream|document separator", "a quote or a bracket is not closed; close it"),
    (r"expected the node content", "found a character where a value is expected" + _QUOTE),
    (r"expected <block end>", "this line does not continue the block above it; check indentation, quotes and brackets"),
    (
        r"sequence entries",
        "found a list's - where no list can begin; write it on a line of its own, or put quotes around the value",
    ),
    (r"mapping keys are not allowed", "found a value that begins with ?" + _QUOTE),
    (r"directive|document start|YAML document", "found a line that begins with %" + _QUOTE),
)
_OTHER: Final = "it cannot be read; check indentation, quotes and brackets"

#: What may be an IPv6 address outside quotes: in brackets with a port, or by itself, perhaps with a prefix's length.
_IPV6: Final = re.compile(
    r"(?<![\w.:\"'])(?:\[(?P<host>[0-9A-Fa-f:.]{2,45})\]:[0-9]{1,5}|(?P<network>[0-9A-Fa-f:.]{2,45}(?:/[0-9]{1,3})?))(?![\w.:\"'/])"
)


def describe(error: yaml.MarkedYAMLError, text: str) -> str:
    """One line for PyYAML's error about `text`: what is wrong, and the fix for the mistakes that people make most."""
    mark = error.problem_mark or error.context_mark
    lines = text.splitlines()
    if mark is not None and mark.line < len(lines):
        address = _unquoted_ipv6(lines[mark.line])
        if address is not None:
            return f'found an IPv6 address without quotes; put quotes around it: "{address}"'
    said = f"{error.context} {error.problem}"
    for pattern, told in _PROBLEMS:
        match = re.search(pattern, said)
        if match:
            return match.expand(told) if match.groups() and r"\1" in told else told
    return _OTHER


def _unquoted_ipv6(line: str) -> str | None:
    """The first IPv6 address that stands in a line without quotes: YAML takes its brackets and colons for its own."""
    for match in _IPV6.finditer(line.partition(" #")[0]):
        try:
            if match["host"] is not None:
                ipaddress.IPv6Address(match["host"])
            else:
                ipaddress.IPv6Network(match["network"])
        except ValueError:
            continue
        return match[0]
    return None
