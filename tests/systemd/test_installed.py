"""The life of an installation on a real systemd: installed, used, reloaded, upgraded, taken back, removed.

One machine, one story. What was run and said stands in artifacts/systemd-install.log.
"""

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.building import build
from tests.systemd import machine as machines
from tests.systemd import roots
from tests.systemd.machine import Machine
from tests.systemd.roots import CHECKOUT
from tests.systemd.service import (
    FILES,
    GATEWAY,
    MAIN_PID,
    PROXY,
    UNLINKED,
    another_program,
    ask,
    copy_checkout,
    main_pid,
    shown,
    under_load,
)

LOG = CHECKOUT / "artifacts" / "systemd-install.log"
STAND_INS = CHECKOUT / "tests" / "stand_ins"

INSTALL = "bash /checkouts/{}/systemd/install.sh --wheels /wheels"

#: From a wheel that is there already, as on a machine without the internet; it builds nothing.
OFFLINE = "bash /checkouts/{0}/systemd/install.sh --wheels /offline/{0}"
OTHER_GATEWAY = 3001

#: Environments that were built once and serve a later installation: outside all that FILES looks at.
KEPT = "/var/cache/kept"

#: What an administrator gets besides the service, and a text in it.
HELP = {
    "/usr/local/share/bash-completion/completions/statusproxy": "_STATUSPROXY_COMPLETE=bash_complete",
    "/usr/local/share/zsh/site-functions/_statusproxy": "#compdef statusproxy",
    "/usr/local/share/fish/vendor_completions.d/statusproxy.fish": "_STATUSPROXY_COMPLETE=fish_complete",
    "/usr/local/share/man/man1/statusproxy.1": ".SH COMMANDS",
}

UNITS = "statusproxy.service statusproxy.socket"
DROP_IN = "/etc/systemd/system/statusproxy.service.d/50-test.conf"
FETCH = "/usr/bin/python3 -c \"import urllib.request; print(urllib.request.urlopen('{}', timeout=20).read().decode())\""

#: A state on a server that is not there: the service starts all the same, with its journal.
TO_REDIS = "sed -i 's#^  url: sqlite:.*#  url: redis://127.0.0.1:6399/0#' /etc/statusproxy/config.yaml"

#: A service that fails at once, again and again, and limits that two failures meet, unless the units switch them off.
FAILS = "[Service]\\nExecStart=\\nExecStart=/bin/false\\nRestartSec=5ms\\n"
LIMITS = {
    "service": "[Unit]\\nStartLimitBurst=2\\n",
    "socket": "[Unit]\\nStartLimitBurst=2\\n[Socket]\\nTriggerLimitBurst=2\\n",
}

