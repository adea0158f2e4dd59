"""Escapes text from elsewhere for terminals and logs: one line, no control characters.

Ids, event names, reason words and error texts come from senders and from the gateway. A line break in one of them would
forge a log line, an escape sequence would reach the terminal, a direction mark would turn the text around it.
"""

from typing import Final

__all__ = ["delimited", "json_visible", "quoted", "visible"]

_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    r"""`text` with each character that does not print as an escape: `\n`, `\x1b`, `\u202e`, `\U000e0041`.

    Not printing are Unicode's groups C (controls, direction marks, zero-width characters, surrogates, unassigned) and Z
    (separators) except for the space. A backslash stays as it is: paths have them, and it forges nothing.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def quoted(text: str) -> str:
    r"""As `visible`, to stand between double quotes in an access line: these and backslashes are `\x22`, `\x5c`.

    So do nginx and Apache in their logs, and so do the programs expect it that read them.
    """
    return visible(text.replace("\\", "\\x5c").replace('"', "\\x22"))


def delimited(name: str) -> str:
    """`name` between double quotes where it begins or ends with white space, which would not show; else as it is."""
    return name if name == name.strip() else f'"{name}"'


def json_visible(text: str) -> str:
    r"""A JSON document of one line with each character that does not print as JSON's own escape, `\u202e`.

    These characters can only stand inside its strings, so that the document's value is the same.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _json_escaped(char) for char in text)


def _escaped(char: str) -> str:
    code = ord(char)
    if char in _NAMED:
        return _NAMED[char]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _json_escaped(char: str) -> str:
    code = ord(char)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    # RFC 8259 §7: beyond the first plane, as the two surrogates of UTF-16.
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
