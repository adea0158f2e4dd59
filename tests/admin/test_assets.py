"""The status page's files: all there, in the package, under a strict policy, with nothing from elsewhere."""

import re
from importlib.resources import files

import pytest

from statusproxy.admin.assets import FILES, HEADERS, POLICY
from statusproxy.status.model import Evidence
from tests.admin.harness import Admin

PAGE = files("statusproxy.admin") / "page"


@pytest.mark.parametrize(("path", "name"), FILES.items())
async def test_each_file_is_served_as_it_is_under_the_policy(admin: Admin, path: str, name: str) -> None:
    answer = await admin.ask(path)
    assert answer.status == 200
    assert answer.body == (PAGE / name).read_bytes()
    assert answer.get("Content-Security-Policy") == POLICY.encode()
    assert {name: answer.all(name) for name in HEADERS} == {name: [value.encode()] for name, value in HEADERS.items()}


async def test_no_answer_changes_the_fields_of_the_next(admin: Admin) -> None:
    first, second = [await admin.ask("/") for _ in range(2)]
    assert {name for name, _ in first.headers} == {name for name, _ in second.headers}
    assert not hasattr(HEADERS, "add")


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", b"text/html"),
        ("/page.css", b"text/css"),
        ("/page.js", b"text/javascript"),
        ("/icon.svg", b"image/svg+xml"),
    ],
)
async def test_each_file_has_its_type(admin: Admin, path: str, content_type: bytes) -> None:
    assert (await admin.ask(path)).get("Content-Type") == content_type + b"; charset=utf-8"


def test_no_file_lies_there_unserved() -> None:
    assert {entry.name for entry in PAGE.iterdir()} == set(FILES.values())


@pytest.mark.parametrize("name", sorted(FILES.values()))
def test_nothing_comes_from_another_host(name: str) -> None:
    text = (PAGE / name).read_text("utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "://" not in text


def test_the_page_holds_no_script_and_no_style_in_line() -> None:
    page = (PAGE / "page.html").read_text("utf-8")
    assert not re.search(r"\son\w+=|\sstyle=|<style|<script(?![^>]* src=)", page)


@pytest.mark.parametrize("name", [name for name in FILES.values() if name.endswith(".js")])
def test_no_script_reads_text_as_markup_or_as_program(name: str) -> None:
    text = (PAGE / name).read_text("utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|DOMParser", text)


@pytest.mark.parametrize("rule", ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"])
def test_the_policy_forbids_all_but_what_is_needed(rule: str) -> None:
    assert rule in POLICY
    assert "unsafe" not in POLICY


def test_every_word_of_the_page_is_there_in_both_languages() -> None:
    text = (PAGE / "words.js").read_text("utf-8")
    english, portuguese = text.split("const portuguese = {")
    keys = re.compile(r"^ {2,4}\"?([\w-]+)\"?: ", re.MULTILINE)
    assert keys.findall(english) == keys.findall(portuguese)
    used = set(re.findall(r'data-say(?:-label)?="(\w+)"', (PAGE / "page.html").read_text("utf-8")))
    for name in ("page.js", "timeline.js", "moments.js", "gateway.js"):
        used |= set(re.findall(r"\bwords\.(?!js\b)(\w+)", (PAGE / name).read_text("utf-8")))
    assert used <= set(keys.findall(english))


@pytest.mark.parametrize("evidence", Evidence)
def test_what_showed_that_the_gateway_knows_has_words_in_both_languages(evidence: Evidence) -> None:
    text = (PAGE / "words.js").read_text("utf-8")
    assert len(re.findall(rf'\bcaughtUp: \{{[^}}]*\b{evidence}: "\w[^"]+"', text)) == 2


def test_evidence_without_words_is_shown_by_its_name_and_never_as_a_blank() -> None:
    assert "words.caughtUp[report.caught_up] ?? visible(report.caught_up)" in (PAGE / "page.js").read_text("utf-8")