#: How a broken new version breaks: by itself, right after its start, having already opened the state.
BROKEN = '    raise RuntimeError("a new version that does not work")\n'

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(machines.lacking() is not None, reason=machines.lacking() or ""),
]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A booted machine with three versions at hand and two stand-in gateways running."""
    checkouts = tmp_path / "checkouts"
    copy_checkout(checkouts / "first", "1.0.0")
    copy_checkout(checkouts / "second", "2.0.0")
    assembly = copy_checkout(checkouts / "broken", "3.0.0") / "statusproxy" / "assembly.py"
    text = assembly.read_text()
    opened = "    await registry.open()\n"
    assert text.count(opened) == 1
    assembly.write_text(text.replace(opened, opened + BROKEN))
    LOG.parent.mkdir(exist_ok=True)
    LOG.unlink(missing_ok=True)
    try:
        archive, wheels = roots.root_archive(), roots.wheels()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the machine cannot be made here (a Debian mirror and wheels are needed the first time): {error}")
    assert archive.exists()
    for name in ("second", "broken"):
        shutil.copytree(wheels, tmp_path / "offline" / name)
        build(checkouts / name, tmp_path / "offline" / name, "--wheel")
    binds = {"/checkouts": checkouts, "/offline": tmp_path / "offline", "/wheels": wheels, "/stand-ins": STAND_INS}
    with contextlib.ExitStack() as running:
        try:
            machine = running.enter_context(Machine(tmp_path, LOG, read_only=binds))
        except machines.BootError as error:
            pytest.skip(str(error))
        machine.run("mkdir -p /run/test")
        for port, total in ((GATEWAY, 2), (OTHER_GATEWAY, 3)):
            gateway = machine.start(["/usr/bin/python3", "/stand-ins/gateway.py", str(port), "--total", str(total)])
            running.enter_context(gateway)
            running.callback(gateway.kill)
        yield machine


def stops_and_stays_stopped(machine: Machine) -> None:
    """`systemctl stop` alone: the address is closed, so no connection starts the service again."""
    machine.note("---- stopped: it stays stopped, however many connections come, and starts again at once ----")
    machine.run("rm -f /run/test/enough")
    clients = machine.start(["/usr/bin/python3", "/stand-ins/load.py", str(PROXY), "4", "/run/test/enough"])
    machine.run("systemctl stop statusproxy")
    machine.run("while systemctl is-active --quiet statusproxy.socket; do sleep 0.05; done", timeout=600)
    machine.run("sleep 1; touch /run/test/enough")
    clients.communicate(timeout=600)
    assert machine.run(f"systemctl is-active {UNITS}", expect=3).split() == ["inactive"] * 2
    machine.run("systemctl start statusproxy; systemctl stop statusproxy; systemctl start statusproxy")
    assert machine.run(f"systemctl is-active {UNITS}").split() == ["active"] * 2
    assert shown(machine) == {"sales": "disconnected", "support": "connected"}


def never_gives_up(machine: Machine) -> None:
    """The service tries for ever to start, and `systemctl restart` is enough once the cause is gone."""
    machine.note("---- many failed starts while a client knocks: they can be ended; a restart is enough ----")
    limits = {f"/etc/systemd/system/statusproxy.{unit}.d/40-test.conf": text for unit, text in LIMITS.items()}
    for path, text in {**limits, DROP_IN: FAILS}.items():
        machine.run(f"mkdir -p $(dirname {path}); printf '{text}' > {path}")
    machine.run("systemctl daemon-reload; rm -f /run/test/enough")
    clients = machine.start(["/usr/bin/python3", "/stand-ins/load.py", str(PROXY), "1", "/run/test/enough"])
    failing = "systemctl restart --no-block statusproxy; until [ $(systemctl show -P NRestarts statusproxy) -gt 9 ]; "
    machine.run(f"{failing} do sleep 0.2; done; systemctl stop statusproxy.socket; sleep 1")
    states = machine.run(f"systemctl is-active {UNITS}", expect=3).split()
    assert set(states) <= {"inactive", "failed"}
    machine.run(f"{failing} do sleep 0.2; done")
    machine.run(f"rm {DROP_IN}; systemctl daemon-reload; systemctl restart statusproxy")
    machine.run("touch /run/test/enough")
    clients.communicate(timeout=600)
    assert machine.run(f"systemctl is-active {UNITS}").split() == ["active"] * 2
    machine.run(f"rm {' '.join(limits)}; systemctl daemon-reload")

    machine.note("---- another program has the port at the start: it waits until the port is free ----")
    machine.run("systemctl stop statusproxy; while systemctl is-active --quiet statusproxy.socket; do sleep 0.05; done")
    with another_program(machine, PROXY):
        machine.run("systemctl start statusproxy", expect=1)
        assert f"cannot listen on 127.0.0.1:{PROXY}" in machine.run(
            "journalctl --no-pager --unit=statusproxy --lines=20"
        )
    machine.run(f'until [ "$(systemctl is-active {UNITS} | sort -u)" = active ]; do sleep 0.2; done')
    assert shown(machine) == {"sales": "disconnected", "support": "connected"}


@contextlib.contextmanager
def keeping(machine: Machine, version: str) -> Iterator[None]:
    """Keep a second name of the environment that is built meanwhile, also where it is removed again at once."""
    script = (
        f"until [ -e /opt/statusproxy/{version}-*/.complete ]; do sleep 0.05; done; "
        f"mkdir -p {KEPT} && cp -al /opt/statusproxy/{version}-* {KEPT}/"
    )
    with machine.start(["/bin/sh", "-c", script]) as keeper:
        try:
            yield
            keeper.wait(timeout=600)
        finally:
            keeper.kill()
    assert keeper.returncode == 0


def built_before(machine: Machine, version: str) -> None:
    """Put the environment that was kept in its place, as one more build of the same files would."""
    machine.run(f"mkdir -p /opt/statusproxy && mv {KEPT}/{version}-* /opt/statusproxy/")


def running_version(machine: Machine) -> str:
    return machine.run("basename $(readlink /opt/statusproxy/current) | cut -d- -f1").strip()


def test_installed_used_reloaded_upgraded_taken_back_and_removed(machine: Machine) -> None:
    before = machine.run(FILES, quiet=True)

    machine.note("---- a machine without statusproxy ----")
    assert "not installed" in machine.run("bash /checkouts/first/systemd/install.sh --rollback", expect=1)

    machine.note("---- another program has the port: named before anything is built ----")
    with another_program(machine, PROXY):
        said = machine.run(INSTALL.format("first"), expect=1)
        assert re.search(
            r"127\.0\.0\.1:8090 \(`listen` in /etc/statusproxy/config\.yaml\) is in use by python3 \(pid \d+\)", said
        )
        assert f"then: {INSTALL.format('first').removeprefix('bash ')}\n" in said
        machine.run("test ! -e /opt/statusproxy -a -f /etc/statusproxy/config.yaml")

    machine.note("---- installed ----")
    said = machine.run(INSTALL.format("first"))
    assert "active, and enabled for the next boot" in said
    assert "config.yaml (kept)" in said
    assert "systemctl reload statusproxy" in said
    assert "Only programs on this machine can reach it. To open it" in said
    assert machine.run("systemctl is-active statusproxy.service statusproxy.socket").split() == ["active", "active"]
    assert machine.run("systemctl is-enabled statusproxy.service statusproxy.socket").split() == ["enabled", "enabled"]
    assert machine.run(f"systemd-analyze verify {UNITS}") == ""
    assert "exposure level for statusproxy.service: 1.0" in machine.run(
        "systemd-analyze security --no-pager statusproxy"
    )
    assert machine.run(f"stat --format=%u /proc/{main_pid(machine)}").strip() not in ("0", "65534")
    assert "Serving http://127.0.0.1:3000 on 127.0.0.1:8090" in machine.run("systemctl status --no-pager statusproxy")

    machine.note("---- completion for shells, and the man page ----")
    for path, text in HELP.items():
        assert text in machine.run(f"cat {path}", quiet=True)
    completing = f"source {next(iter(HELP))}; complete -p statusproxy"
    assert "-F _statusproxy_completion statusproxy" in machine.run(f"bash -c '{completing}'")

    machine.note("---- a webhook in, a corrected list out ----")
    assert shown(machine) == {"sales": "connected", "support": "connected"}
    assert ask(machine, "/v1/webhooks/receive", UNLINKED)[0] == 200
    assert shown(machine) == {"sales": "disconnected", "support": "connected"}
    assert re.search(r"sales .*disconnected", machine.run("statusproxy sessions"))
    assert ask(machine, "/readyz", port=8091)[0] == 200

    machine.note("---- the service sees what it tells of itself and of this machine's start ----")
    metrics = machine.run(FETCH.format("http://127.0.0.1:8091/metrics"), quiet=True)
    assert re.search(r"^process_cpu_seconds_total \d", metrics, re.MULTILINE)
    assert re.search(r"^process_start_time_seconds \d", metrics, re.MULTILINE)
    machine.run(f"nsenter --target {main_pid(machine)} --mount cat /proc/sys/kernel/random/boot_id")

    machine.note("---- installed again: nothing to do ----")
    pid = main_pid(machine)
    assert "nothing to do" in machine.run(INSTALL.format("first"))
    assert main_pid(machine) == pid

    machine.note("---- reloaded: a new gateway; then a configuration that does not hold ----")
    machine.run("sed -i 's/^gateway: .*/gateway: http:\\/\\/127.0.0.1:3001/' /etc/statusproxy/config.yaml")
    with under_load(machine):
        machine.run("systemctl reload statusproxy")
        machine.run("sleep 0.5")
    assert ask(machine, "/api/channels")[1]["total"] == 3
    machine.run("sed -i 's/^gateway: .*/gateway: 7/' /etc/statusproxy/config.yaml")
    machine.run("systemctl reload statusproxy", expect=1)
    assert "config.yaml:" in machine.run("journalctl --no-pager --output=cat --unit=statusproxy --lines=5")
    assert ask(machine, "/api/channels")[1]["total"] == 3
    assert main_pid(machine) == pid
    machine.run("sed -i 's/^gateway: .*/gateway: http:\\/\\/127.0.0.1:3000/' /etc/statusproxy/config.yaml")
    machine.run("systemctl reload statusproxy")

    machine.note("---- a secret that only root can read ----")
    machine.run("(umask 077; echo sesame > /etc/statusproxy/secrets/ADMIN_TOKEN)")
    machine.run("sed -i 's/^  # token:.*/  token: ${ADMIN_TOKEN}/' /etc/statusproxy/config.yaml")
    machine.run("systemctl restart statusproxy")
    assert ask(machine, "/sessions", port=8091)[0] == 401
    assert re.search(r"sales .*disconnected", machine.run("statusproxy sessions"))
    machine.run("systemctl reload statusproxy")

    machine.note("---- ended from outside: systemd starts it again, and connections wait meanwhile ----")
    with under_load(machine):
        pid = main_pid(machine)
        machine.run("sleep 1; systemctl kill --signal=SIGSTOP statusproxy; sleep 0.2")
        machine.run("systemctl kill --signal=SIGTERM statusproxy; systemctl kill --signal=SIGCONT statusproxy")
        machine.run(f"until [ $({MAIN_PID}) != {pid} ] && systemctl is-active --quiet statusproxy; do sleep 0.1; done")

    stops_and_stays_stopped(machine)
    never_gives_up(machine)

    machine.note("---- upgraded under load ----")
    pid = main_pid(machine)
    with under_load(machine, built="2.0.0"), keeping(machine, "2.0.0"):
        said = machine.run(OFFLINE.format("second"))
    assert "is kept" in said
    assert "config.yaml (kept)" in said
    assert running_version(machine) == "2.0.0"
    assert main_pid(machine) != pid
    assert shown(machine) == {"sales": "disconnected", "support": "connected"}

    machine.note("---- a new version that does not work is taken back ----")
    with under_load(machine, built="3.0.0"), keeping(machine, "3.0.0"):
        said = machine.run(OFFLINE.format("broken"), expect=1)
    assert "a new version that does not work" in said
    assert "2.0.0" in said.splitlines()[-1]
    assert "runs again" in said.splitlines()[-1]
    assert running_version(machine) == "2.0.0"
    assert "3.0.0" not in machine.run("ls /opt/statusproxy")

    machine.note("---- taken back by hand ----")
    with under_load(machine):
        machine.run("/opt/statusproxy/current/share/systemd/install.sh --rollback")
    assert running_version(machine) == "1.0.0"

    machine.note("---- another address: config.yaml is the one place ----")
    machine.run("sed -i 's/^listen: .*/listen: 127.0.0.1:9090/' /etc/statusproxy/config.yaml")
    machine.run(INSTALL.format("first"))
    assert ask(machine, "/api/channels", port=9090)[0] == 200
    listening = machine.run("ss -Hltn")
    assert ":9090" in listening
    assert ":8090" not in listening

    machine.note("---- open to other machines; not closed again because of a default that changed ----")
    machine.run("sed -i 's/^listen: .*/listen: 0.0.0.0:8090/' /etc/statusproxy/config.yaml")
    assert "Other machines can reach 0.0.0.0:8090" in machine.run(INSTALL.format("first"))
    machine.run("sed -i 's/^listen:/# listen:/' /etc/statusproxy/config.yaml")
    assert "its default is 127.0.0.1:8090 now" in machine.run(INSTALL.format("first"), expect=1)
    assert "0.0.0.0:8090" in machine.run("ss -Hltn")
    machine.run("sed -i 's/^# listen: 0.*/listen: 127.0.0.1:8090/' /etc/statusproxy/config.yaml")

    machine.note("---- a state in Redis: the installer brings what it needs, and `check` says so until then ----")
    machine.run(f"cp /etc/statusproxy/config.yaml /run/test/sqlite.yaml; {TO_REDIS}")
    said = machine.run("statusproxy check", expect=2)
    assert "/bin/python -m pip install 'hiredis" in said
    machine.run("systemctl reload statusproxy", expect=1)
    assert re.search("packages .*redis.*, for `state.url`", machine.run(INSTALL.format("first")))
    assert "redis at 127.0.0.1:6399/0" in machine.run("statusproxy state show", expect=1)
    machine.run("cp /run/test/sqlite.yaml /etc/statusproxy/config.yaml")

    machine.note("---- the watchdog is fed; a loop that hangs is ended and started again ----")
    machine.run(f"mkdir -p $(dirname {DROP_IN}); printf '[Service]\\nWatchdogSec=2s\\n' > {DROP_IN}")
    machine.run("systemctl daemon-reload; systemctl restart statusproxy; sleep 5")
    assert machine.run("systemctl show --property=NRestarts --value statusproxy").strip() == "0"
    restarts = "systemctl show --property=NRestarts --value statusproxy"
    machine.run(f"systemctl kill --signal=SIGSTOP statusproxy; until [ $({restarts}) != 0 ]; do sleep 0.1; done")
    machine.run("until systemctl is-active --quiet statusproxy; do sleep 0.1; done")
    assert machine.run(restarts).strip() == "1"
    assert "Watchdog timeout" in machine.run("journalctl --no-pager --unit=statusproxy --lines=200")
    assert shown(machine) == {"sales": "disconnected", "support": "connected"}

    machine.note("---- removed; configuration and state stay, and serve the next installation ----")
    machine.run("bash /checkouts/first/systemd/install.sh --uninstall")
    assert ":8090" not in machine.run("ss -Hltn")
    machine.run("test -f /etc/statusproxy/config.yaml -a -f /var/lib/private/statusproxy/state.db")
    machine.run("test ! -e /opt/statusproxy -a ! -e /usr/local/bin/statusproxy")
    assert machine.run(f"ls {' '.join(HELP)} 2>/dev/null", expect=2) == ""
    machine.run(TO_REDIS)
    built_before(machine, "2.0.0")
    said = machine.run(OFFLINE.format("second"))
    assert "(there already)" in said
    assert re.search("packages .*redis.*, for `state.url`", said)
    machine.run("cp /run/test/sqlite.yaml /etc/statusproxy/config.yaml; systemctl restart statusproxy")
    assert shown(machine) == {"sales": "disconnected", "support": "connected"}

    machine.note("---- removed without a trace ----")
    machine.run("/opt/statusproxy/current/share/systemd/install.sh --uninstall --purge")
    # systemd itself remembers a name for a moment, as "not-found", after the unit has gone.
    units = machine.run("systemctl list-units --all --no-legend 'statusproxy*'").splitlines()
    assert [unit for unit in units if "not-found" not in unit] == []
    assert machine.run(FILES, quiet=True).splitlines() == before.splitlines()

    machine.note("---- a version that does not work is not left behind on a new machine; the configuration is ----")
    built_before(machine, "3.0.0")
    said = machine.run(OFFLINE.format("broken"), expect=1)
    assert "(there already)" in said
    assert "the configuration stays in /etc/statusproxy" in said
    machine.run("cmp /checkouts/broken/config.yaml /etc/statusproxy/config.yaml && rm -r /etc/statusproxy")
    assert machine.run(FILES, quiet=True).splitlines() == before.splitlines()
