"""What the recording makes of a run; that it shows a real one is tested by `tests/demo/test_story.py`."""

import re
from xml.etree import ElementTree

import click

from tests.illustrations.recording import FILE, recording

SVG = "{http://www.w3.org/2000/svg}"


def shown(picture: str) -> list[str]:
    """The lines of a recording."""
    return ["".join(text.itertext()) for text in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def test_what_differs_from_run_to_run_is_settled_and_all_else_is_told() -> None:
    run = [
        click.style("gateway http://127.0.0.1:40001 · proxy http://127.0.0.1:40002", dim=True),
        "",
        "1. A scene <of two>",
        f"   {click.style('✓', fg='green')} looked 12 times meanwhile: nothing changed",
        click.style("✓ all 22 checks held (12.3 s)", fg="green", bold=True),
    ]
    again = [line.replace("40001", "51").replace("looked 12", "looked 3").replace("12.3", "4.5") for line in run]
    assert recording(again) == recording(run)
    assert shown(recording(run)) == [
        "$ make demo",
        "gateway http://127.0.0.1:3000 · proxy http://127.0.0.1:8090",
        "1. A scene <of two>",
        "   ✓ looked 7 times meanwhile: nothing changed",
        "✓ all 22 checks held (5.1 s)",
    ]
    assert '<tspan class="g">✓</tspan> looked' in recording(run)
    assert '<tspan class="g b">✓ all' in recording(run)


def test_each_line_has_its_moment_and_a_long_run_is_scrolled() -> None:
    text = recording([f"line {number}" for number in range(40)])
    moves = dict(re.findall(r"@keyframes (\w)\{((?:[\d.]+%\{[^}]*\})*)\}", text))
    moments = [float(share) for share in re.findall(r"([\d.]+)%", moves["c"])]
    assert moments == sorted(set(moments))
    assert len(moments) == 39, "the first three lines are there at once"
    assert moves["c"].endswith("{transform:translateY(0px)}")
    assert moves["s"].endswith("{transform:translateY(-400px)}")
    assert ".s{transform:translateY(-400px);" in text, "what does not move shows the end"
    assert "prefers-reduced-motion" in text


def test_the_recording_loads_nothing() -> None:
    assert re.findall(r"(?:href|src)=|@import|url\(", FILE.read_text()) == []
