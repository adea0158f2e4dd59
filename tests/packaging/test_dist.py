"""The wheel and the source distribution: what is in them, what they say of themselves, and that they work."""

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from readme_renderer.markdown import render

from statusproxy import __version__
from tests.docs.pages import ROOT
from tests.packaging.building import build, tool

pytestmark = pytest.mark.slow

NAME = f"statusproxy-{__version__}"

#: What tests read beside the program itself.
TOP = {
    "statusproxy", "tests", "docs", "systemd", "monitoring", "benchmarks", "config.yaml", "constraints.txt", "Makefile",
    "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "pyproject.toml",
}  # fmt: skip


class Made(NamedTuple):
    """The two archives, and the source distribution unpacked."""

    wheel: Path
    sdist: Path
    unpacked: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """They are built once."""
    folder = tmp_path_factory.mktemp("dist")
    build(ROOT, folder)
    wheel, sdist = folder / f"{NAME}-py3-none-any.whl", folder / f"{NAME}.tar.gz"
    assert set(folder.iterdir()) == {wheel, sdist}
    with tarfile.open(sdist) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4
        archive.extractall(folder)
    return Made(wheel, sdist, folder / NAME)


@pytest.fixture(scope="module")
def metadata(made: Made) -> Message:
    """What the wheel says of itself."""
    with zipfile.ZipFile(made.wheel) as wheel:
        return message_from_string(wheel.read(f"{NAME}.dist-info/METADATA").decode())


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_an_index_would_accept_both(made: Made) -> None:
    done = tool("twine", "check", "--strict", made.wheel, made.sdist)
    assert (done.returncode, done.stdout.count("PASSED")) == (0, 2), done.stdout + done.stderr


def test_the_wheel_holds_the_package_once_and_nothing_else(made: Made) -> None:
    done = tool("check_wheel_contents", made.wheel)
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(made.wheel) as wheel:
        names = set(wheel.namelist())
    files = [path for path in (ROOT / "statusproxy").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    source = {str(path.relative_to(ROOT)) for path in files} - {"statusproxy/cli/statusproxy.1"}
    assert {name for name in names if name.startswith("statusproxy/")} == source
    assert {name for name in names if not name.startswith("statusproxy/")} == {
        f"{NAME}.data/data/share/man/man1/statusproxy.1",
        *(
            f"{NAME}.dist-info/{name}"
            for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
        ),
    }


def test_types_are_marked_and_the_licence_is_named_and_included(made: Made, metadata: Message) -> None:
    with zipfile.ZipFile(made.wheel) as wheel:
        assert wheel.read("statusproxy/py.typed") == b""
        assert wheel.read(f"{NAME}.dist-info/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert (metadata["License-Expression"], metadata["License-File"]) == ("MIT", "LICENSE")
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])


def test_no_address_of_the_project_is_made_up(metadata: Message) -> None:
    assert {"Home-page", "Project-URL", "Download-URL", "Author-email"} & set(metadata) == set()


def test_a_plain_install_is_as_fast_as_the_service_and_extras_are_as_documented(metadata: Message) -> None:
    needs = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
    linux = {"platform_python_implementation": "CPython", "sys_platform": "linux", "extra": ""}
    plain = {
        version: {
            each.name
            for each in needs
            if each.marker is None or each.marker.evaluate({**linux, "python_version": version})
        }
        for version in ("3.11", "3.14")
    }
    assert {"uvloop", "brotli", "backports-zstd"} <= plain["3.11"]
    assert plain["3.11"] - plain["3.14"] == {"backports-zstd"}  # Python 3.14 has it itself
    elsewhere = {**linux, "platform_python_implementation": "PyPy", "python_version": "3.11"}
    assert not {"uvloop", "brotli"} & {
        each.name for each in needs if each.marker is None or each.marker.evaluate(elsewhere)
    }
    assert not {"redis", "apprise", "PyJWT"} & plain["3.11"]
    assert set(metadata.get_all("Provides-Extra", [])) == {
        "alerts", "codings", "fast", "jwt", "redis", "release", "test",
    }  # fmt: skip


def test_each_python_of_the_classifiers_is_allowed(metadata: Message) -> None:
    named = re.findall(r"Python :: (3\.\d+)$", "\n".join(metadata.get_all("Classifier", [])), re.MULTILINE)
    assert named == ["3.11", "3.12", "3.13", "3.14"]
    assert metadata["Requires-Python"] == ">=3.11"


def test_the_long_description_is_the_readme_without_pictures_and_dead_links(metadata: Message) -> None:
    text = metadata.get_payload()
    assert isinstance(text, str)
    assert metadata["Description-Content-Type"] == "text/markdown"
    page = render(text)
    assert page is not None
    assert re.findall(r"<(?:img|picture|source)\b", page) == []
    links = re.findall(r'href="(?!#user-content-)([^"]*)"', page)  # headings have such anchors
    assert [link for link in links if not link.startswith(("https://", "http://", "mailto:"))] == []
    headings = re.findall(r"^#+ .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert [heading for heading in headings if re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) not in text] == []
    assert "pages of `docs/`" in text


def test_the_source_distribution_builds_the_same_wheel_as_the_checkout(made: Made, tmp_path: Path) -> None:
    build(ROOT, tmp_path, "--wheel")
    assert sha256(tmp_path / made.wheel.name) == sha256(made.wheel)


def test_it_builds_the_same_source_distribution_again(made: Made, tmp_path: Path) -> None:
    build(made.unpacked, tmp_path, "--sdist")
    assert sha256(tmp_path / made.sdist.name) == sha256(made.sdist)


def test_it_holds_what_its_tests_read_and_they_run(made: Made) -> None:
    assert {path.name for path in made.unpacked.iterdir()} >= TOP
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0"]
    done = subprocess.run(
        [*command, "tests/cli/test_version.py", "tests/test_man.py", "tests/presets/test_gateway_wrapper.py"],
        cwd=made.unpacked, env=environ, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_but_what_belongs_to_it_is_in_it(made: Made) -> None:
    with tarfile.open(made.sdist) as archive:
        names = archive.getnames()
    assert [name for name in names if re.search(r"__pycache__|\.pyc$|node_modules|\.venv|\.db$|/\.git/", name)] == []
    assert made.sdist.stat().st_size < 8 * 1024**2


def test_the_build_tools_are_pinned_for_make_dist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pins = {
        line.partition("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
    }
    release = {Requirement(text).name.lower() for text in project["project"]["optional-dependencies"]["release"]}
    assert {Requirement(text).name.lower() for text in project["build-system"]["requires"]} <= release <= pins


def test_the_wheel_runs_with_what_it_says_it_needs(made: Made, tmp_path: Path) -> None:
    """Its own files, and nothing of the checkout: as unpacked by an installer."""
    with zipfile.ZipFile(made.wheel) as wheel:
        wheel.extractall(tmp_path)
    script = "import statusproxy, statusproxy.__main__ as it; print(statusproxy.__file__); it.main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "check", "--gateway", "http://127.0.0.1:3000", "--json"],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "STATUSPROXY_CONFIG": ""},
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, str(tmp_path / "statusproxy/__init__.py")), done.stderr
    assert '"listen": [' in done.stdout
