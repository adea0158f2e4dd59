"""The files of the container: Compose files that Compose understands, and an image that is built of what is there."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from statusproxy.config.load import load
from tests.docs.pages import blocks
from tests.systemd.roots import CHECKOUT

COMPOSE: Final = CHECKOUT / "compose.yaml"
TAKEOVER: Final = CHECKOUT / "packaging" / "container" / "compose.takeover.yaml"
CONFIG: Final = CHECKOUT / "packaging" / "container" / "config.yaml"
DOCKERFILE: Final = CHECKOUT / "Dockerfile"

BOTH: Final = pytest.mark.parametrize("file", [COMPOSE, TAKEOVER], ids=["try", "takeover"])


def services(file: Path) -> dict[str, dict[str, Any]]:
    """The services of a Compose file, their anchors resolved."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(file.read_text(encoding="utf-8"))["services"]
    return found


def shown() -> list[str]:
    """The YAML of the page."""
    page = (CHECKOUT / "docs" / "docker.md").read_text(encoding="utf-8")
    return [block.text for block in blocks(page) if block.language == "yaml"]


@pytest.mark.slow
def test_the_compose_files_follow_the_schema_and_those_that_the_page_shows(tmp_path: Path) -> None:
    files = [COMPOSE, TAKEOVER]
    for number, text in enumerate(each for each in shown() if "services:" in each):
        files.append(tmp_path / f"shown-{number}.yaml")
        files[-1].write_text(text, encoding="utf-8")
    assert len(files) == 4
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration_that_the_page_shows_is_right(tmp_path: Path) -> None:
    (text,) = (each for each in shown() if "services:" not in each)
    file = tmp_path / "config.yaml"
    file.write_text(text, encoding="utf-8")
    settings = load(file, None, {"STATUSPROXY_ADMIN_TOKEN": "made-at-the-first-start"})
    assert settings.log.access is not False


@BOTH
def test_every_service_is_confined_and_published_on_loopback_only(file: Path) -> None:
    for service in services(file).values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@BOTH
def test_the_image_is_built_of_the_checkout_by_one_service_alone(file: Path) -> None:
    # Compose builds all at once, and a second build of a tag ends with "already exists" in a current Docker.
    assert {service["image"] for service in services(file).values()} == {"statusproxy"}
    (built,) = (service["build"] for service in services(file).values() if "build" in service)
    assert (file.parent / built["context"]).resolve() == CHECKOUT
    assert all(service.get("pull_policy") == "never" for service in services(file).values() if "build" not in service)


@BOTH
def test_the_health_check_is_the_image_s_where_podman_builds_the_image(file: Path) -> None:
    # An image in the format of OCI, as Podman builds it, has no HEALTHCHECK.
    found = re.search(r"^HEALTHCHECK (.*) CMD (\[.*\])$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    options = dict(re.findall(r"--([\w-]+)=(\w+)", found[1]))
    check = services(file)["statusproxy"]["healthcheck"]
    assert check.pop("test") == ["CMD", *json.loads(found[2])]
    assert {name.replace("_", "-"): str(value) for name, value in check.items()} == options


@BOTH
def test_the_image_s_configuration_is_right_with_what_each_file_gives(file: Path) -> None:
    given = {
        name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", value)
        for name, value in services(file)["statusproxy"]["environment"].items()
    }
    settings = load(CONFIG, None, given | {"STATUSPROXY_ADMIN_TOKEN": "made-at-the-first-start"})
    gateway = next(name for name in services(file) if name != "statusproxy")
    assert str(settings.gateway) == f"http://{gateway}:3000"
    (listen,) = settings.listen
    port = 8090 if file == COMPOSE else 3000
    assert str(listen) == f"0.0.0.0:{port}"
    assert f"127.0.0.1:{port}:{port}" in services(file)["statusproxy"]["ports"]
    assert str(settings.admin.listen) == "0.0.0.0:8091"


def test_the_trial_can_run_beside_a_gateway_on_its_port() -> None:
    assert services(COMPOSE)["gateway"]["ports"] == ["127.0.0.1:${STAND_IN_PORT:-3000}:3000"]


def test_the_drain_is_over_before_the_container_is_killed() -> None:
    settings = load(CONFIG, None, {"STATUSPROXY_GATEWAY": "http://gateway:3000", "STATUSPROXY_ADMIN_TOKEN": "a-token"})
    for file in (COMPOSE, TAKEOVER):
        grace = services(file)["statusproxy"]["stop_grace_period"]
        assert float(grace.removesuffix("s")) > settings.timeouts.drain


def test_the_build_is_given_each_file_that_it_copies_and_nothing_else() -> None:
    ignored = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    given = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = set()
    for line in DOCKERFILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            copied |= set(shlex.split(line)[1:-1])
    assert "*" in ignored
    assert given == copied
    assert all((CHECKOUT / name).exists() for name in copied)


def test_both_stages_stand_on_the_base_that_the_digest_pins() -> None:
    stages = [
        line.split()[1] for line in DOCKERFILE.read_text(encoding="utf-8").splitlines() if line.startswith("FROM")
    ]
    assert stages == ["${PYTHON_IMAGE}${PYTHON_DIGEST:+@${PYTHON_DIGEST}}"] * 2


def test_the_label_describes_it_as_the_package_does() -> None:
    project = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^description = (".*")$', project, re.MULTILINE)
    assert found is not None
    assert f"image.description={json.dumps(json.loads(found[1]))}" in DOCKERFILE.read_text(encoding="utf-8")
