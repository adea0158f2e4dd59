"""What install.sh learns from a configuration and a state file."""

import importlib.util
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from statusproxy.config.load import loads
from tests.store.crashing import killed_at_each_step
from tests.systemd.script import script


@pytest.fixture(scope="module")
def inquire() -> ModuleType:
    return script("inquire")


@pytest.mark.parametrize(
    ("listen", "streams"),
    [
        ("127.0.0.1:8090", ["127.0.0.1:8090"]),
        ("'[::1]:8090'", ["[::1]:8090"]),
        ("':8090'", ["8090"]),
        ("localhost:8090", ["127.0.0.1:8090"]),
        ("unix:/run/statusproxy.sock", ["/run/statusproxy.sock"]),
        ("[172.17.0.1:8090, 10.0.0.1:8090]", ["172.17.0.1:8090", "10.0.0.1:8090"]),
    ],
)
def test_systemd_listens_where_the_configuration_says(inquire: ModuleType, listen: str, streams: list[str]) -> None:
    settings = loads(f"gateway: http://127.0.0.1:3000\nlisten: {listen}\n")
    lines = inquire.listen(settings).splitlines()
    assert [line.removeprefix("ListenStream=") for line in lines[2:]] == ["", *streams]


def test_systemd_gives_the_socket_the_mode_that_the_configuration_says(inquire: ModuleType) -> None:
    settings = loads("gateway: http://127.0.0.1:3000\nlisten: unix:/run/a.sock\nlisten_mode: 0660\n")
    assert inquire.listen(settings).splitlines()[2:] == ["ListenStream=", "ListenStream=/run/a.sock", "SocketMode=0660"]


def test_a_hosts_name_is_left_to_the_service(inquire: ModuleType) -> None:
    settings = loads("gateway: http://127.0.0.1:3000\nlisten: proxy.example:8090\n")
    assert "ListenStream" not in inquire.listen(settings)


def test_each_address_is_named_with_its_key(inquire: ModuleType) -> None:
    listen = "listen: [127.0.0.1:8090, unix:/run/a.sock]"
    settings = loads(f"gateway: http://127.0.0.1:3000\n{listen}\nadmin: {{listen: '[::1]:9000'}}\n")
    assert inquire.ports(settings).splitlines() == [
        "listen 127.0.0.1:8090",
        "listen unix:/run/a.sock",
        "admin.listen [::1]:9000",
    ]
    assert inquire.ports(loads("gateway: http://127.0.0.1:3000\nlisten: 127.0.0.1:0\nadmin: null\n")) == ""


def test_every_package_that_the_configuration_needs_and_that_is_missing_is_asked_for(
    inquire: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "gateway: http://127.0.0.1:3000\nstate: {url: 'redis://redis.example/0'}\n"
        "webhooks: [{path: /a, jwt: {secret: planted}}]\nalerts: {to: [{apprise: 'ntfy://ntfy.example/x'}]}\n"
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    inquire.main("packages", str(file))
    assert capsys.readouterr().out.splitlines() == ["hiredis>=3.5", "redis<9,>=8.1", "pyjwt>=2.15.1", "apprise>=2.3"]


def test_several_questions_are_answered_at_once(
    inquire: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("gateway: http://127.0.0.1:3000\nlisten: [0.0.0.0:8090, 127.0.0.1:8092]\n")
    inquire.main("packages,ports,reachable", str(file))
    assert capsys.readouterr().out.splitlines() == [
        "ports: listen 0.0.0.0:8090",
        "ports: listen 127.0.0.1:8092",
        "ports: admin.listen 127.0.0.1:8091",
        "reachable: 0.0.0.0:8090",
    ]
    inquire.main("listen,state", str(file), "/var/lib/x")
    assert capsys.readouterr().out.splitlines() == [
        "listen: # Written by install.sh from `listen` in config.yaml.",
        "listen: [Socket]",
        "listen: ListenStream=",
        "listen: ListenStream=0.0.0.0:8090",
        "listen: ListenStream=127.0.0.1:8092",
        "state: /var/lib/x/state.db",
    ]


@pytest.mark.parametrize(
    ("listen", "reachable"),
    [
        ("0.0.0.0:8090", "0.0.0.0:8090"),
        (":8090", ":8090"),
        ("[::]:8090", "[::]:8090"),
        ("8.8.8.8:8090", "8.8.8.8:8090"),
        ("proxy.example:8090", "proxy.example:8090"),
        ("127.0.0.1:8090", ""),
        ("localhost:8090", ""),
        ("[::1]:8090", ""),
        ("172.17.0.1:8090", ""),
        ("unix:/run/a.sock", ""),
    ],
)
def test_a_listener_that_more_than_private_networks_reach_is_told(
    inquire: ModuleType, listen: str, reachable: str
) -> None:
    settings = loads(f"gateway: http://127.0.0.1:3000\nlisten: '{listen}'\n")
    assert inquire.reachable(settings) == reachable


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///state.db", "/var/lib/private/statusproxy/state.db"),
        ("sqlite:////srv/state.db", "/srv/state.db"),
        ("memory:", ""),
    ],
)
def test_the_state_is_found_where_the_service_keeps_it(inquire: ModuleType, url: str, path: str) -> None:
    settings = loads(f"gateway: http://127.0.0.1:3000\nstate: {{url: '{url}'}}\n")
    assert inquire.state(settings, "/var/lib/private/statusproxy") == path


