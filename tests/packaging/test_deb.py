"""The Debian package on a real Debian: built, installed, upgraded, downgraded, removed, purged, and lintian's words.

One machine, on which the package is built once; other versions are made from it. What was run and said stands in
artifacts/deb-install.log.
"""

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import blocks, steps
from tests.docs.shell import Shell
from tests.packaging.building import build
from tests.systemd import machine as machines
from tests.systemd import roots
from tests.systemd.machine import Machine
from tests.systemd.roots import CHECKOUT
from tests.systemd.service import (
    FILES,
    GATEWAY,
    PROXY,
    UNLINKED,
    another_program,
    ask,
    copy_checkout,
    main_pid,
    shown,
    under_load,
)

LOG: Final = CHECKOUT / "artifacts" / "deb-install.log"
STAND_INS: Final = CHECKOUT / "tests" / "stand_ins"
UNITS: Final = "statusproxy.service statusproxy.socket"
TRUTH: Final = {"sales": "disconnected", "support": "connected"}
CONFIG: Final = "/etc/statusproxy/config.yaml"
INSTALLER: Final = "/checkouts/first/systemd/install.sh"
LISTEN: Final = "/etc/systemd/system/statusproxy.socket.d/10-listen.conf"

#: Built as a user without rights, in a folder of that user's, from wheels alone. Not compressed: that takes as long as
#: all the rest.
BUILD: Final = (
    "cp -r /checkouts/first /build && chown -R 65534:65534 /build && cd /build && "
    "setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/build PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels "
    "SOURCE_DATE_EPOCH=1800000000 COMPRESSION=none bash packaging/deb/build.sh"
)

#: Another version, made of the package in /build/dist with another number and with what a command changes in it. It is
#: installed several times, and has not the packages of which the configuration uses nothing: a third of all files.
REPACK: Final = """
cd /repack && mv opt/statusproxy/$from opt/statusproxy/$to && ln -sfn $to opt/statusproxy/current
sed -i "s/^Version: $from~/Version: $to~/" DEBIAN/control
sed -i "s#/opt/statusproxy/$from/#/opt/statusproxy/$to/#" opt/statusproxy/$to/bin/statusproxy
cd opt/statusproxy/$to/lib/python3.11/site-packages
rm -r apprise redis oauthlib urllib3 markdown requests
cd statusproxy
sed -i "s/^__version__\\([^\\"]*\\).*/__version__\\1\\"$to\\"/" __init__.py
eval "$change"
python3 -m compileall -q -f --invalidation-mode unchecked-hash __init__.py assembly.py store/database.py
dpkg-deb --root-owner-group -Znone --build /repack /build/dist/statusproxy_$to~deb12_amd64.deb
"""

#: A new version with a new default configuration.
SECOND: Final = "printf '\\n# A new comment.\\n' >>/repack/etc/statusproxy/config.yaml"

#: A version that ends right after its start, having already written the state in a new way.
BROKEN: Final = """
sed -i 's/^SCHEMA: Final = 1$/SCHEMA: Final = 2/' store/database.py
sed -i 's/^    await registry.open()$/&\\n    raise RuntimeError("a new version that does not work")/' assembly.py
"""

#: What stands for commands of the page that the machine does not have; `make deb` gives what it has made before.
STAND_INS_FOR_COMMANDS: Final = {
    "git": "true",
    "curl": "/usr/bin/python3 -c 'import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read())' $2",
    "make": """
cd /checkout/dist || exit
version=1.0.0
if ls *.deb 2>/dev/null; then mkdir older; mv *.deb older/; version=2.0.0; fi
ln -s /build/dist/statusproxy_$version~deb12_amd64.deb .
echo "Building statusproxy_$version~deb12_amd64.deb with Python 3.11.2"
""",
}

