"""The man page statusproxy(1), made of the commands of the command line: their help, options and arguments.

`.venv/bin/python -m tests.man` writes it again; `tests/test_man.py` fails while it is out of date.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from statusproxy.cli.commands import main

PAGE: Final = Path(__file__).parent.parent / "statusproxy" / "cli" / "statusproxy.1"

_TAIL: Final = r""".SH EXIT STATUS
0 on success, 1 on failure, 2 if the options or the configuration cannot be used.
Some commands have other codes; their sections list them.
With \fB\-\-json\fR standard output has only complete JSON documents. Errors are text on standard error.
.SH ENVIRONMENT
.TP
\fBSTATUSPROXY_CONFIG\fR
The configuration file, as \fB\-\-config\fR.
.TP
\fBSTATUSPROXY_ADMIN\fR
The address of the admin listener, as \fB\-\-admin\fR.
.TP
\fBNO_COLOR\fR
If it is set and not empty, reports have no colours.
.SH FILES
.TP
\fI/etc/statusproxy/config.yaml\fR
The configuration of the service.
.TP
\fI/etc/statusproxy/secrets/\fR
A file for each secret of the service.
.TP
\fI/var/lib/statusproxy/\fR
The stored state of the service.
.SH SEE ALSO
.BR systemctl (1),
.BR journalctl (1)
"""


def page() -> str:
    """The page, in the macros of man(7)."""
    context = click.Context(main, info_name="statusproxy", **main.context_settings)
    first, _, rest = (main.help or "").partition("\n\n")
    lines = [
        '.TH STATUSPROXY 1 "" "statusproxy" "User Commands"',
        ".SH NAME",
        rf"statusproxy \- {_text(first).rstrip('.')}",
        ".SH SYNOPSIS",
        r".B statusproxy",
        r"\fICOMMAND\fR [\fIOPTION\fR]... [\fIARGUMENT\fR]...",
        ".SH DESCRIPTION",
        *_paragraphs(rest),
        ".SH OPTIONS",
        *_options(main, context),
        ".SH COMMANDS",
        *_commands(main, context),
    ]
    return "\n".join(lines) + "\n" + _TAIL


def _commands(group: click.Group, above: click.Context) -> Iterator[str]:
    for name in group.list_commands(above):
        command = group.get_command(above, name)
        if command is None or command.hidden:
            continue
        context = click.Context(command, info_name=name, parent=above)
        if isinstance(command, click.Group):
            yield from _commands(command, context)
            continue
        usage = " ".join(command.collect_usage_pieces(context))
        yield rf".SS {_text(context.command_path.removeprefix('statusproxy '))} {_text(usage)}"
        yield from _paragraphs(command.help or "")
        yield from _options(command, context)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            yield ".TP"
            yield rf"\fB{_text(record[0])}\fR"
            yield _text(record[1])


def _paragraphs(text: str) -> Iterator[str]:
    r"""A command's help: paragraphs, of which those after `\b` stand as they are."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", inspect.cleandoc(text))):
        if number:
            yield ".PP"
        if paragraph.startswith("\b"):
            yield ".nf"
            yield from map(_text, paragraph.removeprefix("\b").strip("\n").split("\n"))
            yield ".fi"
        else:
            yield _text(" ".join(paragraph.split()))


def _text(text: str) -> str:
    """Text in which nothing is a command of groff."""
    text = text.replace("\\", r"\e").replace("-", r"\-").replace("…", "...").replace("·", r"\(bu")
    return rf"\&{text}" if text.startswith((".", "'")) else text


if __name__ == "__main__":
    PAGE.write_text(page())
