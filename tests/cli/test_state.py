"""The commands about the stored state: state show, state acknowledge, backup, restore."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import Result

from statusproxy.demo.events import status_find
from statusproxy.demo.gateway import StandInGateway
from statusproxy.store.database import Database
from tests.cli.calling import asking, call, written
from tests.integration.stage import INBOUND, tell
from tests.ports import free_port
from tests.proxy.harness import Running, running
from tests.store.damaged import damage_page, filled, noise, readable
from tests.store.redis_server import RedisServer
from tests.store.samples import kept


@pytest.fixture
async def damaged(tmp_path: Path) -> AsyncIterator[Running]:
    """A proxy that started with a damaged state."""
    state = tmp_path / "state.db"
    filled(state)
    damage_page(state, 5, noise)
    admin = {"listen": f"127.0.0.1:{free_port()}"}
    async with (
        StandInGateway(sessions=("sales",)) as gateway,
        running(tmp_path, gateway.base_url, admin=admin, state={"url": f"sqlite:///{state}"}) as proxy,
    ):
        yield proxy


async def test_damage_is_shown_until_it_is_acknowledged(damaged: Running, tmp_path: Path) -> None:
    result = await asking(tmp_path, "state", "show")
    assert result.exit_code == 1
    assert "sessions and" in result.stdout
    assert len(json.loads((await asking(tmp_path, "state", "show", "--json")).stdout)["damage"]) == 1
    result = await asking(tmp_path, "state", "acknowledge")
    assert (result.exit_code, result.stdout) == (0, "1 acknowledged\n")
    assert json.loads((await asking(tmp_path, "state", "acknowledge", "--json")).stdout) == {"acknowledged": 0}
    result = await asking(tmp_path, "state", "acknowledge")
    assert (result.exit_code, result.stdout) == (0, "nothing to acknowledge: no damage is known\n")
    result = await asking(tmp_path, "state", "show")
    assert (result.exit_code, result.stdout) == (0, "The state can be written.\n")


@pytest.mark.slow
async def test_a_backup_of_a_running_proxy_can_be_started_from(damaged: Running, tmp_path: Path) -> None:
    await tell(damaged.url + INBOUND, status_find("Front Desk", "browserClose"))
    copy = tmp_path / "copy.db"
    result = await asking(tmp_path, "backup", str(copy))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{copy}: ")
    assert copy.stat().st_mode & 0o777 == 0o600
    result = await asking(tmp_path, "backup", str(copy))
    assert (result.exit_code, "--force" in result.stderr) == (1, True)
    assert (await asking(tmp_path, "backup", "--force", str(copy))).exit_code == 0
    assert "Front Desk" in readable(copy).sessions


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("memory:", "in memory only"),
        ("redis://:hunter2@127.0.0.1:9/3", "no connection: redis at 127.0.0.1:9/3, keys statusproxy:*: "),
        ("sqlite:///none.db", "there is no state in"),
    ],
)
def test_where_there_is_no_file_to_copy_a_backup_says_what_to_do(url: str, says: str, tmp_path: Path) -> None:
    file = written(tmp_path, f"gateway: http://127.0.0.1:9\nstate: {{url: '{url}'}}")
    result = call("backup", tmp_path / "copy.db", "-c", file, STATE_DIRECTORY=str(tmp_path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert says in result.stderr
    assert "hunter2" not in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "copy.db").exists()


def restored_by(folder: Path, *arguments: str | Path) -> Result:
    """Run `statusproxy restore` on the state in `folder`."""
    file = written(folder, f"gateway: http://127.0.0.1:9\nstate: {{url: 'sqlite:///{folder}/state.db'}}")
    return call("restore", *arguments, "-c", file)


def test_a_backup_is_restored_and_the_state_before_is_kept(tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    filled(copy, ["sales", "support"])
    folder = tmp_path / "state"
    folder.mkdir()
    result = restored_by(folder, copy)
    size = f"{copy.stat().st_size / 1024**2:.1f} MiB"
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{folder}/state.db: 2 sessions, 4 changes of the history ({size}), restored\n"
    assert set(readable(folder / "state.db").sessions) == {"sales", "support"}
    result = restored_by(folder, copy)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"nothing was restored: there is already a state in {folder}/state.db; to replace it, use --force: "
        "the old one is kept beside it\n"
    )
    result = restored_by(folder, copy, "--force")
    assert (result.exit_code, result.stdout.splitlines()[1].rpartition("-")[0]) == (
        0, f"the state before is kept as {folder}/state.db.before-restore",
    )  # fmt: skip


def test_the_events_of_a_backup_are_told_and_can_be_left_out(tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    database, _ = Database.open(copy, 0)
    database.write({}, [], {"a": kept("a")})
    database.close()
    assert "0 sessions, 0 changes of the history, 1 event of the spool (" in restored_by(tmp_path, copy).stdout
    assert "of the spool" not in restored_by(tmp_path, copy, "--force", "--no-spool").stdout
    backup = call("backup", tmp_path / "other.db", "-c", tmp_path / "config.yaml")
    assert (backup.exit_code, "of the spool" in backup.stdout) == (0, False)


def test_backup_and_restore_say_as_json_what_there_is_and_where(tmp_path: Path) -> None:
    copy, other = tmp_path / "copy.db", tmp_path / "other.db"
    filled(copy, ["sales", "support"])
    counts = {"sessions": 2, "changes": 4, "spooled": 0}
    folder = tmp_path / "state"
    folder.mkdir()
    done = json.loads(restored_by(folder, copy, "--json").stdout)
    assert done.pop("bytes") > 10_000
    assert done == {"state": f"{folder}/state.db", **counts, "kept": None}
    done = json.loads(restored_by(folder, copy, "--force", "--json").stdout)
    assert Path(done["kept"]).is_file()
    done = json.loads(call("backup", other, "-c", folder / "config.yaml", "--json").stdout)
    assert done == {"file": str(other), **counts, "bytes": other.stat().st_size}
    again = call("backup", other, "-c", folder / "config.yaml", "--json")
    assert (again.exit_code, again.stdout, "--force" in again.stderr) == (1, "", True)


@pytest.mark.parametrize("url", ["memory:", "redis://:hunter2@127.0.0.1:9/3"])
def test_where_no_state_lasts_or_no_server_is_there_nothing_is_restored(url: str, tmp_path: Path) -> None:
    filled(tmp_path / "copy.db", ["sales"])
    file = written(tmp_path, f"gateway: http://127.0.0.1:9\nstate: {{url: '{url}'}}")
    result = call("restore", tmp_path / "copy.db", "-c", file)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("nothing was restored: ")
    assert ("in memory only" in result.stderr, "no connection" in result.stderr) == (url == "memory:", url != "memory:")
    assert "hunter2" not in result.stderr


def test_a_state_on_a_server_is_backed_up_and_restored(redis_server: RedisServer, tmp_path: Path) -> None:
    filled(tmp_path / "copy.db", ["sales", "support"])
    url = f"redis://127.0.0.1:{redis_server.port}/9"
    file = written(tmp_path, f"gateway: http://127.0.0.1:9\nstate: {{url: '{url}', journal: null}}")
    place = f"redis at 127.0.0.1:{redis_server.port}/9, keys statusproxy:*"
    told = [call("restore", tmp_path / "copy.db", "-c", file, *force).stdout for force in ([], [], ["--force"])]
    assert told[0].startswith(f"{place}: 2 sessions, 4 changes of the history (")
    assert told[1] == ""
    assert told[2].splitlines()[1].startswith("the state before is kept as statusproxy:before-restore-")
    result = call("backup", tmp_path / "other.db", "-c", file)
    assert result.stdout.startswith(f"{tmp_path}/other.db: 2 sessions, 4 changes of the history (")
    with redis_server.client(db=9) as client:
        client.flushdb()