#: apt, as an administrator without a terminal runs it.
APT: Final = "DEBIAN_FRONTEND=noninteractive apt-get --quiet --yes -o Dpkg::Options::=--force-confold"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(machines.lacking() is not None, reason=machines.lacking() or ""),
]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A booted machine with a stand-in gateway and the packages of three versions, the last of which does not work."""
    folder = tmp_path_factory.mktemp("deb")
    copy_checkout(folder / "checkouts" / "first", "1.0.0")
    LOG.parent.mkdir(exist_ok=True)
    LOG.unlink(missing_ok=True)
    try:
        roots.root_archive()
        wheels = roots.wheels()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the machine cannot be made here (a Debian mirror and wheels are needed the first time): {error}")
    offline = Path(shutil.copytree(wheels, folder / "offline"))
    build(folder / "checkouts" / "first", offline, "--wheel")
    binds = {
        "/checkouts": folder / "checkouts",
        "/offline": offline,
        "/wheels": wheels,
        "/stand-ins": STAND_INS,
    }
    with contextlib.ExitStack() as running:
        try:
            machine = running.enter_context(Machine(folder, LOG, read_only=binds))
        except machines.BootError as error:
            pytest.skip(str(error))
        # The machine is thrown away: no file has to be on the disk.
        machine.run("mkdir -p /run/test; echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/test")
        machine.run(BUILD)
        for version, change in (("2.0.0", SECOND), ("3.0.0", BROKEN)):
            machine.run(f"rm -rf /repack && dpkg-deb -R {deb('1.0.0')} /repack")
            machine.run(f"set -e; from=1.0.0 to={version} change={shell_word(change)}; {REPACK}")
        machine.run("rm -rf /repack /build/build")
        gateway = machine.start(["/usr/bin/python3", "/stand-ins/gateway.py", str(GATEWAY), "--total", "2"])
        running.enter_context(gateway)
        running.callback(gateway.kill)
        yield machine


@pytest.fixture(scope="module")
def lintian(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """lintian at work on the package, beside the other tests."""
    if shutil.which("lintian") is None:
        pytest.skip("lintian is missing: bash tests/install-peers.sh")
    command = ["lintian", "--allow-root", "--tag-display-limit", "0"]
    command += ["--suppress-tags", "uses-no-compression-for-data-tarball"]  # nor have users the package of this test
    package = machine.fetch(deb("1.0.0"), tmp_path_factory.mktemp("lintian"))
    with subprocess.Popen(
        [*command, str(package)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        yield running
        running.kill()


def deb(version: str) -> str:
    """Where the package of a version is."""
    return f"/build/dist/statusproxy_{version}~deb12_amd64.deb"


def shell_word(text: str) -> str:
    """A text as one word of the shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def installed(machine: Machine) -> str:
    """The version that `current` names, which must be dpkg's too."""
    version = machine.run("basename $(readlink /opt/statusproxy/current)").strip()
    assert machine.run("dpkg-query --show statusproxy").split()[1] == f"{version}~deb12"
    return version


