"""Faults E: nothing lost, whatever happens to a webhook's body, to the disk or to the server that keeps the state."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from tests.faults import attacks
from tests.faults.fault import Fault, SkippedError
from tests.faults.program import Program
from tests.faults.stage import Stage, lost
from tests.faults.wire import Client, WireError, ask

_JSON: Final = ("Content-Type", "application/json")

#: Bytes of a SQLite page, its default.
_PAGE: Final = 4096

#: Seconds after which a state at rest lies in its file alone, and some for the look at it.
_REST: Final = 30.0 + 8.0


def stalled_webhook(stage: Stage) -> None:
    """A webhook of 12 MB whose gateway stops reading in the middle of it."""
    path = "/stop-reading"
    proxy = stage.proxy(webhooks=[{"path": path}], timeouts={"response_body": "1s", "response_head": "2s"})
    before = proxy.watch_anew()
    body = json.dumps({"media": "A" * stage.size(12_000_000, 6_000_000), **lost("sales")}).encode()
    with Client(proxy.port) as client:
        try:
            answered = str(client.ask("POST", path, body, [_JSON]).status)
        except (OSError, WireError) as error:
            answered = str(error)
    stage.check("answered", answered == "504", answered, 504)
    _all_known(stage, proxy, {"sales"})
    stage.grew(before, proxy.peak(), proxy.use())


def _all_known(stage: Stage, proxy: Program, wanted: set[str], what: str = "shown as disconnected") -> None:
    """Check that the list shows these sessions as disconnected."""
    shown = stage.disconnected(proxy, f"?channels=0&first={','.join(sorted(wanted))}")
    stage.outcome.lost += len(wanted - shown)
    stage.check(what, shown == wanted, f"{len(shown)} of {len(wanted)}", "all")


def members(stage: Stage) -> None:
    """A webhook in gzip of two members."""
    proxy = stage.proxy()
    before = proxy.watch_anew()
    with Client(proxy.port) as client:
        body = attacks.BODIES["members"]("gzip")
        status = client.ask("POST", "/v1/webhooks/receive", body, [_JSON, ("Content-Encoding", "gzip")]).status
    stage.check("answered", status == 200, status, 200)
    _all_known(stage, proxy, {"sales"})
    stage.grew(before, proxy.peak(), proxy.use())


# ---- SQLite ----


def _sqlite(path: Path) -> dict[str, Any]:
    return {"url": f"sqlite:///{path}"}


def damaged_page(stage: Stage) -> None:
    """A state file with one damaged page, wherever that is."""
    sessions = {f"c{number}" for number in range(200)}
    whole = stage.folder / "whole"
    first = stage.proxy(name="first", state=_sqlite(whole / "state.db"))
    attacks.falling(first.port, len(sessions), 20, 30.0)
    first.stop()
    pages = (whole / "state.db").stat().st_size // _PAGE
    chosen = sorted({1, 2, pages // 3, pages // 2, 2 * pages // 3, pages - 1})
    said = found = 0
    for page in stage.size(chosen, [pages // 2]):
        folder = stage.folder / f"page-{page}"
        shutil.copytree(whole, folder)
        with (folder / "state.db").open("r+b") as file:
            file.seek(page * _PAGE)
            file.write(random.Random(page).randbytes(_PAGE))
        proxy = stage.proxy(name=f"proxy-page-{page}", state=_sqlite(folder / "state.db"))
        known = json.loads(proxy.admin("/sessions").body)["disconnected"]
        lost_with_it = len(sessions) - known
        found += lost_with_it <= len(sessions) // 4
        ready = proxy.admin("/readyz")
        # A page that holds nothing of a session may be damaged without a consequence.
        told = b"state" in ready.body or b"salvage" in ready.body or json.loads(ready.body).get("store") != "ok"
        said += told or not lost_with_it
        stage.check(f"page {page} of {pages}: sessions known", known >= 150, known, "at least 150 of 200")
        stage.outcome.lost += lost_with_it if lost_with_it > len(sessions) // 4 else 0
        stage.check(
            f"page {page}: /readyz says so", told or not lost_with_it, ready.body.decode()[:200], "not plain ok"
        )
        proxy.stop()


def deleted_wal(stage: Stage) -> None:
    """The write-ahead log is deleted while the proxy runs, which is killed later."""
    state = stage.folder / "state" / "state.db"
    proxy = stage.proxy(state=_sqlite(state))
    first = {f"c{number}" for number in range(5)}
    stage.tell(proxy, *(lost(session) for session in sorted(first)))
    deleted = [path for path in state.parent.iterdir() if path.name.endswith("-wal")]
    for path in deleted:
        path.unlink()
    stage.check("a write-ahead log was there to delete", bool(deleted), len(deleted), 1)
    time.sleep(stage.size(4.0, 1.0))
    stage.tell(proxy, lost("c5"))
    time.sleep(1.0)
    proxy.kill()
    proxy.start()
    _all_known(stage, proxy, first | {"c5"}, "known after the log was deleted and the proxy killed")


def copied_state(stage: Stage) -> None:
    """A copy of the state's file alone, half a minute after the last change."""
    state = stage.folder / "state" / "state.db"
    proxy = stage.proxy(state=_sqlite(state))
    first = {f"c{number}" for number in range(5)}
    stage.tell(proxy, *(lost(session) for session in sorted(first)))
    copy = stage.folder / "copy" / "state.db"
    copy.parent.mkdir()
    time.sleep(_REST)
    shutil.copyfile(state, copy)
    proxy.stop()
    other = stage.proxy(name="other", state=_sqlite(copy))
    _all_known(stage, other, first, "known from the file alone")


