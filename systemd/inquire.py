"""What install.sh has to know of a version's configuration and state; run by that version's own Python.

inquire.py listen CONFIG            the drop-in that makes statusproxy.socket listen where CONFIG says
inquire.py ports CONFIG             the addresses to listen on, as lines "KEY ADDRESS"
inquire.py reachable CONFIG         those of `listen` that other machines can reach
inquire.py packages CONFIG          the Python packages that CONFIG needs and that are not installed, for pip
inquire.py ONE,OTHER CONFIG         several of these at once, each line with the question before it: "ports: LINE"
inquire.py state CONFIG FOLDER      the path of the SQLite state, FOLDER being the service's own; nothing if none
inquire.py schema DATABASE          the number of its schema
inquire.py snapshot DATABASE COPY   a whole copy, also while the service writes
inquire.py restore COPY DATABASE    the copy in the database's place; what stood there is set aside
"""

import ipaddress
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from statusproxy.config.addresses import Address
from statusproxy.config.errors import ConfigError
from statusproxy.config.load import load
from statusproxy.config.modes import format_mode
from statusproxy.config.packages import needed_for_alerts, needed_for_webhooks
from statusproxy.config.schema import PRIVATE_NETWORKS
from statusproxy.config.settings import Settings
from statusproxy.config.state_url import SqliteFile, parse_state_url
from statusproxy.store.extras import needed_packages
from statusproxy.store.replace import finish_replacement, replace_database, sync_file, unused_name
from statusproxy.systemd import environment

#: SocketMode= in statusproxy.socket.
_UNIT_MODE = 0o666


def listen(settings: Settings) -> str:
    """The drop-in for the socket unit. The empty assignment first drops the unit's own address."""
    lines = [_stream(address) for address in settings.listen]
    known = [f"ListenStream={line}" for line in lines if line is not None]
    changed = settings.listen_mode != _UNIT_MODE
    # A name is looked up by the service itself; where there is nothing else, the unit's own address stays.
    return "\n".join(
        ["# Written by install.sh from `listen` in config.yaml.", "[Socket]"]
        + (["ListenStream=", *known] if known else [])
        + ([f"SocketMode={format_mode(settings.listen_mode)}"] if changed else [])
    )


def _stream(address: Address) -> str | None:
    """An address as `ListenStream=` takes it (systemd.socket(5)); None for a host's name."""
    if address.unix is not None:
        return address.unix
    if not address.host:
        return str(address.port)
    if address.host == "localhost":
        return f"127.0.0.1:{address.port}"
    return str(address) if address.host.replace(".", "").isdigit() or ":" in address.host else None


def ports(settings: Settings) -> str:
    """Where the service will listen, each with the key that says so; a port that the system chooses is left out."""
    lines = [f"listen {address}" for address in settings.listen if address.unix or address.port]
    admin = settings.admin.listen
    return "\n".join(lines + ([f"admin.listen {admin}"] if admin and (admin.unix or admin.port) else []))


def reachable(settings: Settings) -> str:
    """The addresses of `listen` that are neither this machine's alone nor in a private network; each on a line."""
    return "\n".join(str(address) for address in settings.listen if _is_reachable(address))


def _is_reachable(address: Address) -> bool:
    if address.is_private:
        return False
    try:
        host = ipaddress.ip_address(address.host)
    except ValueError:
        return True  # every interface, or a name
    return host.is_unspecified or not any(host in network for network in PRIVATE_NETWORKS)


def state(settings: Settings, folder: str) -> str:
    """Where the state lies, as the service resolves it; empty for a store that is not a file."""
    place = parse_state_url(settings.state.url)
    return os.path.join(folder, place.path) if isinstance(place, SqliteFile) else ""


def schema(database: str) -> int:
    """`PRAGMA user_version`, the number that a newer version raises when it changes the tables; 0 without a file."""
    if not os.path.exists(database):
        return 0
    with closing(sqlite3.connect(database)) as connection:
        number: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return number


def snapshot(database: str, copy: str) -> None:
    """Copy a database that may be in use. The copy appears once it is whole: a part of one must not be restored."""
    part = Path(f"{copy}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(part)) as target:
        source.backup(target)
    sync_file(part)
    os.replace(part, copy)


def restore(copy: str, database: str) -> None:
    """Put a copy in place of a database that no one uses now; the owner stays.

    What stood there is kept, log and all, as `DATABASE.newer-<time>`. A crash at any step loses neither; the next
    start of statusproxy, or of this, finishes what was begun.
    """
    path = Path(database)
    finish_replacement(path)
    owner = os.stat(path)
    ready = Path(f"{database}.restoring")
    ready.unlink(missing_ok=True)
    ready.touch(mode=0o600)
    shutil.copyfile(copy, ready)
    os.chown(ready, owner.st_uid, owner.st_gid)
    replace_database(path, ready, unused_name(path, "newer", time.time()))


def main(action: str, *arguments: str) -> None:
    """Answer one question."""
    about: dict[str, Callable[[Settings], str]] = {
        "listen": listen,
        "ports": ports,
        "reachable": reachable,
        "packages": lambda settings: "\n".join(
            [
                *needed_packages(settings.state.url),
                *needed_for_webhooks(settings.webhooks),
                *needed_for_alerts(settings.alerts),
            ]
        ),
        "state": lambda settings: state(settings, arguments[1]),
    }
    questions = action.split(",")
    if all(question in about for question in questions):
        try:
            settings = load(arguments[0], None, environment())
        except ConfigError as error:
            sys.exit(str(error))
        for question in questions:
            answer = about[question](settings)
            named = "".join(f"{question}: {line}\n" for line in answer.splitlines())
            sys.stdout.write(named if len(questions) > 1 else f"{answer}\n")
    elif action == "schema":
        sys.stdout.write(f"{schema(arguments[0])}\n")
    elif action == "snapshot":
        snapshot(*arguments)
    elif action == "restore":
        restore(*arguments)
    else:
        sys.exit(f"inquire.py: unknown: {action}")


if __name__ == "__main__":
    main(*sys.argv[1:])
