"""Checks for settings that can have no effect: each is an error that says what to write instead.

Each `check_…` gives its text back, or raises ValueError with the end of a sentence that begins `found "…"; `. Only what
surely has no effect is refused.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from statusproxy.config.addresses import Address, Target
from statusproxy.config.paths import covers
from statusproxy.status.set_values import OTHERWISE

__all__ = [
    "FORM",
    "check_body",
    "check_field_path",
    "check_member",
    "check_named_field",
    "check_set_name",
    "check_set_value",
    "check_set_word",
    "check_word",
    "leads_back",
    "never_reached",
]

FORM: Final = "form:"
"""How `dialect.body` begins for a form; then comes the member that holds the JSON."""

_FIELD_ALLOWED: Final = "a field, or fields joined by dots, such as session.id"

#: A step that leads into an array, which no lookup does: `0`, `items[0]`, `*`.
_INDEX: Final = re.compile(r"[0-9]+|.*\[[0-9*]*\]|\*")

#: A text that is, as a whole, a variable or placeholder that was not filled in: `$name`, `${name}` (in a preset, or
#: written with `$$`), and those of templates: `{}`, `{ name }`, `%s`, `%1$s`, `%(name)s`, `%name%`, `<name>`.
_VARIABLE: Final = re.compile(
    r"\$(?:[A-Za-z_]\w*|\{.*\})|\{[^{}]*\}|\{\{[^{}]*\}\}|%(?:[0-9]+\$)?[a-z]|%\([^()]*\)[a-z]|%\w+%|<[^<>]+>",
    re.IGNORECASE,
)

#: What is a placeholder wherever it stands: a name in braces, as in `x{status}`, `#{status}` and `${status}`.
_BRACED: Final = re.compile(r"\{\s*[A-Za-z_]\w*\s*\}")

_IPV4_EVERYWHERE: Final = ("", "0.0.0.0")
_IPV6_EVERYWHERE: Final = ("", "::")

#: Methods, and a path: what a route takes. Where it stands in the file: a block, and the index in it.
Reach = tuple[frozenset[str], str]


def check_field_path(path: str) -> str:
    """A path to a field, through objects only; `""` is the document itself."""
    steps = path.split(".") if path else []
    if "" in steps:
        raise ValueError(f"allowed: {_FIELD_ALLOWED}")
    if steps and steps[0] == "$":
        raise ValueError(f"allowed: {_FIELD_ALLOWED}; a path begins with a field, not with $")
    for step in steps:
        if _INDEX.fullmatch(step):
            raise ValueError(
                f"allowed: {_FIELD_ALLOWED}; a path cannot lead into an array, so a number, [] or * never matches"
            )
    return path


def check_named_field(path: str) -> str:
    """A path to a field that has a name: not the document itself."""
    if not path.strip():
        raise ValueError("allowed: the name of a field, or names joined by dots")
    return check_field_path(path)


def check_member(name: str) -> str:
    """The name of a member, which is looked for in several objects: no path."""
    if not name.strip() or "." in name:
        raise ValueError("allowed: the name of a field without dots; it is looked for in several places")
    return name


def check_word(text: str) -> str:
    """An event's name or a status word. It is compared whole, so that a `*` stands for nothing."""
    if "*" in text:
        raise ValueError("allowed: whole words; a * has no special meaning here, so write out each word, as a list")
    return text


def check_body(text: str) -> str:
    """How events are packed: `json`, or `form:MEMBER` for a form with the JSON in one member."""
    if text == "json" or (text.startswith(FORM) and text.removeprefix(FORM).strip()):
        return text
    raise ValueError("allowed: json, or form: and the name of the member that holds the JSON, such as form:jsonData")


def check_set_name(name: str) -> str:
    """A field of a channel that `set` writes: one of the channel itself, or one further in, with dots."""
    return check_field_path(name) if "." in name else name


def check_set_word(word: str) -> str:
    """A word of an event for which `set` has a value of its own; `*` alone stands for all others."""
    return word if word == OTHERWISE else check_word(word)


def check_set_value(value: object) -> None:
    """What `set` writes: nothing that looks like a variable which was not filled in. ValueError."""
    if isinstance(value, str) and (_VARIABLE.fullmatch(value.strip()) or _BRACED.search(value)):
        raise ValueError(
            "this would be written as it is, since it is not a variable; allowed: ${VAR}, or the word itself"
        )


def never_reached(routes: Sequence[Reach]) -> Iterator[tuple[int, int]]:
    """The routes that get no request, each with the earlier one that takes all of theirs: the first that fits wins."""
    for late, (methods, path) in enumerate(routes):
        for early, (taken, template) in enumerate(routes[:late]):
            if methods <= taken and covers(template, path):
                yield late, early
                break


def leads_back(target: Target, listen: Sequence[Address]) -> bool:
    """Whether what is forwarded to `target` comes back to this proxy: an address that it listens on itself.

    The name localhost stands for both 127.0.0.1 and ::1: which of them is tried first depends on the machine.
    """
    if target.unix is not None:
        return any(target.unix == address.unix for address in listen)
    return any(
        address.unix is None
        and address.port == target.port
        and any(_takes(mine, host) for mine in _meant(address.host) for host in _meant(target.host))
        for address in listen
    )


def _meant(host: str) -> tuple[str, ...]:
    return ("127.0.0.1", "::1") if host.casefold() == "localhost" else (host,)


def _takes(mine: str, host: str) -> bool:
    """Whether a listener at `mine` takes what is sent to `host`; names other than localhost are not looked up."""
    return (
        mine == host != ""
        or (host.startswith("127.") and mine in _IPV4_EVERYWHERE)
        or (host == "::1" and mine in _IPV6_EVERYWHERE)
    )
