"""A request's head as bytes, as the spool keeps it: which fields it has, and how it is changed before it is sent.

Such a head goes from the request line to the last field, each line with its CRLF; the empty line is not part of it.
Everything but what is changed stays as it was, byte for byte.
"""

from collections.abc import Iterable

from statusproxy.proxy.http1.head import Header


def method_of(head: bytes) -> str:
    """The method in the request line."""
    return head.partition(b" ")[0].decode("latin-1")


def field_names(head: bytes) -> frozenset[bytes]:
    """The names of all fields, in lower case."""
    return frozenset(map(_name, head.split(b"\r\n")[1:-1]))


def without(head: bytes, name: bytes) -> bytes:
    """The head without the fields of this name (lower case)."""
    start, *lines = head.split(b"\r\n")
    return b"\r\n".join([start, *(line for line in lines if _name(line) != name)])


def with_host(head: bytes, host: bytes) -> bytes:
    """The head for another host; unchanged where it names this one already."""
    start, *lines = head.split(b"\r\n")
    return b"\r\n".join([start, *(line[:5] + b" " + host if _name(line) == b"host" else line for line in lines)])


def with_target(head: bytes, target: bytes) -> bytes:
    """The head with another request target."""
    start, end, fields = head.partition(b"\r\n")
    method, _, version = start.split(b" ")
    return b" ".join([method, target, version]) + end + fields


def with_base(head: bytes, before: bytes, base: bytes) -> bytes:
    """The head for a receiver whose base path is `base` and was `before`; unchanged if its target is not below that."""
    method, space, rest = head.partition(b" ")
    return method + space + base + rest[len(before) :] if rest.startswith(before + b"/") else head


def with_fields(head: bytes, fields: Iterable[Header]) -> bytes:
    """The head with more fields at its end."""
    return head + b"".join(b"%b: %b\r\n" % field for field in fields)


def _name(line: bytes) -> bytes:
    return line.partition(b":")[0].lower()
