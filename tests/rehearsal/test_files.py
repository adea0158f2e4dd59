"""How files are read, and what is said of those that cannot be used."""

import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from statusproxy.rehearsal import files
from statusproxy.rehearsal.files import FileError, label, read


def test_a_file_is_read_and_a_dash_is_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "body.json"
    file.write_bytes(b"{}")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"[]")))
    assert (read(str(file)), read("-")) == (b"{}", b"[]")
    assert (label("a.json"), label("-")) == ("a.json", "standard input")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nothing.json", "nothing.json: cannot be read: No such file or directory"),
        (".", ".: cannot be read: Is a directory"),
        ("a\0b", "a\0b: cannot be read: embedded null byte"),
    ],
)
def test_what_cannot_be_read_is_one_line(name: str, says: str) -> None:
    with pytest.raises(FileError) as raised:
        read(name)
    assert str(raised.value) == says


def test_a_file_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 4)
    file = tmp_path / "body.json"
    file.write_bytes(b"1234")
    assert read(str(file)) == b"1234"
    file.write_bytes(b"12345")
    with pytest.raises(FileError, match="larger than 64 MiB; give a part of it"):
        read(str(file))


def test_an_empty_text_names_no_file() -> None:
    with pytest.raises(FileError) as raised:
        read("")
    assert str(raised.value) == "an empty text names no file; give a file's path, or - for standard input"
