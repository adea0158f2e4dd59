"""A release: the same bytes for the same commit, with hashes, changes and tag; and what is refused."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.pages import ROOT

SCRIPT = Path("packaging/release.py")
CHANGES = "# Changes\n\n## 1.2.3 (2026-02-03)\n\n### Fixed\n\n- One thing.\n\n## 1.2.2 (2026-01-01)\n\n- Another.\n"

#: Whoever runs the tests: git reads no configuration of theirs.
IDENTITY = {
    **os.environ,
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
    **{f"GIT_{who}_{what}": "a@b.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    "GIT_COMMITTER_DATE": "2026-02-03T04:05:06Z",
}  # fmt: skip


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder."""
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, env=IDENTITY, capture_output=True, text=True, check=True).stdout.strip()


def committed(folder: Path) -> Path:
    """The folder as a repository with one commit."""
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Everything")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with nothing but what the script reads."""
    (tmp_path / "statusproxy").mkdir()
    (tmp_path / "statusproxy/__init__.py").write_text('"""It."""\n\n__version__ = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGES)
    (tmp_path / ".gitignore").write_text("dist/\n")
    return committed(tmp_path)


@pytest.fixture
def script(project: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, about that project; what is built is one file."""
    spec = importlib.util.spec_from_file_location("release", ROOT / SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for key, value in IDENTITY.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(module, "ROOT", project)
    monkeypatch.setattr(module, "build", lambda folder, _, deb: (folder / "made.whl").write_text(f"deb={deb}"))
    return module


def tags(project: Path) -> str:
    return git(project, "tag", "--list")


def test_it_writes_hashes_and_changes_and_sets_the_tag(
    script: ModuleType, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script.release(dry_run=False, deb=True)
    folder = project / "dist/1.2.3"
    assert (folder / "CHANGES.md").read_text() == "### Fixed\n\n- One thing.\n"
    lines = [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in ("CHANGES.md", "made.whl")
    ]
    assert (folder / "SHA256SUMS").read_text() == "".join(lines)
    assert git(project, "tag", "--list", "--format=%(contents)") == "statusproxy 1.2.3\n\n### Fixed\n\n- One thing."
    assert git(project, "rev-parse", "v1.2.3^{commit}") == git(project, "rev-parse", "HEAD")
    said = capsys.readouterr().out
    assert said.startswith("".join(lines))
    assert said.endswith("made in dist/1.2.3\ntagged v1.2.3; it is not pushed, and nothing was uploaded\n")


def test_made_again_it_leaves_the_tag_and_nothing_of_the_run_before(
    script: ModuleType, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script.release(dry_run=False, deb=True)
    (project / "dist/1.2.3/stale.whl").touch()
    script.release(dry_run=False, deb=False)
    assert capsys.readouterr().out.endswith("the tag v1.2.3 was there already\n")
    assert {path.name for path in (project / "dist/1.2.3").iterdir()} == {"made.whl", "CHANGES.md", "SHA256SUMS"}
    assert (project / "dist/1.2.3/made.whl").read_text() == "deb=False"


def test_a_dry_run_sets_no_tag(script: ModuleType, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script.release(dry_run=True, deb=True)
    assert tags(project) == ""
    assert "no tag: this was a dry run; without --dry-run it is v1.2.3" in capsys.readouterr().out


def test_a_change_that_is_not_committed_is_refused(script: ModuleType, project: Path) -> None:
    (project / "stray.py").touch()
    with pytest.raises(script.RefusedError, match=r"commit or remove these changes first:\n\?\? stray\.py"):
        script.release(dry_run=True, deb=True)
    assert not (project / "dist").exists()


def test_a_tag_of_another_commit_is_refused(script: ModuleType, project: Path) -> None:
    git(project, "tag", "v1.2.3")
    git(project, "commit", "--quiet", "--allow-empty", "--message", "More")
    with pytest.raises(script.RefusedError, match=r"the tag v1\.2\.3 names another commit"):
        script.release(dry_run=True, deb=True)


@pytest.mark.parametrize(
    "text",
    [
        CHANGES.replace("(2026-02-03)", "(unreleased)"),
        CHANGES.replace("(2026-02-03)", "(2026-02-30)"),
        CHANGES.replace("1.2.3", "1.2.4"),
        "# Changes\n",
    ],
)
def test_a_version_without_a_dated_heading_is_refused(script: ModuleType, text: str) -> None:
    with pytest.raises(script.RefusedError, match=r"write the day of the release: ## 1\.2\.3 \(2026-01-31\)"):
        script.read_changes(text, "1.2.3")


def test_a_version_of_which_nothing_is_said_is_refused(script: ModuleType) -> None:
    with pytest.raises(script.RefusedError, match=r"says nothing of 1\.2\.3"):
        script.read_changes("## 1.2.3 (2026-02-03)\n\n## 1.2.2 (2026-01-01)\n\n- Another.\n", "1.2.3")


def test_a_package_without_a_version_is_refused(script: ModuleType) -> None:
    with pytest.raises(script.RefusedError, match="has no __version__"):
        script.read_version("")


def test_a_step_that_fails_is_shown_with_what_it_said(script: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(script.RefusedError, match="exit code 3:\nout\nerr\n"):
        script.run(["sh", "-c", "echo out; echo err >&2; exit 3"], tmp_path, {**os.environ})


@pytest.mark.slow
def test_the_same_commit_gives_the_same_bytes_whoever_builds_it(tmp_path: Path) -> None:
    first = tmp_path / "first"
    shutil.copytree(ROOT / "statusproxy", first / "statusproxy", ignore=shutil.ignore_patterns("__pycache__"))
    (first / "packaging/deb").mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE", "config.yaml", ".gitignore", str(SCRIPT)):
        shutil.copyfile(ROOT / name, first / name)
    (first / "CHANGELOG.md").write_text(CHANGES)
    (first / "statusproxy/__init__.py").write_text('"""It."""\n\n__version__ = "1.2.3"\n')
    (first / "packaging/deb/build.sh").write_text("mkdir dist && echo $SOURCE_DATE_EPOCH >dist/it_1.2.3~deb12.deb\n")
    second = tmp_path / "elsewhere" / "second"
    git(tmp_path, "clone", "--quiet", str(committed(first)), str(second))

    release(first, umask=0o022, TZ="UTC")
    release(second, umask=0o077, TZ="America/Sao_Paulo", LC_ALL="C", PYTHONHASHSEED="7")
    made, again = first / "dist/1.2.3", second / "dist/1.2.3"
    names = [
        "CHANGES.md", "SHA256SUMS", "it_1.2.3~deb12.deb", "statusproxy-1.2.3-py3-none-any.whl",
        "statusproxy-1.2.3.tar.gz",
    ]  # fmt: skip
    assert sorted(path.name for path in made.iterdir()) == sorted(path.name for path in again.iterdir()) == names
    assert [name for name in names if (made / name).read_bytes() != (again / name).read_bytes()] == []
    assert (made / "it_1.2.3~deb12.deb").read_text() == "1770091506\n", "the commit's time"
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=made, check=True)
    assert tags(first) == ""


def release(folder: Path, umask: int, **environ: str) -> None:
    """Run the script of a checkout."""
    done = subprocess.run(
        [sys.executable, str(folder / SCRIPT), "--dry-run"],
        env={**IDENTITY, **environ}, umask=umask, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no tag: this was a dry run" in done.stdout


@pytest.mark.slow
def test_what_is_refused_is_one_message_and_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "packaging").mkdir()
    shutil.copyfile(ROOT / SCRIPT, tmp_path / SCRIPT)
    done = subprocess.run(
        [sys.executable, str(tmp_path / SCRIPT), "--no-deb"],
        env={**IDENTITY, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("release.py: git status failed: ")


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_an_export_is_the_commit_whoever_makes_it(project: Path, script: ModuleType, tmp_path: Path, mask: int) -> None:
    """Also with a Python that has no filters of archives (before 3.11.4, as in Debian 12)."""
    (project / "CHANGELOG.md").write_text("not committed")
    source = tmp_path / "source"
    before = os.umask(mask)
    try:
        script.export(git(project, "rev-parse", "HEAD"), source)
    finally:
        os.umask(before)
    assert (source / "CHANGELOG.md").read_text() == CHANGES
    assert (source / "CHANGELOG.md").stat().st_mode & 0o777 == 0o644
