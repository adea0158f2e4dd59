"""What becomes of a mutant, however it has to be tried."""

import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.quality import mutation_worker
from tests.quality.mirror import ROOT
from tests.quality.mutation_worker import NOTICED, SURVIVED, Job
from tests.quality.mutations import mutations
from tests.quality.toy import project

pytestmark = [pytest.mark.slow, pytest.mark.divisible]


def fates(root: Path, text: str, test: str, patience: float = 20.0) -> dict[str, str]:
    """The fate of every mutant of a source file, by the change."""
    project(root, {"it": text}, {"it": test})
    source = "statusproxy/toy/it.py"
    numbers = [one.number for one in mutations((root / source).read_text())]
    (root / "work").mkdir()
    job = {"source": source, "module": "statusproxy.toy.it", "tests": ["tests/toy/test_it.py"], "numbers": numbers}
    done = subprocess.run(
        [sys.executable, "-m", "tests.quality.mutation_worker"],
        input=json.dumps({**job, "folder": str(root / "work"), "patience": patience}),
        cwd=root,
        env={"PYTHONPATH": f"{root}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    return {one["mutation"].split(": ", 2)[2]: one["fate"] for one in json.loads(done.stdout)}


def test_functions_methods_and_values_of_the_module_are_changed_alike(tmp_path: Path) -> None:
    text = """
        from functools import lru_cache
        LIMIT = 4
        class It:
            @property
            def large(self):
                return self.size > LIMIT
        @lru_cache
        def double(number):
            def inner():
                return number * 2
            return inner()
        TABLE = [double(1), double(2)]
        def never():
            return LIMIT
    """
    test = """
        from statusproxy.toy.it import LIMIT, TABLE, It, double
        def test_large():
            it = It()
            it.size = 4
            assert not it.large
            it.size = 5
            assert it.large
        def test_table():
            assert TABLE == [2, 4] and double(1) == 2
    """
    told = fates(tmp_path, text, test)
    assert told == {
        "4 -> 5": "noticed",
        "return self.size > LIMIT -> return None": "noticed",
        "self.size > LIMIT -> self.size >= LIMIT": "noticed",
        "return number * 2 -> return None": "noticed",
        "number * 2 -> number // 2": "noticed",
        "2 -> 3": "noticed",
        "return inner() -> return None": "noticed",
        "1 -> 2": "noticed",
        "return LIMIT -> return None": "unreached",
    }


def test_what_a_function_gave_at_import_is_looked_at_by_all_tests(tmp_path: Path) -> None:
    text = """
        def double(number):
            return number * 2
        TABLE = [double(3)]
    """
    test = """
        from statusproxy.toy.it import TABLE, double
        def test_nothing():
            assert double(0) == 0
        def test_table():
            assert TABLE == [6]
    """
    assert set(fates(tmp_path, text, test).values()) == {"noticed"}


def test_a_jump_that_is_merged_with_the_test_before_it_is_reached_with_that(tmp_path: Path) -> None:
    text = """
        def until(pieces, enough):
            got = []
            while len(got) < enough:
                piece = pieces.pop(0)
                if not piece:
                    break
                got.append(piece)
            return got
    """
    test = """
        from statusproxy.toy.it import until
        def test_until():
            assert until([1, 0, 2], 2) == [1]
    """
    assert fates(tmp_path, text, test)["break -> pass"] == "noticed"


def test_a_mutant_that_never_ends_is_noticed_by_its_time(tmp_path: Path) -> None:
    text = "def count(number, wait):\n    while number > 0:\n        wait()\n        number -= 1\n    return number\n"
    test = """
        import time
        from statusproxy.toy.it import count
        def test_it():
            assert count(3, lambda: time.sleep(0.01)) == 0
    """
    told = fates(tmp_path, text, test, 3)
    assert told["number -= 1 -> pass"] == "too slow"
    assert told["number > 0 -> number >= 0"] == "noticed"


def test_tests_that_fail_without_a_mutant_do_not_notice_one(tmp_path: Path) -> None:
    test = "from statusproxy.toy.it import f\ndef test_it(): f(); assert 0\ndef test_other(): f()\n"
    assert fates(tmp_path, "def f():\n    return [4]\n", test)["return [4] -> return None"] == "survived"


def test_what_was_tried_before_the_time_was_over_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "it.py"
    source.write_text("LIMIT = 4\ndef f():\n    return 1 + 2\n")
    numbers = [one.number for one in mutations(source.read_text())]
    within = {one.number: NOTICED for one in mutations(source.read_text()) if one.function is not None}
    survivor = within.popitem()[0]
    within.popitem()  # not begun
    not_found = within.popitem()[0]  # only importing it again can tell, and there is no time for that
    outcome = {**within, survivor: SURVIVED}, {not_found: ["test_it"]}
    monkeypatch.setattr(mutation_worker, "_within_functions", lambda *_: outcome)
    told = mutation_worker.run(Job(str(source), "it", ["test_it.py"], numbers, str(tmp_path), seconds=-1.0))
    assert [one.fate for one in told] == [NOTICED] * (len(numbers) - 4) + [SURVIVED]


def test_a_function_is_changed_though_all_that_lives_is_frozen(tmp_path: Path) -> None:
    path = str(tmp_path / "it.py")
    living: dict[str, Any] = {}
    exec(compile("def f():\n    return 1\n", path, "exec"), living)
    gc.freeze()
    try:
        assert mutation_worker._swap(compile("def f():\n    return 2\n", path, "exec"), ("f", 1))
        assert living["f"]() == 2
    finally:
        gc.unfreeze()
