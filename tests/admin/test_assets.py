"""The status page's files: all there, in the package, under a strict policy, with nothing from elsewhere."""

import re
from importlib.resources import files

import pytest

from statusproxy.admin.assets import FILES, HEADERS, POLICY
from statusproxy.observe import silence
from statusproxy.status.model import Evidence
from statusproxy.status.session_state import SessionState
from tests.admin.harness import Admin

PAGE = files("statusproxy.admin") / "page"
SCRIPTS = [name for name in FILES.values() if name.endswith(".js")]


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
    english, portuguese = [(PAGE / name).read_text("utf-8") for name in ("english.js", "portuguese.js")]
    keys = re.compile(r"^ {2,4}\"?([\w-]+)\"?: ", re.MULTILINE)
    assert keys.findall(english) == keys.findall(portuguese)
    used = set(re.findall(r'data-say(?:-label)?="(\w+)"', (PAGE / "page.html").read_text("utf-8")))
    for script in SCRIPTS:
        used |= set(re.findall(r"\bwords\.(?!js\b)(\w+)", (PAGE / script).read_text("utf-8")))
    used |= set(re.findall(r'\badd\("(\w+)"', (PAGE / "details.js").read_text("utf-8")))
    assert used <= set(keys.findall(english))


@pytest.mark.parametrize("evidence", Evidence)
def test_what_showed_that_the_gateway_knows_has_words_in_both_languages(evidence: Evidence) -> None:
    for name in ("english.js", "portuguese.js"):
        text = (PAGE / name).read_text("utf-8")
        assert re.search(rf'\bcaughtUp: \{{[^}}]*\b{evidence}: "\w[^"]+"', text)


@pytest.mark.parametrize("state", SessionState)
def test_each_state_has_a_name_an_explanation_and_a_group_in_both_languages(state: SessionState) -> None:
    for name in ("english.js", "portuguese.js"):
        text = (PAGE / name).read_text("utf-8")
        for words in ("stateNames", "explained"):
            assert re.search(rf'\b{words}: \{{[^}}]*\b{state}: "\w[^"]+"', text)
    assert f'"{state}"' in (PAGE / "states.js").read_text("utf-8")


def test_the_page_judges_a_silence_as_the_proxy_does() -> None:
    text = (PAGE / "doctor.js").read_text("utf-8")
    for name in ("KNOWN_AFTER", "TIMES", "SHORTEST", "LONGEST"):
        assert f"const {name} = {getattr(silence, name):g};" in text


def test_evidence_without_words_is_shown_by_its_name_and_never_as_a_blank() -> None:
    assert "words.caughtUp[report.caught_up] ?? visible(report.caught_up)" in (PAGE / "details.js").read_text("utf-8")
