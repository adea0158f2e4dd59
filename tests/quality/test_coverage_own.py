"""What a test file leaves open of its own source."""

from pathlib import Path

import pytest

from tests.quality import coverage_own
from tests.quality.coverage_own import Finding, examine, main
from tests.quality.toy import project

pytestmark = [pytest.mark.slow, pytest.mark.divisible]

SIGN = """
    def sign(number):
        if number < 0:
            return -1
        if number:
            number = 1
        return number
"""


def found(root: Path, name: str) -> str:
    return str(examine(Path(f"statusproxy/toy/{name}.py"), root))


def test_lines_and_branches_that_the_own_tests_never_take_are_told(tmp_path: Path) -> None:
    test = "from statusproxy.toy.sign import sign\ndef test_it(): assert sign(2) == 1\n"
    root = project(tmp_path, {"sign": SIGN}, {"sign": test})
    assert found(root, "sign") == "statusproxy/toy/sign.py: 4, 5->7"


def test_what_is_wholly_covered_and_what_holds_only_values_is_no_finding(tmp_path: Path) -> None:
    test = "from statusproxy.toy.sign import sign\ndef test_it(): assert [sign(n) for n in (-2, 0, 2)] == [-1, 0, 1]\n"
    root = project(tmp_path, {"sign": SIGN, "limits": "SECONDS = 5\n", "empty": ""}, {"sign": test})
    for name in ("sign", "limits", "empty"):
        assert found(root, name) == f"statusproxy/toy/{name}.py: fully covered"


def test_what_another_file_covers_does_not_count(tmp_path: Path) -> None:
    elsewhere = "from statusproxy.toy.sign import sign\ndef test_it(): sign(-2), sign(0), sign(2)\n"
    root = project(tmp_path, {"sign": SIGN, "other": SIGN}, {"other": elsewhere})
    assert found(root, "sign") == "statusproxy/toy/sign.py: no tests/toy/test_sign.py"
    assert found(root, "other") == "statusproxy/toy/other.py: tests/toy/test_other.py never imports it"


def test_tests_that_fail_cover_nothing(tmp_path: Path) -> None:
    root = project(tmp_path, {"sign": SIGN, "bad": "import nowhere\n"}, {"sign": "def test_it(): assert 0\n"})
    assert found(root, "sign").startswith("statusproxy/toy/sign.py: tests/toy/test_sign.py fails: 1 failed")
    assert found(root, "bad").endswith("bad.py: cannot be imported: ModuleNotFoundError: No module named 'nowhere'")


def test_tests_that_never_end_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage_own, "LIMIT", 0.01)
    root = project(tmp_path, {"sign": SIGN}, {"sign": "def test_it(): pass\n"})
    assert found(root, "sign") == "statusproxy/toy/sign.py: tests/toy/test_sign.py takes longer than 0 s"


def test_gaps_are_written_as_runs_of_lines_and_pairs() -> None:
    gaps = Finding(Path("a.py"), lines=(1, 2, 3, 7), branches=((9, 12), (14, -13)))
    assert (str(gaps), gaps.covered) == ("a.py: 1-3, 7, 9->12, 14->exit", False)


def test_the_command_names_gaps_and_counts_the_whole_files(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {"a": Finding(Path("a")), "b": Finding(Path("b"), lines=(3,))}
    monkeypatch.setattr(coverage_own, "sources", lambda room: ["a", "b"] if room == "status" else ["a"])
    monkeypatch.setattr(coverage_own, "examine", told.__getitem__)
    assert main(["--room", "status"]) == 1
    assert capsys.readouterr().out == "b: 3\n1 of 2 source files are fully covered by their own tests\n"
    assert main(["--workers", "1"]) == 0
    assert capsys.readouterr().out == "1 of 1 source files are fully covered by their own tests\n"
