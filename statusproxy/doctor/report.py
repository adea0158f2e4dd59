"""The findings for people and for programs: text by group with arrows to the fixes, or one JSON object."""

import json
import re
import shlex
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Final, Literal

import click

from statusproxy import __version__
from statusproxy.doctor.findings import GROUPS, Finding, Ids, Level, Lines, States, listed, worst
from statusproxy.doctor.words import en, pt_br
from statusproxy.observe.visible import delimited, visible

Language = Literal["en", "pt-BR"]

_LANGUAGES: Final[Mapping[str, ModuleType]] = {"en": en, "pt-BR": pt_br}
_COLOURS: Final = {Level.OK: "green", Level.NOTE: "cyan", Level.WARNING: "yellow", Level.PROBLEM: "red"}

#: Columns before a finding's words: two, and the longest name of a level, and two.
_MARGIN: Final = 2 + max(len(name) for module in _LANGUAGES.values() for name in module.LEVELS.values()) + 2

#: Columns of the report, and of its words where the terminal is narrower still.
WIDTH: Final = 110
_NARROWEST: Final = 40

#: Exit codes by the gravest finding.
EXIT_CODES: Final = {Level.OK: 0, Level.NOTE: 0, Level.WARNING: 1, Level.PROBLEM: 2}

#: A step among several: what follows its first line stands under its words.
_NUMBERED: Final = re.compile(r"\d\. ")

_HIDDEN: Final = "***"

#: Begins a line of a fix that goes into the configuration as it is. What others wrote cannot begin one: no control
#: character of theirs is shown.
_TO_PASTE: Final = "\x02"

#: Stands for a space in an id, at which no line may be broken. As above, text from elsewhere cannot contain it.
_SPACE: Final = "\x03"

#: Findings that report checks that could not be made, with the groups of these checks.
_UNCHECKED: Final[Mapping[str, Sequence[str]]] = {
    "configuration.missing": [group for group in GROUPS if group != "configuration"],
    "configuration.broken": [group for group in GROUPS if group != "configuration"],
    "proxy.not-running": ["proxy", "webhooks"],
    "proxy.admin-elsewhere": ["proxy", "webhooks"],
    "proxy.cannot-be-asked": ["proxy", "webhooks"],
    "proxy.does-not-tell": ["proxy", "webhooks"],
    "proxy.token-refused": ["proxy", "webhooks"],
    "gateway.tls-failed": ["channels"],
    "channels.not-checked": ["channels"],
    "channels.secret-wanted": ["channels"],
    "channels.secret-wrong": ["channels"],
    "channels.no-answer": ["channels"],
    "channels.empty": ["channels"],
    "channels.hangs": ["channels"],
    "webhooks.none-yet": ["webhooks"],
    "disk.not-seen": ["disk"],
}


#: What systemd cannot do to the proxy, by the finding that says why.
_NOT_BY_SYSTEMD: Final[Mapping[str, Sequence[str]]] = {
    "service.no-systemd": ("to_start", "to_restart", "to_reload"),
    "service.not-installed": ("to_restart", "to_reload"),
}


#: Facts that are the id of a session or a channel.
_NAMES: Final = frozenset({"session", "channel"})


