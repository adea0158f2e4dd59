"""What the demonstration prints: one narrow line for each thing seen, and the verdict."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

import click

from statusproxy.demo.look import Look, Words
from statusproxy.observe.terminal import colours

Say = Callable[[str], None]
"""Where the lines go; they carry terminal styles, which `speak` leaves out where there is no terminal."""


def speak(line: str) -> None:
    """Print a line on standard output, with nothing in it that cannot be shown there."""
    encoding = sys.stdout.encoding or "ascii"
    click.echo(line.encode(encoding, "replace").decode(encoding), color=colours(sys.stdout, os.environ))


@dataclass
class Stage:
    """Prints the story and keeps the judgement: one narrow line for each thing seen."""

    say: Say
    held: bool = True
    checks: int = 0
    broken: int = 0
    scenes: int = 0

    def title(self, text: str) -> None:
        """Print the first line."""
        self.say(click.style(text, bold=True))

    def note(self, text: str) -> None:
        """Print a line that is no finding."""
        self.say(click.style(text, dim=True))

    def scene(self, text: str) -> None:
        """Begin a scene, with its number."""
        self.scenes += 1
        self.say("")
        self.say(click.style(f"{self.scenes}. {text}", bold=True))

    def check(self, text: str, *, held: bool) -> None:
        """Print what was checked, and count it."""
        self.checks += 1
        self.broken += not held
        self.held = self.held and held
        mark, colour = (_GOOD, "green") if held else (_BAD, "red")
        self.say(f"   {click.style(mark, fg=colour)} {text}")

    def compare(self, direct: Look, through: Look) -> None:
        """Two lists side by side; the words that differ stand out."""
        width = max(map(len, ("channel", *direct.words)))
        self.note(f"     {'channel':{width}}  {'gateway':13}  proxy")
        for session in dict.fromkeys((*direct.words, *through.words)):
            left, right = direct.words.get(session, "-"), through.words.get(session, "-")
            shown = right if left == right else click.style(right, fg="yellow", bold=True)
            self.say(f"     {session:{width}}  {left:13}  {shown}")

    def agree(self, direct: Look, through: Look) -> None:
        """Print two lists, and check that they are the same bytes."""
        self.compare(direct, through)
        self.check("the same bytes", held=direct.body == through.body)

    def show(self, words: Words, sessions: tuple[str, ...]) -> None:
        """A few channels on one line."""
        self.say("     " + " · ".join(f"{session}: {words.get(session, '-')}" for session in sessions))

    def verdict(self, seconds: float) -> None:
        """Print how it ended, after so many seconds."""
        self.say("")
        if self.held:
            text, colour = f"{_GOOD} all {self.checks} checks held", "green"
        else:
            text, colour = f"{_BAD} {self.broken} of {self.checks} checks failed", "red"
        self.say(click.style(f"{text} ({seconds:.1f} s)", fg=colour, bold=True))


def _marks() -> tuple[str, str]:
    """✓ and ✗, or plain words where the terminal cannot show them."""
    try:
        "✓✗".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return "ok  ", "FAIL"
    return "✓", "✗"


_GOOD, _BAD = _marks()