def test_installed_used_upgraded_downgraded_removed_and_purged(
    machine: Machine, lintian: subprocess.Popen[str]
) -> None:
    traces = f"{FILES} | grep -v ' /var/lib/apt/'"
    before = machine.run(traces, quiet=True)

    machine.note("---- another program has the port: the package says so, and can be set up later ----")
    with another_program(machine, PROXY):
        said = machine.run(f"{APT} install {deb('1.0.0')}", expect=100)
        assert re.search(r":8090 \(`listen` in /etc/statusproxy/config\.yaml\) is held by python3 \(pid \d+\)", said)
        assert "then: dpkg --configure statusproxy" in said
    said = machine.run("dpkg --configure statusproxy")
    assert "statusproxy runs. Next:" in said

    machine.note("---- it serves ----")
    assert machine.run(f"systemctl is-active {UNITS}").split() == ["active", "active"]
    assert machine.run(f"systemctl is-enabled {UNITS}").split() == ["enabled", "enabled"]
    assert machine.run(f"systemd-analyze verify {UNITS}") == ""
    assert ask(machine, "/v1/webhooks/receive", UNLINKED)[0] == 200
    assert shown(machine) == TRUTH
    assert re.search(r"sales .*disconnected", machine.run("statusproxy sessions"))
    assert machine.run("which statusproxy").strip() == "/usr/bin/statusproxy"

    machine.note("---- nothing below /opt but what the package brought, also after commands of root's ----")
    machine.run(
        "statusproxy check >/dev/null; statusproxy doctor >/dev/null; statusproxy history >/dev/null", expect=None
    )
    assert (
        machine.run(
            "find /opt/statusproxy | sort >/run/test/there; dpkg -L statusproxy | grep ^/opt/statusproxy "
            "| sort | diff - /run/test/there"
        )
        == ""
    )
    assert machine.run("dpkg --verify statusproxy | grep -v /usr/share/", expect=1) == ""
    assert machine.run("grep -rIlF /build/build/ /opt/statusproxy", expect=1) == ""

    machine.note("---- install.sh keeps its hands off ----")
    said = machine.run(f"bash {INSTALLER} --uninstall --purge", expect=1)
    assert "installed here as a Debian package; nothing was changed" in said

    machine.note("---- another address; then a configuration that does not hold ----")
    machine.run(f"sed -i 's/^listen: .*/listen: 0.0.0.0:{PROXY}/' {CONFIG}; dpkg-reconfigure statusproxy")
    assert f" 0.0.0.0:{PROXY} " in machine.run("ss -Hltn")
    machine.run(f"sed -i 's/^listen:/# listen:/' {CONFIG}")
    assert "its default is 127.0.0.1:8090 now" in machine.run("dpkg-reconfigure statusproxy", expect=1)
    assert f" 0.0.0.0:{PROXY} " in machine.run("ss -Hltn")
    machine.run(f"sed -i 's/^# listen: .*/listen: 127.0.0.1:{PROXY}/' {CONFIG}; dpkg-reconfigure statusproxy")
    assert f" 127.0.0.1:{PROXY} " in machine.run("ss -Hltn")
    assert shown(machine) == TRUTH
    machine.run(f"sed -i 's/^gateway: /gateway: 7 # /' {CONFIG}")
    said = machine.run("dpkg-reconfigure statusproxy", expect=1)
    assert "does not accept the configuration (above); nothing was restarted" in said
    machine.run(f"sed -i 's/^gateway: 7 # /gateway: /' {CONFIG}; chmod 600 {CONFIG}")
    said = machine.run("dpkg-reconfigure statusproxy", expect=1)
    assert f"the service's user may not read {CONFIG}; nothing was restarted" in said
    machine.run(f"chmod 644 {CONFIG}")
    assert shown(machine) == TRUTH

    machine.note("---- upgraded under load, while an administrator thinks about the changed configuration ----")
    pid = main_pid(machine)
    machine.run(f"mkfifo /run/test/answer; echo '# A comment of ours.' >>{CONFIG}")
    with under_load(machine):
        script = f"dpkg -i {deb('2.0.0')} <>/run/test/answer >/run/test/said 2>&1; echo $? >>/run/test/said"
        upgrade = machine.start(["/bin/sh", "-c", script])
        machine.run("until grep -qE 'default=N|^[0-9]+$' /run/test/said; do sleep 0.1; done")
        machine.run("test ! -e /opt/statusproxy/1.0.0/bin -a -e /opt/statusproxy/2.0.0/bin")
        assert main_pid(machine) == pid
        assert ask(machine, "/v1/webhooks/receive", UNLINKED)[0] == 200
        machine.run("systemctl reload statusproxy; statusproxy sessions")
        assert shown(machine) == TRUTH
        machine.run("echo N >/run/test/answer")
        upgrade.communicate(timeout=600)
        assert machine.run("cat /run/test/said").endswith("[default=N] ? 0\n")
    assert main_pid(machine) != pid
    assert installed(machine) == "2.0.0"
    assert shown(machine) == TRUTH
    assert "A new comment" in machine.run(f"tail -n 1 {CONFIG}.dpkg-dist; rm {CONFIG}.dpkg-dist", quiet=True)
    assert machine.run(f"tail -n 1 {CONFIG}") == "# A comment of ours.\n"
    assert machine.run("ls -m /opt/statusproxy").strip() == "2.0.0, current"

    machine.note(
        "---- a version that does not work says so; the one before brings the state back that it can read ----"
    )
    said = machine.run(f"{APT} install {deb('3.0.0')}", expect=100)
    assert "| RuntimeError: a new version that does not work" in said
    assert "apt install --allow-downgrades ./statusproxy_2.0.0~deb12_*.deb" in said
    machine.run("dpkg --configure statusproxy", expect=1)
    said = machine.run(f"{APT} install --allow-downgrades {deb('2.0.0')}")
    assert "the state is again as it was before version 3.0.0~deb12" in said
    assert installed(machine) == "2.0.0"
    assert shown(machine) == TRUTH

    machine.note("---- downgraded under load ----")
    with under_load(machine):
        machine.run(f"{APT} install --allow-downgrades {deb('1.0.0')}")
    assert installed(machine) == "1.0.0"

    machine.note("---- one of several proxies is restarted in the service's place ----")
    machine.run(f"systemctl disable --now --quiet {UNITS}; systemctl enable --now --quiet statusproxy@8092")
    of_several = "systemctl show --property=MainPID --value statusproxy@8092"
    pid = machine.run(of_several)
    machine.run(f"{APT} install {deb('2.0.0')}")
    assert machine.run(of_several) not in (pid, "0\n")
    assert machine.run(f"systemctl is-active {UNITS}", expect=3).split() == ["inactive", "inactive"]
    machine.run(f"systemctl disable --now --quiet statusproxy@8092; systemctl enable --now --quiet {UNITS}")
    assert shown(machine) == TRUTH

    machine.note("---- removed; configuration and state stay, and serve the next installation ----")
    machine.run(f"{APT} remove statusproxy")
    assert f":{PROXY}" not in machine.run("ss -Hltn")
    machine.run(f"test -f {CONFIG} -a -f /var/lib/private/statusproxy/state.db")
    machine.run(f"test ! -e /opt/statusproxy -a ! -e /usr/bin/statusproxy -a ! -e {LISTEN}")
    machine.run(f"{APT} install {deb('2.0.0')}")
    assert shown(machine) == TRUTH

    machine.note("---- purged without a trace ----")
    machine.run(f"{APT} purge statusproxy")
    assert machine.run(traces, quiet=True).splitlines() == before.splitlines()

    machine.note("---- taken over from install.sh under load ----")
    # Nothing is compiled: 0 is how pip takes a variable of an option that begins with "no".
    machine.run(f"PIP_NO_COMPILE=0 bash {INSTALLER} --wheels /offline")
    assert ask(machine, "/v1/webhooks/receive", UNLINKED)[0] == 200
    with under_load(machine):
        said = machine.run(f"{APT} install {deb('1.0.0')}")
    assert "statusproxy was installed here by install.sh. This package takes over" in said
    assert "what install.sh had put in place is gone" in said
    assert machine.run("systemctl show --property=FragmentPath --value statusproxy").startswith("/lib/systemd/system/")
    assert machine.run(f"systemctl is-enabled {UNITS}").split() == ["enabled", "enabled"]
    assert machine.run("which statusproxy; ls -m /opt/statusproxy").split("\n")[:2] == [
        "/usr/bin/statusproxy",
        "1.0.0, current",
    ]

    machine.note("---- back to install.sh: dpkg forgets the package, and no purge takes the configuration away ----")
    machine.run(f"echo '# A comment of ours.' >>{CONFIG}; {APT} remove statusproxy")
    machine.run(f"PIP_NO_COMPILE=0 bash {INSTALLER} --wheels /offline")
    machine.run("dpkg-query --show statusproxy", expect=1)
    assert machine.run(f"tail -n 1 {CONFIG}") == "# A comment of ours.\n"
    machine.run("systemctl restart statusproxy")
    assert shown(machine) == TRUTH

    machine.note("---- a version that fails to take over is purged with all that install.sh had put there ----")
    machine.run(f"{APT} install {deb('3.0.0')}", expect=100)
    machine.run(f"{APT} purge statusproxy")
    assert machine.run(traces, quiet=True).splitlines() == before.splitlines()


