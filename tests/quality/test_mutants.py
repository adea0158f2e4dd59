"""The sample, and what is told of it."""

from pathlib import Path

import pytest

from tests.quality import mutants
from tests.quality.mutants import Result, attempt, main, sample
from tests.quality.toy import project

SIGN = Path("statusproxy/toy/sign.py")
SOURCES = {"sign": "def sign(number):\n    return number < 0\n", "other": "A = 1\nB = 2\n"}


def test_a_seed_draws_the_same_mutants_again_and_zero_draws_all(tmp_path: Path) -> None:
    root = project(tmp_path, SOURCES, {})
    files = [SIGN, SIGN.with_name("other.py")]
    assert sample(files, 0, 1, root) == {SIGN: [0, 1, 2], files[1]: [0, 1]}
    drawn = [sample(files, 2, seed, root) for seed in range(20)]
    assert drawn == [sample(files, 2, seed, root) for seed in range(20)]
    assert {sum(map(len, one.values())) for one in drawn} == {2}
    assert len({str(one) for one in drawn}) > 1


@pytest.mark.slow
def test_without_tests_or_time_no_mutant_is_tried(tmp_path: Path) -> None:
    root = project(tmp_path, SOURCES, {"sign": "def test_it(): assert 0\n"})
    assert attempt(SIGN.with_name("other.py"), [0], 60, root).failure == "no tests/toy/test_other.py"
    assert attempt(SIGN, [0], 0.0, root) == Result(SIGN)


@pytest.mark.slow
def test_survivors_are_those_that_no_test_notices(tmp_path: Path) -> None:
    test = "from statusproxy.toy.sign import sign\ndef test_it(): assert sign(-2)\n"
    root = project(tmp_path, SOURCES, {"sign": test})
    result = attempt(SIGN, [0, 1, 2], 60, root)
    assert (result.failure, result.tried, result.noticed) == ("", 3, 1)
    assert result.survivors == ("2: comparison: number < 0 -> number <= 0 (survived)", "2: constant: 0 -> 1 (survived)")


@pytest.mark.slow
def test_what_survives_is_tried_against_the_tests_beside_where_that_is_asked_for(tmp_path: Path) -> None:
    test = "from statusproxy.toy.sign import sign\ndef test_it(): assert sign(-2)\n"
    beside = "from statusproxy.toy.sign import sign\ndef test_it(): assert not sign(0)\n"
    root = project(tmp_path, SOURCES, {"sign": test, "other": beside})
    result = attempt(SIGN, [0, 1, 2], 60, root, others=True)
    assert str(result) == f"{SIGN}: 3 of 3 noticed, 2 of them by other tests"
    assert attempt(SIGN, [0, 1, 2], 60, root).noticed == 1


@pytest.mark.slow
def test_tests_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    root = project(tmp_path, SOURCES, {"sign": "from nowhere import it\n"})
    assert "cannot be collected" in attempt(SIGN, [0], 60, root).failure


def test_the_command_tells_survivors_and_the_share(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = {"a": Result(Path("a"), 3, 1, 0, ("2: gone (survived)",)), "b": Result(Path("b"), 1)}
    monkeypatch.setattr(mutants, "sources", lambda room: [*results])
    monkeypatch.setattr(mutants, "sample", lambda files, size, seed: {name: [size, seed] for name in files})
    monkeypatch.setattr(mutants, "attempt", lambda source, numbers, seconds, others: results[source])
    assert main(["--workers", "1", "--share", "75"]) == 0
    told = capsys.readouterr().out
    assert "a: 2 of 3 noticed\n  2: gone (survived)\n" in told
    assert told.endswith("3 of 4 mutants noticed: 75.0 % (1 by the time they took)\n")
    assert main(["--share", "76"]) == 1
    results["b"] = Result(Path("b"), failure="no time left")
    assert main([]) == 1
    assert "b: no time left\n" in capsys.readouterr().out
    assert main(["--seconds", "0"]) == 1
    assert "a: no time left\n" in capsys.readouterr().out
