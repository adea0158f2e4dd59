"""The container image: built once, then run as its users run it, confined to a read-only root and no capabilities."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from statusproxy import __version__
from tests.docs.pages import blocks, steps
from tests.docs.shell import Shell
from tests.packaging.containers import BASE, CHECKOUT, IMAGE, CannotRunError, Containers, containers, lacking
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

PAGE: Final = CHECKOUT / "docs" / "docker.md"
PORTUGUESE: Final = CHECKOUT / "docs" / "pt-BR" / "docker.md"
COMPOSE: Final = "compose.yaml"
CONFINED: Final = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none")

#: What these tests themselves run there, as the environment of the tests is on no PATH.
BIN: Final = Path(sys.executable).parent

#: Docker as far as the page needs it: Podman does the same, and the image is there.
DOCKER: Final = """#!/bin/bash
[ "$1" = compose ] || exec podman "$@"
shift
exec {compose} "${{@/--build/--no-build}}"
"""

LIST: Final = "http://127.0.0.1:8090/api/channels/sales"
ADMIN: Final = "http://127.0.0.1:8091"
MEDIA_BYTES: Final = 32 << 20


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    """Where the image is built; each test leaves nothing running."""
    reason = lacking()
    if reason is not None:
        pytest.skip(reason)
    try:
        with containers(tmp_path_factory.mktemp("containers") / "place") as made:
            made.bring_base()
            made.build()
            yield made
    except CannotRunError as error:
        pytest.skip(str(error))


@contextmanager
def up(place: Containers, file: str, *more: str) -> Iterator[None]:
    """The services of a Compose file, and of more laid over it, from up to down; volumes go too."""
    files = [f"--file={each}" for each in (file, *more)]
    try:
        compose(place, *files, "up", "-d", "--no-build")
        yield
    finally:
        compose(place, *files, "down", "--volumes")


def compose(place: Containers, *command: str) -> str:
    """podman-compose reads what Docker Compose reads."""
    return place.run(str(BIN / "podman-compose"), *command)


def inspected(place: Containers, what: str, name: str) -> dict[str, Any]:
    """What podman knows of an image or container."""
    (one,) = json.loads(place.run("podman", what, "inspect", name))
    found: dict[str, Any] = one
    return found


def status_of(place: Containers, url: str) -> str | None:
    """The status of the session `sales`, None while there is no answer."""
    code, body = place.get(url)
    return json.loads(body)["channel"]["status"] if code == 200 else None


def test_the_image_says_what_it_is_and_how_it_is_run(place: Containers) -> None:
    image = inspected(place, "image", IMAGE)
    config = image["Config"]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert labels["title"] == "statusproxy"
    assert labels["version"] == __version__
    assert labels["licenses"] == "MIT"
    assert {"description", "revision", "created"} <= labels.keys()
    assert labels["base.name"] == BASE
    assert labels["base.digest"] == place.digest(BASE)
    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Entrypoint"] == ["statusproxy"]
    assert config["Cmd"] == ["run"]
    assert config["Volumes"] == {"/var/lib/statusproxy": {}}
    assert set(config["ExposedPorts"]) == {"8090/tcp", "8091/tcp"}
    assert image["Healthcheck"]["Test"] == ["CMD", "statusproxy", "health"]
    assert f"{IMAGE}:{__version__}" in image["RepoTags"]


def test_the_image_holds_only_what_runs(place: Containers) -> None:
    look = "ls /opt/statusproxy/lib/python3.*/site-packages /opt/statusproxy/bin; ls / /src /opt/pip 2>&1 || true"
    found = place.once(*CONFINED, "--entrypoint=/bin/sh", IMAGE, "-c", look)
    assert "uvloop" in found
    assert "apprise" in found
    assert "redis" in found
    assert "jwt" in found
    assert not {"pip", "pytest", "hatchling", "tests"} & set(found.split())
    assert "cannot access '/src'" in found
    assert "cannot access '/opt/pip'" in found


def test_without_a_gateway_it_says_which_variable_is_missing(place: Containers) -> None:
    assert "STATUSPROXY_GATEWAY is not set" in place.once(*CONFINED, IMAGE, "run", expect=2)


def test_health_is_1_where_no_proxy_runs(place: Containers) -> None:
    said = place.once(*CONFINED, "--env=STATUSPROXY_GATEWAY=http://127.0.0.1:9", IMAGE, "health", expect=1)
    assert "127.0.0.1:8091" in said or "0.0.0.0:8091" in said


def test_it_serves_with_a_state_that_cannot_be_written_and_with_a_secret_for_a_token(
    place: Containers, tmp_path: Path
) -> None:
    secret = tmp_path / "token"
    secret.write_text("a-token-of-ours\n")
    secret.chmod(0o644)
    os.chown(tmp_path, 0, 0)
    tmp_path.chmod(0o755)
    given = ["--env=STATUSPROXY_GATEWAY=http://127.0.0.1:9", f"--volume={tmp_path}:/var/lib/statusproxy"]
    kept = "/var/lib/statusproxy/admin-token"
    name = place.run("podman", "run", "--detach", *CONFINED, *given, IMAGE).strip()
    try:
        serves(place, name)
        assert f"cannot write {kept}: mount a volume" in place.run("sh", "-c", f"podman logs {name} 2>&1")
        # The commands have a token all the same, so they can say what is wrong.
        unready = f"podman exec {name} statusproxy health --ready 2>&1"
        assert "store: permission denied" in place.run("sh", "-c", unready, expect=1)
    finally:
        place.run("podman", "rm", "--force", "--time=0", name)
    given[1] = f"--volume={secret}:/run/secrets/STATUSPROXY_ADMIN_TOKEN:ro"
    name = place.run("podman", "run", "--detach", *CONFINED, *given, IMAGE).strip()
    try:
        serves(place, name)
        place.run("podman", "exec", name, "statusproxy", "sessions")
        asked = (
            "import urllib.request as r; print(r.urlopen(r.Request('http://127.0.0.1:8091/sessions',"
            "headers={'Authorization': 'Bearer a-token-of-ours'})).status)"
        )
        assert place.run("podman", "exec", name, "python3", "-c", asked) == "200\n"
        place.run("podman", "exec", name, "test", "-e", kept, expect=1)
    finally:
        place.run("podman", "rm", "--force", "--time=0", name)


def test_a_token_or_secret_that_cannot_be_used_is_named(place: Containers, tmp_path: Path) -> None:
    file = tmp_path / "theirs"
    file.write_text("a-token-of-root\n")
    file.chmod(0o600)
    given = "--env=STATUSPROXY_GATEWAY=http://127.0.0.1:9"
    secret = "/run/secrets/STATUSPROXY_ADMIN_TOKEN"
    said = place.once(*CONFINED, given, f"--volume={file}:{secret}:ro", IMAGE, "run", expect=2)
    assert f"cannot read the secret {secret}: user 10001" in said
    # podman-compose 1.0.3 hands on the text of the Compose file, which everyone can read.
    said = place.once(*CONFINED, given, "--env=STATUSPROXY_ADMIN_TOKEN=${ADMIN_TOKEN:-}", IMAGE, expect=2)
    assert "did not fill in the variable" in said
    kept = "/var/lib/statusproxy/admin-token"
    name = place.run("podman", "run", "--detach", *CONFINED, given, f"--volume={file}:{kept}:ro", IMAGE).strip()
    try:
        serves(place, name)
        assert f"cannot read {kept}: give it to user 10001" in place.run("sh", "-c", f"podman logs {name} 2>&1")
        place.run("podman", "exec", name, "statusproxy", "sessions")
    finally:
        place.run("podman", "rm", "--force", "--time=0", name)


def serves(place: Containers, container: str) -> None:
    """Wait until the proxy serves, as its log says, and see that the image's own check says so."""
    said: list[str] = []
    with place.start("sh", "-c", f"exec podman logs --follow {container} 2>&1") as log:
        assert log.stdout is not None
        for line in log.stdout:
            said.append(line)
            if "admin on" in line:
                break
        else:
            pytest.fail("it ended:\n" + "".join(said))
        log.kill()
    place.run("podman", "healthcheck", "run", container)


