"""One database in the place of another, whatever happens meanwhile."""

import errno
import os
import resource
from pathlib import Path

import pytest

from statusproxy.store.replace import (
    finish_replacement,
    keep_aside,
    keep_folder_aside,
    replace_database,
    unused_name,
)
from statusproxy.store.spool_files import spool_folder

from .crashing import killed_at_each_step
from .damaged import filled, readable
from .samples import NOW, a_body

STAMP = "20260115T190706Z"


def family(path: Path, word: str) -> None:
    for ending in ("", "-wal", "-shm"):
        Path(f"{path}{ending}").write_text(f"{word}{ending}")


def told(path: Path) -> list[str]:
    return [Path(f"{path}{ending}").read_text() for ending in ("", "-wal", "-shm")]


def test_what_is_set_aside_keeps_its_bytes_under_a_name_with_the_time(path: Path) -> None:
    family(path, "old")
    target = unused_name(path, "unreadable", NOW)
    keep_aside(path, target)
    assert target.name == f"state.db.unreadable-{STAMP}"
    assert told(target) == ["old", "old-wal", "old-shm"] == told(path)


def test_a_name_that_anything_has_is_not_given_again(path: Path) -> None:
    first = unused_name(path, "unreadable", NOW)
    Path(f"{first}-wal").touch()
    second = unused_name(path, "unreadable", NOW)
    second.touch()
    third = unused_name(path, "unreadable", NOW)
    assert [each.name for each in (second, third)] == [f"state.db.unreadable-{STAMP}.{n}" for n in (2, 3)]


def test_a_replacement_takes_the_place_without_the_log_of_what_stood_there(path: Path, tmp_path: Path) -> None:
    family(path, "old")
    ready = tmp_path / "ready"
    ready.write_text("new")
    aside = unused_name(path, "unreadable", NOW)
    replace_database(path, ready, aside)
    assert path.read_text() == "new"
    assert told(aside) == ["old", "old-wal", "old-shm"]
    assert sorted(path.parent.iterdir()) == sorted(
        [path, *(Path(f"{aside}{ending}") for ending in ("", "-wal", "-shm"))]
    )