def database(path: Path, schema: int, word: str) -> str:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE IF NOT EXISTS said (word)")
        connection.execute("INSERT INTO said VALUES (?)", (word,))
        connection.execute(f"PRAGMA user_version = {schema}")
    return str(path)


def words(path: str) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT word FROM said")]


def test_a_snapshot_is_whole_while_the_state_is_in_use(inquire: ModuleType, tmp_path: Path) -> None:
    source = database(tmp_path / "state.db", 1, "before")
    with closing(sqlite3.connect(source, isolation_level=None)) as user:
        user.execute("INSERT INTO said VALUES ('in the journal only')")
        inquire.snapshot(source, str(tmp_path / "copy.db"))
    assert words(str(tmp_path / "copy.db")) == ["before", "in the journal only"]
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600


def test_a_snapshot_that_is_cut_off_is_not_taken_for_a_whole_one(
    inquire: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, copy = database(tmp_path / "state.db", 1, "before"), tmp_path / "copy.db"
    inquire.snapshot(source, str(copy))
    whole = copy.read_bytes()

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(inquire, "sync_file", cut_off)
    with pytest.raises(KeyboardInterrupt):
        inquire.snapshot(source, str(copy))
    assert copy.read_bytes() == whole


def test_looking_for_the_schema_of_a_state_that_is_not_there_makes_none(inquire: ModuleType, tmp_path: Path) -> None:
    assert inquire.schema(str(tmp_path / "state.db")) == 0
    assert list(tmp_path.iterdir()) == []


def kept(live: str) -> list[Path]:
    """What was set aside, the databases only."""
    files = Path(live).parent.glob("state.db.newer-*")
    return sorted(file for file in files if not file.name.endswith(("-wal", "-shm")))


def test_a_restored_state_is_the_copys_and_the_newer_one_is_set_aside(inquire: ModuleType, tmp_path: Path) -> None:
    live = database(tmp_path / "state.db", 1, "before")
    inquire.snapshot(live, str(tmp_path / "copy.db"))
    database(tmp_path / "state.db", 2, "by the newer version")
    assert inquire.schema(live) == 2
    inquire.restore(str(tmp_path / "copy.db"), live)
    assert inquire.schema(live) == 1
    assert words(live) == ["before"]
    assert [words(str(file)) for file in kept(live)] == [["before", "by the newer version"]]
    assert Path(live).stat().st_mode & 0o777 == 0o600


def test_restoring_again_overwrites_nothing_that_was_set_aside_before(inquire: ModuleType, tmp_path: Path) -> None:
    live = database(tmp_path / "state.db", 1, "before")
    inquire.snapshot(live, str(tmp_path / "copy.db"))
    for word in ("first", "second", "third"):
        database(tmp_path / "state.db", 2, word)
        inquire.restore(str(tmp_path / "copy.db"), live)
    assert sorted(words(str(file))[-1] for file in kept(live)) == ["first", "second", "third"]


def crashed(live: Path, schema: int) -> None:
    """A state as a killed service leaves it: its newest words stand in the log only."""
    database(live, 1, "before")
    with closing(sqlite3.connect(live, isolation_level=None)) as user:
        user.execute(f"PRAGMA user_version = {schema}")
        user.execute("INSERT INTO said VALUES ('in the log only')")
        files = {ending: Path(f"{live}{ending}").read_bytes() for ending in ("", "-wal")}
    for ending, content in files.items():
        Path(f"{live}{ending}").write_bytes(content)


def test_the_log_of_a_killed_service_stays_with_its_database(inquire: ModuleType, tmp_path: Path) -> None:
    live, copy = tmp_path / "state.db", database(tmp_path / "copy.db", 1, "the copy")
    crashed(live, 2)
    inquire.restore(copy, str(live))
    assert words(str(live)) == ["the copy"]
    assert [words(str(file)) for file in kept(str(live))] == [["before", "in the log only"]]


def test_killed_at_any_step_of_restoring_neither_state_is_lost_and_trying_again_restores(tmp_path: Path) -> None:
    imports = """
        import importlib.util
        spec = importlib.util.spec_from_file_location("inquire", "systemd/inquire.py")
        inquire = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(inquire)
    """
    live, copy, kills = tmp_path / "state.db", tmp_path / "copy.db", 0
    database(copy, 1, "the copy")
    crashed(live, 2)
    script = "inquire.restore(sys.argv[1], sys.argv[2])"
    for _ in killed_at_each_step(imports, script, copy, live):
        kills += 1
        assert live.exists(), "the next start would begin with an empty state"
        shutil.copytree(tmp_path, tmp_path / "looked at")
        readable = [words(str(file)) for file in (tmp_path / "looked at").glob("state.db*") if _is_database(file)]
        assert ["before", "in the log only"] in readable
        assert words(str(copy)) == ["the copy"]
        shutil.rmtree(tmp_path / "looked at")
    assert kills > 5
    assert words(str(live)) == ["the copy"]
    assert ["before", "in the log only"] in [words(str(file)) for file in kept(str(live))]


def _is_database(file: Path) -> bool:
    return file.suffix != ".next" and not file.name.endswith(("-wal", "-shm")) and file.read_bytes()[:6] == b"SQLite"