def test_sigterm_lets_requests_under_way_finish_and_ends_with_0(place: Containers, tmp_path: Path) -> None:
    # A configuration of one's own takes the place of the image's, here for a drain that no busy machine exceeds.
    own, over = tmp_path / "config.yaml", tmp_path / "compose.override.yaml"
    own.write_text((CHECKOUT / "packaging" / "container" / "config.yaml").read_text() + "timeouts: {drain: 10m}\n")
    own.chmod(0o644)
    mount = f"{own}:/etc/statusproxy/config.yaml:ro"
    over.write_text(json.dumps({"services": {"statusproxy": {"volumes": [mount], "stop_grace_period": "10m"}}}))
    with up(place, COMPOSE, str(over)):
        service = "statusproxy_statusproxy_1"
        serves(place, service)
        wait_until(lambda: status_of(place, LIST) == "connected", "the list passes")
        # Confined: not root, no capability, a root that cannot be written; and page and metrics want the token.
        process = place.run("podman", "exec", service, "cat", "/proc/1/status")
        fields = dict(line.split(":\t", 1) for line in process.splitlines())
        assert fields["Uid"].split() == ["10001"] * 4
        assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
        assert fields["NoNewPrivs"] == "1"
        place.run("podman", "exec", service, "touch", "/opt/x", expect=1)
        assert place.get(f"{ADMIN}/metrics")[0] == 401
        # SIGHUP reaches the proxy through the script that started it.
        place.run("podman", "kill", "--signal=SIGHUP", service)
        logs = ("sh", "-c", f"podman logs {service} 2>&1")
        wait_until(lambda: "configuration reloaded" in place.run(*logs), "the configuration is read again")
        url = f"http://127.0.0.1:8090/api/media/sales/1?bytes={MEDIA_BYTES}"
        reader = place.start(sys.executable, str(CHECKOUT / "tests" / "packaging" / "slow_reader.py"), url)
        with reader:
            assert reader.stdout is not None
            assert reader.stdin is not None
            assert reader.stdout.readline() == "begun\n"
            with place.start("podman", "stop", "--time=600", service) as stopping:
                wait_until(lambda: place.get(LIST)[0] == 0, "new connections are refused")
                print("read on", file=reader.stdin, flush=True)
                assert int(reader.stdout.readline()) == MEDIA_BYTES
                stopping.communicate()
            assert stopping.returncode == 0
        assert inspected(place, "container", service)["State"]["ExitCode"] == 0
        place.run("podman", "stop", "--time=600", "statusproxy_gateway_1")
        assert inspected(place, "container", "statusproxy_gateway_1")["State"]["ExitCode"] == 0


