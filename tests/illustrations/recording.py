"""A recording of the demonstration as an animated SVG, made from a real run.

The lines are those that the run printed. Only what differs from run to run is replaced: ports, seconds, and how often
the story looked meanwhile. The lines come at a reader's pace, for the run itself is over in seconds.
"""

import asyncio
import re
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final
from xml.sax.saxutils import escape

import click

from statusproxy.demo.story import play
from tests.illustrations import FOLDER

FILE: Final = FOLDER / "demo.svg"

_COMMAND: Final = "$ make demo"

#: What differs from run to run, and what is shown instead.
_DIFFERING: Final = (
    (re.compile(r"(gateway http://127\.0\.0\.1):\d+"), r"\1:3000"),
    (re.compile(r"(proxy http://127\.0\.0\.1):\d+"), r"\1:8090"),
    (re.compile(r"looked \d+ times"), "looked 7 times"),
    (re.compile(r"\(\d+\.\d s\)"), "(5.1 s)"),
)

#: Pixels: a line's height, and what is around the lines.
_LINE, _TOP, _LEFT, _WIDTH = 20, 46, 20, 640
#: Lines that the window shows.
_ROWS: Final = 21

#: Lines that are there from the beginning.
_BEGUN: Final = 3

#: Seconds: for a line, more before a scene, and for the end.
_PACE, _PAUSE, _END = 0.26, 0.9, 8.0

_STYLED: Final = re.compile(r"\x1b\[([\d;]*)m")
_CLASSES: Final = {"1": "b", "2": "d", "31": "r", "32": "g", "33": "y"}


def run() -> list[str]:
    """What the demonstration prints, with its terminal styles."""
    lines: list[str] = []
    if not asyncio.run(play(say=lines.append)):
        raise SystemExit("the demonstration failed:\n" + "\n".join(map(click.unstyle, lines)))
    return lines


def recording(lines: Iterable[str]) -> str:
    """The lines of a run as an animated SVG."""
    shown = [_COMMAND, *map(_settled, lines)]
    height = _TOP + _ROWS * _LINE + 14
    return "\n".join(
        (
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}"'
                f' height="{height}" role="img" aria-labelledby="title">'
            ),
            (
                '<title id="title">A recording of "make demo": a phone is unlinked, the gateway goes on saying'
                " connected, and the proxy says disconnected</title>"
            ),
            f"<style>{_style(shown)}</style>",
            f'<rect class="w" width="{_WIDTH}" height="{height}" rx="10"/>',
            (
                '<circle cx="22" cy="20" r="6" fill="#ff5f57"/><circle cx="42" cy="20" r="6" fill="#febc2e"/>'
                '<circle cx="62" cy="20" r="6" fill="#28c840"/>'
            ),
            f'<svg y="{_TOP - 14}" width="{_WIDTH}" height="{_ROWS * _LINE + 6}"><g class="s">',
            *(
                f'<text x="{_LEFT}" y="{14 + number * _LINE}">{_spans(line)}</text>'
                for number, line in enumerate(shown)
                if line
            ),
            f'<rect class="w c" y="{len(shown) * _LINE}" width="{_WIDTH}" height="{len(shown) * _LINE}"/>',
            "</g></svg>",
            "</svg>\n",
        )
    )


def _settled(line: str) -> str:
    for differing, shown in _DIFFERING:
        line = differing.sub(shown, line)
    return line


def _spans(line: str) -> str:
    """A line's text, styled as its escape sequences say."""

    def parts() -> Iterator[str]:
        styles: list[str] = []
        for number, part in enumerate(_STYLED.split(line)):
            if number % 2:
                styles = [] if part in ("", "0") else [*styles, *(_CLASSES[code] for code in part.split(";"))]
            elif part and styles:
                yield f'<tspan class="{" ".join(styles)}">{escape(part)}</tspan>'
            else:
                yield escape(part)

    return "".join(parts())


def _style(lines: list[str]) -> str:
    """Colours, and the two movements: a cover that goes down line by line, and all of it that goes up."""
    scenes = [bool(re.match(r"\d+\. ", click.unstyle(line))) for line in lines]
    moments = list(accumulate(_PACE + _PAUSE * scene for scene in scenes[_BEGUN:]))
    whole = moments[-1] + _END
    cover, scroll = [f"0%{{transform:translateY({(_BEGUN - len(lines)) * _LINE}px)}}"], ["0%{transform:translateY(0)}"]
    for number, at in enumerate(moments, _BEGUN + 1):
        share = f"{100 * at / whole:.2f}%"
        cover.append(f"{share}{{transform:translateY({(number - len(lines)) * _LINE}px)}}")
        if number > _ROWS:
            scroll.append(f"{share}{{transform:translateY({(_ROWS - number) * _LINE}px)}}")
    end = f"transform:translateY({(_ROWS - len(lines)) * _LINE}px)"
    return (
        "text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#e6edf3;"
        "white-space:pre}.b{font-weight:700}.d{fill:#9198a1}.r{fill:#ff7b72}.g{fill:#3fb950}.y{fill:#e3b341}"
        f".w{{fill:#161b22}}.s{{{end};animation:s {whole:.1f}s step-end infinite}}"
        f".c{{animation:c {whole:.1f}s step-end infinite}}"
        "@media (prefers-reduced-motion:reduce){.s,.c{animation:none}}"
        f"@keyframes s{{{''.join(scroll)}}}@keyframes c{{{''.join(cover)}}}"
    )


def write() -> None:
    """Run the demonstration, and write its recording."""
    FILE.write_text(recording(run()), encoding="utf-8")