def test_a_directory_in_its_place_is_set_aside_as_well(path: Path, tmp_path: Path) -> None:
    path.mkdir()
    (path / "something").touch()
    (tmp_path / "ready").write_text("new")
    aside = unused_name(path, "unreadable", NOW)
    replace_database(path, tmp_path / "ready", aside)
    assert path.read_text() == "new"
    assert (aside / "something").exists()


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EMLINK])
def test_without_hard_links_it_is_copied(path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    family(path, "old")
    target = unused_name(path, "unreadable", NOW)
    keep_aside(path, target)
    assert told(target) == ["old", "old-wal", "old-shm"]
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_name_taken_meanwhile_is_not_overwritten(path: Path) -> None:
    family(path, "old")
    target = path.with_name("taken")
    target.write_text("somebody's")
    with pytest.raises(FileExistsError):
        keep_aside(path, target)
    assert target.read_text() == "somebody's"


@pytest.mark.parametrize("links", [True, False])
def test_each_step_is_on_disk_before_the_next_and_no_file_is_left_open(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    steps: list[str] = []

    def noted(name: str) -> None:
        call = getattr(os, name)

        def note(*arguments: object) -> object:
            names = [Path(str(each)).name.removeprefix("state.db") for each in arguments]
            if name == "fsync":
                names = [Path(f"/proc/self/fd/{arguments[0]}").readlink().name.removeprefix("state.db")]
            steps.append(" ".join([name, *names]))
            if name == "link" and not links:
                raise OSError(errno.EPERM, "no links here")
            return call(*arguments)

        monkeypatch.setattr(os, name, note)

    path.write_text("old")
    (tmp_path / "ready").write_text("new")
    aside = path.with_name("aside")
    before = os.listdir("/proc/self/fd")
    for name in ("fsync", "link", "rename", "replace"):
        noted(name)
    replace_database(path, tmp_path / "ready", aside)
    folder = path.parent.name
    assert [step for step in steps if "-wal" not in step and "-shm" not in step] == [
        "fsync ready", "link  aside", *([] if links else ["fsync aside"]), f"fsync {folder}", "rename ready .next",
        f"fsync {folder}", f"fsync {folder}", "replace .next ", f"fsync {folder}",
    ]  # fmt: skip
    assert aside.read_text() == "old"
    assert os.listdir("/proc/self/fd") == before


def test_what_need_not_be_kept_is_replaced_and_an_unfinished_replacement_finished(path: Path, tmp_path: Path) -> None:
    family(path, "old")
    (tmp_path / "ready").write_text("new")
    replace_database(path, tmp_path / "ready", None)
    assert [file.read_text() for file in path.parent.iterdir()] == ["new"]
    Path(f"{path}.next").write_text("newer")
    Path(f"{path}-wal").write_text("a log")
    assert finish_replacement(path)
    assert [file.read_text() for file in path.parent.iterdir()] == ["newer"]


def test_an_error_that_is_not_about_links_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    path.write_text("old")
    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(OSError, match="no space"):
        keep_aside(path, path.with_name("aside"))
    assert not path.with_name("aside").exists()


@pytest.mark.parametrize("size", [100_000, 5_000])
def test_without_links_half_a_copy_does_not_stay_where_there_is_no_room(
    path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    path.write_bytes(bytes(10))
    Path(f"{path}-wal").write_bytes(bytes(size))
    monkeypatch.setattr(os, "link", no_links)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            keep_aside(path, path.with_name("aside"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(path.parent.glob("aside*"))


def test_where_nothing_was_begun_there_is_nothing_to_finish(path: Path) -> None:
    assert not finish_replacement(path)


@pytest.mark.slow
@pytest.mark.divisible
def test_killed_at_any_step_both_databases_are_whole_and_the_next_start_has_one_of_them(tmp_path: Path) -> None:
    imports = "from statusproxy.store.replace import replace_database"
    script = "replace_database(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))"
    path, ready, aside = (tmp_path / name for name in ("state.db", "ready", "aside"))

    def prepare() -> None:
        for file in tmp_path.iterdir():
            file.unlink()
        filled(path, ["old"])
        filled(ready, ["new"])

    prepare()
    steps = 0
    for _ in killed_at_each_step(imports, script, path, ready, aside):
        steps += 1
        finish_replacement(path)
        assert path.exists()
        now = readable(path).sessions
        assert now in ({"old"}, {"new"})
        if now == {"new"}:
            assert readable(aside).sessions == {"old"}
        else:
            assert readable(ready).sessions == {"new"}
        prepare()
    assert steps >= 4
    assert readable(path).sessions == {"new"}


# ---- the spool's directory beside it ----


def bodies(path: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in spool_folder(path).iterdir()}


def test_bodies_that_are_set_aside_have_two_names(path: Path) -> None:
    a_body(spool_folder(path), b"old", "a")
    (spool_folder(path) / "folder").mkdir()
    (spool_folder(path) / "link").symlink_to("a")
    aside = path.with_name("aside")
    keep_folder_aside(path, aside)
    assert bodies(aside) == {"a": "old"}
    assert (spool_folder(path) / "a").read_text() == "old"
    assert spool_folder(aside).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("there", [False, True])
def test_without_bodies_no_directory_is_set_aside(path: Path, there: bool) -> None:
    if there:
        spool_folder(path).mkdir()
    keep_folder_aside(path, path.with_name("aside"))
    assert not spool_folder(path.with_name("aside")).exists()


def test_bodies_take_the_place_of_the_old_ones_together_with_the_database(path: Path) -> None:
    ready, aside = path.with_name("ready"), path.with_name("aside")
    family(path, "old")
    a_body(spool_folder(path), b"old", "a")
    ready.write_text("new")
    a_body(spool_folder(ready), b"new", "b")
    replace_database(path, ready, aside, with_spool=True)
    assert (path.read_text(), bodies(path)) == ("new", {"b": "new"})
    assert (told(aside), bodies(aside)) == (["old", "old-wal", "old-shm"], {"a": "old"})


def test_the_names_of_bodies_are_on_disk_before_their_database_takes_its_place(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, aside = path.with_name("ready"), path.with_name("aside")
    path.write_text("old")
    a_body(spool_folder(path), b"old", "a")
    ready.write_text("new")
    a_body(spool_folder(ready), b"new", "b")
    steps: list[str] = []
    rename = os.rename

    def synced(handle: int) -> None:
        steps.append(f"fsync {Path(f'/proc/self/fd/{handle}').readlink().name}")

    def renamed(source: str | Path, target: str | Path) -> None:
        steps.append(f"rename {Path(source).name}")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    replace_database(path, ready, aside, with_spool=True)
    ready_at = steps.index("rename ready.spool")
    assert {"fsync aside.spool", "fsync ready.spool"} <= set(steps[:ready_at])
    assert ready_at < steps.index("rename ready")


def test_a_replacement_without_bodies_leaves_no_directory(path: Path) -> None:
    ready = path.with_name("ready")
    ready.write_text("new")
    spool_folder(ready).mkdir()
    a_body(spool_folder(path), b"old", "a")
    replace_database(path, ready, None, with_spool=True)
    assert [file.name for file in path.parent.iterdir()] == ["state.db"]


def test_bodies_of_a_replacement_that_never_was_ready_go(path: Path) -> None:
    path.write_text("old")
    a_body(spool_folder(path), b"old", "a")
    a_body(spool_folder(path.with_name("state.db.next")), b"new", "b")
    assert not finish_replacement(path)
    assert sorted(file.name for file in path.parent.iterdir()) == ["state.db", "state.db.spool"]
    assert bodies(path) == {"a": "old"}


def test_bodies_take_a_place_where_there_were_none(path: Path) -> None:
    ready = path.with_name("ready")
    ready.write_text("new")
    a_body(spool_folder(ready), b"new", "b")
    replace_database(path, ready, None, with_spool=True)
    assert (path.read_text(), bodies(path)) == ("new", {"b": "new"})
