"""Which test file belongs to which source file."""

from pathlib import Path

import pytest

from tests.quality.mirror import module, own_test, sources


@pytest.mark.parametrize(
    ("source", "test", "name"),
    [
        ("statusproxy/clock.py", "tests/test_clock.py", "statusproxy.clock"),
        ("statusproxy/proxy/http1/head.py", "tests/proxy/http1/test_head.py", "statusproxy.proxy.http1.head"),
        ("statusproxy/store/__init__.py", "tests/store/test_init.py", "statusproxy.store"),
        ("statusproxy/__main__.py", "tests/test_main.py", "statusproxy.__main__"),
    ],
)
def test_a_source_file_has_its_test_at_the_same_place(source: str, test: str, name: str) -> None:
    assert (str(own_test(Path(source))), module(Path(source))) == (test, name)


def test_a_room_is_a_folder_with_all_below_it_or_one_file(tmp_path: Path) -> None:
    for path in ("a/y.py", "a/b/x.py", "c.py", "a/no.txt"):
        (tmp_path / "statusproxy" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "statusproxy" / path).touch()

    def found(room: str) -> list[str]:
        return [str(path.relative_to("statusproxy")) for path in sources(room, tmp_path)]

    assert found("") == ["a/b/x.py", "a/y.py", "c.py"]
    assert found("a") == ["a/b/x.py", "a/y.py"]
    assert found("c.py") == ["c.py"]
    with pytest.raises(ValueError, match="statusproxy/nowhere holds no source file"):
        sources("nowhere", tmp_path)