class _Fact(str):
    """A fact as a sentence takes it up: `{count:webhook|webhooks}` is the first of the two where the count is one."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        one, divided, many = spec.partition("|")
        return (one if self == "1" else many) if divided else super().__format__(spec)


def words(
    finding: Finding, language: Language, secrets: Sequence[str] = (), others: Sequence[Finding] = ()
) -> tuple[str, str | None]:
    """A finding in words, and its fix. Of what came from elsewhere only printable characters show, and no secret.

    `others` are the findings of the same report: what they say of the service decides how the proxy is restarted.
    """
    text, fix = _LANGUAGES[language].WORDS[finding.code]
    facts = {
        name: _Fact(_clean(delimited(value) if name in _NAMES and isinstance(value, str) else value, secrets, language))
        for name, value in finding.facts.items()
    }
    return text.format_map(facts), None if fix is None else fix.format_map({**_commands(others, language), **facts})


def _commands(findings: Sequence[Finding], language: Language) -> dict[str, str]:
    """How the proxy is started, restarted and reloaded on the machine of these findings."""
    unable = {name for finding in findings for name in _NOT_BY_SYSTEMD.get(finding.code, ())}
    users = "--user " if any(finding.facts.get("user") == "--user " for finding in findings) else ""
    return {
        name: otherwise if name in unable else by_systemd.format(user=users)
        for name, (by_systemd, otherwise) in _LANGUAGES[language].COMMANDS.items()
    }


def as_text(
    findings: Sequence[Finding],
    language: Language,
    *,
    colours: bool = False,
    secrets: Sequence[str] = (),
    width: int = WIDTH,
) -> str:
    """The report for people, in lines of about `width` columns. Text that people copy is never broken."""
    said = _LANGUAGES[language]
    lines = [f"statusproxy doctor {__version__}"]
    for group in GROUPS:
        members = [finding for finding in findings if finding.group == group]
        if members:
            lines += ["", _style(said.GROUPS[group], colours, bold=True)]
        for finding in members:
            text, fix = words(finding, language, secrets, findings)
            level = _style(said.LEVELS[finding.level].ljust(_MARGIN - 4), colours, fg=_COLOURS[finding.level])
            lines += _wrapped(text, f"  {level}  ", " " * _MARGIN, width)
            for number, line in enumerate((fix or "").splitlines()):
                lead = "→ " if not number else "  "
                if line.startswith(_TO_PASTE):
                    lines.append(line.removeprefix(_TO_PASTE))
                else:
                    lines += _wrapped(line, " " * _MARGIN + lead, " " * (_MARGIN + 2), width)
    return "\n".join([*lines, "", summary(findings, language)])


def summary(findings: Sequence[Finding], language: Language) -> str:
    """The last line of the report. It never says more than was checked."""
    said = _LANGUAGES[language]
    counts = Counter(finding.level for finding in findings)
    missing = unchecked(findings)
    sentence = (said.SUMMARY_IN_PART if missing else said.SUMMARY)[worst(findings)]
    groups = ", ".join(said.GROUPS[group] for group in missing)
    return str(sentence.format(problems=counts[Level.PROBLEM], warnings=counts[Level.WARNING], unchecked=groups))


def unchecked(findings: Sequence[Finding]) -> list[str]:
    """The groups with checks that could not be made, in the order of the report."""
    missing = {group for finding in findings for group in _UNCHECKED.get(finding.code, ())}
    return [group for group in GROUPS if group in missing]


def as_json(findings: Sequence[Finding], language: Language, secrets: Sequence[str] = ()) -> str:
    """The report for programs: `status` is the gravest level; each finding has its code, words and facts."""

    def one(finding: Finding) -> dict[str, Any]:
        text, fix = words(finding, language, secrets, findings)
        return {
            "level": finding.level.value,
            "code": finding.code,
            "text": _whole(text),
            "fix": None if fix is None else _whole(fix).replace(_TO_PASTE, ""),
            "facts": {name: _plain(value, secrets) for name, value in finding.facts.items()},
        }

    document = {
        "status": worst(findings).value,
        "summary": summary(findings, language),
        "unchecked": unchecked(findings),
        "version": __version__,
        "language": language,
        "findings": [one(finding) for finding in sorted(findings, key=lambda each: GROUPS.index(each.group))],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _wrapped(text: str, first: str, other: str, width: int) -> list[str]:
    """`text` with `first` before its first line and `other` before the rest; its own indentation goes on."""
    indent = text[: len(text) - len(text.lstrip())]
    hang = "   " if _NUMBERED.match(text) else ""
    room = max(width - len(other) - len(indent) - len(hang), _NARROWEST)
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    lines = [_whole(line) for line in lines]
    return [f"{first}{indent}{lines[0].strip()}", *(f"{other}{indent}{hang}{line}" for line in lines[1:])]


def _whole(text: str) -> str:
    return text.replace(_SPACE, " ")


def _shell_word(text: str) -> str:
    """`text` as one word of a shell; with the escapes of bash and zsh (`$'…'`) where a character does not print."""
    if text.isprintable():
        return shlex.quote(text)
    return "$'" + visible(text.replace("\\", "\\\\").replace("'", "\\'")) + "'"


def _clean(value: object, secrets: Sequence[str], language: Language = "en") -> str:
    if isinstance(value, Lines):
        return "".join(f"\n{_TO_PASTE}{_clean(line, secrets)}" for line in value)
    if isinstance(value, Ids):
        return listed(_clean(_shell_word(each), secrets).replace(" ", _SPACE) for each in value)
    if isinstance(value, States):
        meanings = _LANGUAGES[language].MEANINGS
        return listed(_clean(word, secrets) + (f" ({meanings[means]})" if means else "") for word, means in value)
    # Line breaks are ours alone: in the lines to be added to a file.
    text = visible(str("–" if value is None else value))
    for secret in secrets:
        if secret:
            text = text.replace(secret, _HIDDEN)
    return text


def _plain(value: object, secrets: Sequence[str]) -> object:
    if isinstance(value, Lines):
        return [_clean(line, secrets) for line in value]
    if isinstance(value, Ids):
        return _clean(listed(value), secrets)
    if isinstance(value, States):
        return {_clean(word, secrets): means or None for word, means in value}
    return value if isinstance(value, int | float | None) else _clean(value, secrets)


def _style(text: str, colours: bool, **style: Any) -> str:
    return click.style(text, **style) if colours else text
