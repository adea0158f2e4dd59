"""The mark of a holder: read by others, and telling a dead process from a living one."""

import io
import subprocess
import sys

import pytest
from msgspec.structs import replace

from statusproxy.store import owner
from statusproxy.store.owner import Owner, boot_id


@pytest.fixture
def dead() -> Owner:
    """The mark of a process that has ended."""
    script = "import sys; from statusproxy.store.owner import Owner; sys.stdout.buffer.write(Owner.new().encode())"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    return Owner.decode(ran.stdout)


def test_a_mark_is_read_again() -> None:
    mine = Owner.new()
    assert Owner.decode(mine.encode()) == mine
    assert str(mine) == f"process {mine.pid} on {mine.host}"


def test_two_marks_of_one_process_differ() -> None:
    assert Owner.new() != Owner.new()


@pytest.mark.parametrize("text", [b"", b"\xff", b"worker-7", b"[]", b'{"pid": 1}', b'{"id": "x", "pid": "many"}'])
def test_what_is_no_mark_is_an_owner_that_cannot_be_known(text: bytes) -> None:
    stranger = Owner.decode(text)
    assert not stranger.is_gone()
    assert str(stranger) == repr(text)


def test_a_living_process_is_not_gone_and_gets_no_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr("os.kill", lambda *call: sent.append(call))
    mine = Owner.new()
    assert not mine.is_gone()
    assert sent == [(mine.pid, 0)]  # 0: it only asks


def test_a_process_of_another_user_is_not_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr("os.kill", refuse)
    assert not Owner.new().is_gone()


@pytest.mark.slow
def test_a_process_that_ended_is_gone(dead: Owner) -> None:
    assert dead.is_gone()


def test_a_later_process_with_the_same_number_is_another_one() -> None:
    assert replace(Owner.new(), started="1").is_gone()


def test_what_cannot_be_compared_is_not_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not replace(Owner.new(), started=None).is_gone()
    assert replace(Owner.new(), pid=1, started="x").is_gone()
    assert not replace(Owner.new(), pid=0, started="x").is_gone()
    mine = replace(Owner.new(), started="1")

    def refuse(path: str, *_: str, **__: str) -> object:
        if not path.endswith("boot_id"):
            raise OSError
        return open(path)

    monkeypatch.setattr(owner, "open", refuse, raising=False)
    assert not mine.is_gone()


def test_a_process_is_told_by_when_it_started_whatever_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = b" ".join(b"%d" % number for number in range(50))
    monkeypatch.setattr(owner, "open", lambda *_, **__: io.BytesIO(b"7 (a) (b) 9) " + fields), raising=False)
    monkeypatch.setattr(owner, "boot_id", lambda: "boot")
    assert Owner.new().started == "19"


@pytest.mark.parametrize("said", ["\n", None, b"\xff"])
def test_a_boot_that_has_no_name_is_not_known(said: str | bytes | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: str, encoding: str = "ascii") -> io.TextIOWrapper:
        if said is None:
            raise OSError
        return io.TextIOWrapper(io.BytesIO(said if isinstance(said, bytes) else said.encode()), encoding)

    monkeypatch.setattr(owner, "open", opened, raising=False)
    assert boot_id() is None


def test_of_what_is_no_mark_only_the_beginning_is_told() -> None:
    assert str(Owner.decode(b"x" * 81)) == repr(b"x" * 80)


@pytest.mark.slow
def test_nothing_is_known_of_a_process_elsewhere(dead: Owner) -> None:
    assert not replace(dead, place="another machine").is_gone()
    assert not replace(dead, place=None).is_gone()


@pytest.mark.slow
def test_without_proc_nothing_is_known(dead: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: str) -> str:
        raise OSError

    monkeypatch.setattr("os.readlink", refuse)
    assert Owner.new().place is None
    assert not dead.is_gone()


def test_a_boot_has_one_name_and_a_mark_tells_it() -> None:
    boot = boot_id()
    assert boot is not None
    assert boot == boot_id()
    assert (Owner.new().place or "").startswith(boot)