def restored_state(stage: Stage) -> None:
    """`systemd/inquire.py restore` over a state whose last changes lie in its write-ahead log."""
    script = stage.options.checkout / "systemd" / "inquire.py"
    if not script.is_file():
        raise SkippedError(f"the program under test has no checkout beside it: no {script}")
    folder = stage.folder / "restore"
    folder.mkdir()
    state, copy, aside = folder / "state.db", folder / "copy.db", folder / "state.db.newer"
    _database(copy, "copy")
    _database(aside, "set aside before")
    # Copied while they are in use: the rows are in the log, as after a kill.
    with closing(sqlite3.connect(folder / "live.db")) as live:
        live.execute("PRAGMA journal_mode=WAL")
        live.execute("PRAGMA wal_autocheckpoint=0")
        live.execute("CREATE TABLE note (text)")
        live.execute("INSERT INTO note VALUES ('newest')")
        live.commit()
        shutil.copyfile(folder / "live.db", state)
        shutil.copyfile(folder / "live.db-wal", folder / "state.db-wal")
    for path in folder.glob("live.db*"):
        path.unlink()
    done = subprocess.run(
        [stage.options.python, str(script), "restore", str(copy), str(state)],
        cwd=script.parents[1], capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    stage.check("restore ended well", done.returncode == 0, done.stderr[-200:] or "well", "well")
    kept = {note for path in folder.iterdir() if path not in {state, copy} for note in _notes(path)}
    stage.check("the state now is the copy", _notes(state) == {"copy"}, _notes(state), {"copy"})
    for wanted in ("newest", "set aside before"):
        stage.check(f"kept: {wanted}", wanted in kept, sorted(kept), wanted)
        stage.outcome.lost += wanted not in kept


def _database(path: Path, note: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE note (text)")
        database.execute("INSERT INTO note VALUES (?)", (note,))
        database.commit()


def _notes(path: Path) -> set[str]:
    """What a database holds; nothing where the file is none."""
    if path.name.endswith(("-wal", "-shm")):
        return set()
    try:
        with closing(sqlite3.connect(path)) as database:
            return {text for (text,) in database.execute("SELECT text FROM note")}
    except sqlite3.Error:
        return set()


def deleted_lock(stage: Stage) -> None:
    """The lock's file is deleted by hand, and a second proxy is started on the same state."""
    state = stage.folder / "state" / "state.db"
    first = stage.proxy(state=_sqlite(state))
    stage.tell(first, lost("sales"))
    locks = [path for path in state.parent.iterdir() if "lock" in path.name]
    for path in locks:
        path.unlink()
    second = stage.program(state=_sqlite(state))
    second.launch()
    code = second.wait(15.0)
    stage.check("the second proxy ended", code not in {None, 0}, code, "an exit code other than 0")
    if code is None:
        second.kill()
    status = ask(first.port, "GET", "/ping").status
    stage.check("the first still serves", status == 200, status, 200)
    _all_known(stage, first, {"sales"})


# ---- Redis ----


def redis_away(stage: Stage) -> None:
    """The Redis server is away, changes are answered, the proxy is killed, both come back."""
    if shutil.which("redis-server") is None:
        raise SkippedError("no redis-server here: apt-get install redis-server (or tests/install-peers.sh)")
    from tests.store.redis_server import running

    with running(stage.folder / "redis") as server:
        proxy = stage.proxy(state={"url": f"redis://127.0.0.1:{server.port}/0"})
        stage.tell(proxy, lost("c0"))
        server.stop(signal.SIGKILL)
        statuses = stage.tell(proxy, lost("c1"), lost("c2"))
        stage.check("answered while the server is away", statuses == [200, 200], statuses, [200, 200])
        proxy.kill()
        server.start()
        proxy.start()
        shown = {"c0", "c1", "c2"}
        stage.until(lambda: stage.disconnected(proxy, "?channels=3") == shown, stage.size(8.0, 4.0))
        _all_known(stage, proxy, shown, "known after both were killed")
        proxy.stop()


FAULTS: Final = (
    Fault(
        item="E18",
        name="stalled-webhook",
        what="A webhook was not read if its gateway stalled in the middle of it",
        how="A webhook of 12 MB to a gateway that stops reading after 64 KiB",
        sees="504; what the webhook says about its session counts",
        run=stalled_webhook,
    ),
    Fault(
        item="E19",
        name="gzip-members",
        what="A webhook in gzip with several members passed without being read, and nothing was logged",
        how="A webhook in gzip with two members",
        sees="It is read",
        run=members,
    ),
    Fault(
        item="E20",
        name="damaged-page",
        what="One damaged page in the state file made the proxy forget every session, and `/readyz` said 200",
        how="One page of the file overwritten with random bytes, six pages in turn",
        sees="Everything readable is known; `/readyz`, the log and the doctor say what happened",
        run=damaged_page,
    ),
    Fault(
        item="E21",
        name="deleted-wal",
        what="Deleting the write-ahead log of the state was not noticed, and everything was lost at the next kill",
        how="Delete `state.db-wal` while the proxy runs, report one more disconnect, kill it",
        sees="Everything is known after the restart",
        run=deleted_wal,
    ),
    Fault(
        item="E21",
        name="copied-state",
        what="The state of a small site was only in the write-ahead log: a copy of `state.db` was empty",
        how="Copy only `state.db`, half a minute after the last change",
        sees="The copy contains everything",
        run=copied_state,
        quick=False,
    ),
    Fault(
        item="E22",
        name="restored-state",
        what="Restoring a state deleted the write-ahead log of the replaced state, and overwrote an earlier one",
        how="`systemd/inquire.py restore` over a state whose last changes are in its write-ahead log",
        sees="Both are kept completely",
        run=restored_state,
    ),
    Fault(
        item="E23",
        name="redis-away",
        what="Changes that were acknowledged while Redis was down were lost if the proxy died too",
        how="Kill Redis, report two disconnects, kill the proxy, start both",
        sees="All of them are known",
        run=redis_away,
    ),
    Fault(
        item="E24",
        name="deleted-lock",
        what="After the lock file was deleted by hand, two proxies wrote to one state",
        how="Delete the lock file, start a second proxy with the same state",
        sees="The second one refuses to start, and says why",
        run=deleted_lock,
    ),
)