def test_it_has_what_a_package_of_debian_s_has(machine: Machine) -> None:
    listed = machine.run(f"dpkg-deb --contents {deb('1.0.0')}", quiet=True)
    for path in (
        "usr/share/man/man1/statusproxy.1.gz",
        "usr/share/doc/statusproxy/changelog.gz",
        "usr/share/doc/statusproxy/copyright",
        "usr/share/bash-completion/completions/statusproxy",
        "usr/share/zsh/vendor-completions/_statusproxy",
        "usr/share/fish/vendor_completions.d/statusproxy.fish",
        "usr/lib/systemd/system/statusproxy@.service",
    ):
        assert re.search(rf"^-rw-r--r-- root/root +[1-9]\d* .* \./{re.escape(path)}$", listed, re.MULTILINE), path
    assert re.search(r"^drwx------ .* \./etc/statusproxy/secrets/$", listed, re.MULTILINE)
    depends = machine.run(f"dpkg-deb --field {deb('1.0.0')} Depends").strip().split(", ")
    assert {"python3 (>= 3.11)", "python3 (<< 3.12)", "systemd (>= 252)", "libc6"} <= set(depends)
    assert machine.run(f"dpkg-deb --info {deb('1.0.0')} conffiles") == "/etc/statusproxy/config.yaml\n"


@pytest.mark.parametrize("page", ["docs/debian.md", "docs/pt-BR/debian.md"])
def test_both_languages_have_the_same_blocks(page: str) -> None:
    here, english = (blocks((CHECKOUT / name).read_text()) for name in (page, "docs/debian.md"))
    assert [(each.language, each.text) for each in here] == [(each.language, each.text) for each in english]


def test_every_block_of_the_page_does_what_it_promises(machine: Machine) -> None:
    def bash(script: str) -> tuple[int, str]:
        running = machine.start(["/bin/bash", "-c", script])
        said, _ = running.communicate(timeout=600)
        machine.note(f"{script}\n-> {running.returncode}\n{said}")
        return running.returncode, said

    for name, script in STAND_INS_FOR_COMMANDS.items():
        path = f"/usr/local/bin/{name}"
        machine.run(f"printf '%s\\n' '#!/bin/sh' {shell_word(script)} >{path}; chmod +x {path}")
    # Who reads the page keeps the configuration when apt asks.
    machine.run("mkdir -p /checkout/dist; echo force-confold >>/etc/dpkg/dpkg.cfg.d/test")
    shell = Shell(bash, "/run/test/shell", "/checkout")
    for step in steps((CHECKOUT / "docs" / "debian.md").read_text()):
        shell.paste("docs/debian.md", step)


def test_lintian_finds_nothing_that_is_not_explained(lintian: subprocess.Popen[str]) -> None:
    said, _ = lintian.communicate(timeout=600)
    assert said == ""
    assert lintian.returncode == 0