def test_every_block_of_the_page_does_what_it_promises(place: Containers, tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.write_text(DOCKER.format(compose=BIN / "podman-compose"))
    docker.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"

    def bash(script: str) -> tuple[int, str]:
        done = subprocess.run(
            place.command("bash", "-c", script),
            env=place.environment | {"PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    shell = Shell(bash, str(tmp_path / "session"), str(CHECKOUT))
    try:
        for step in steps(PAGE.read_text()):
            shell.paste("docs/docker.md", step)
    finally:
        compose(place, f"--file={COMPOSE}", "down", "--volumes")
        Path("/tmp/statusproxy-copy.db").unlink(missing_ok=True)  # the page's copy of the state


def test_both_languages_have_the_same_blocks() -> None:
    def shown(page: Path) -> list[tuple[str, str]]:
        """Its blocks; comments are in its own language."""
        return [(block.language, re.sub(r" *#.*", "", block.text)) for block in blocks(page.read_text())]

    assert shown(PORTUGUESE) == shown(PAGE)


def test_the_sbom_names_each_distribution_in_the_image(place: Containers) -> None:
    read = "import importlib.metadata as m; print(*(f'{d.name}=={d.version}' for d in m.distributions()), sep='\\n')"
    python = ["--entrypoint=/opt/statusproxy/bin/python", IMAGE, "-c", read]
    inside = place.once(*CONFINED, *python)
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    listed = json.loads(place.run("packaging/container/sbom.sh", IMAGE, ENGINE="podman", PATH=path))
    assert (listed["bomFormat"], listed["specVersion"]) == ("CycloneDX", "1.6")
    assert {f"{one['name']}=={one['version']}" for one in listed["components"]} == set(inside.split())
    assert f"statusproxy=={__version__}" in inside.split()
