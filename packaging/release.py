"""Makes a release of this checkout's commit: the files that are given out, their hashes, and the tag.

    .venv/bin/python packaging/release.py [--dry-run] [--no-deb]

The commit alone decides what is in them: everything is built from an export of it, with the pinned tools, and all files
in the archives have the commit's time. Two runs give the same bytes. What it makes lies in dist/VERSION/:

    statusproxy-VERSION-py3-none-any.whl, statusproxy-VERSION.tar.gz
    statusproxy_VERSION~RELEASE_amd64.deb    for the Debian release that this machine runs; --no-deb leaves it out
    CHANGES.md                               what CHANGELOG.md says of this version
    SHA256SUMS                               of all of these

It refuses a checkout with changes that are not committed, a version without a dated heading in CHANGELOG.md, and a tag
that names another commit. --dry-run makes the files and no tag. Nothing is pushed or uploaded.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class RefusedError(Exception):
    """The release cannot be made; the text says why, and what to do."""


def main() -> None:
    """Make the release."""
    parser = argparse.ArgumentParser(description="Make a release of this checkout's commit.")
    parser.add_argument("--dry-run", action="store_true", help="make the files and no tag")
    parser.add_argument("--no-deb", action="store_true", help="leave the Debian package out")
    options = parser.parse_args()
    try:
        release(dry_run=options.dry_run, deb=not options.no_deb)
    except RefusedError as refused:
        sys.exit(f"release.py: {refused}")


def release(*, dry_run: bool, deb: bool) -> None:
    """Make the files and, unless `dry_run`, the tag. Raises `RefusedError`."""
    if changed := git("status", "--porcelain"):
        raise RefusedError(f"commit or remove these changes first:\n{changed}")
    version = read_version((ROOT / "statusproxy/__init__.py").read_text(encoding="utf-8"))
    changes = read_changes((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), version)
    tag, commit = f"v{version}", git("rev-parse", "HEAD")
    tagged = git("tag", "--list", tag) and git("rev-parse", f"{tag}^{{commit}}")
    if tagged not in ("", commit):
        raise RefusedError(
            f"the tag {tag} names another commit, {tagged[:12]}; raise __version__ in statusproxy/__init__.py"
        )

    folder = ROOT / "dist" / version
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    build(folder, commit, deb=deb)
    (folder / "CHANGES.md").write_text(changes, encoding="utf-8")
    (folder / "SHA256SUMS").write_text(sums(folder), encoding="utf-8")
    print((folder / "SHA256SUMS").read_text(encoding="utf-8"), end="")
    print(f"made in {folder.relative_to(ROOT)}")

    if dry_run:
        print(f"no tag: this was a dry run; without --dry-run it is {tag}")
    elif tagged:
        print(f"the tag {tag} was there already")
    else:
        git("tag", "--annotate", tag, "--cleanup=verbatim", "--message", f"statusproxy {version}\n\n{changes}")
        print(f"tagged {tag}; it is not pushed, and nothing was uploaded")


def read_version(text: str) -> str:
    """`__version__` of the package."""
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise RefusedError("statusproxy/__init__.py has no __version__")
    return found[1]


def read_changes(text: str, version: str) -> str:
    """What CHANGELOG.md says of its newest version, which has to be this one, with its date."""
    _, *rest = re.split(r"^## (.+)\n", text, maxsplit=2, flags=re.MULTILINE)
    heading = rest[0] if rest else ""
    dated = re.fullmatch(rf"{re.escape(version)} \((\d{{4}}-\d\d-\d\d)\)", heading)
    try:
        if dated is None:
            raise ValueError(heading)
        date.fromisoformat(dated[1])
    except ValueError:
        raise RefusedError(
            f"the first heading of CHANGELOG.md is {heading!r}, and __version__ is {version}; "
            f"write the day of the release: ## {version} (2026-01-31)"
        ) from None
    changes = rest[1].strip()
    if not changes:
        raise RefusedError(f"CHANGELOG.md says nothing of {version}")
    return changes + "\n"


def build(folder: Path, commit: str, *, deb: bool) -> None:
    """Build and check all packages of the commit."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": git("show", "--no-patch", "--format=%ct", commit)}
    with tempfile.TemporaryDirectory(prefix="statusproxy-release-") as name:
        source = Path(name) / "statusproxy"
        export(commit, source)
        run(
            [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(source)], source, environment
        )
        made = sorted(map(str, folder.iterdir()))
        run([sys.executable, "-m", "twine", "check", "--strict", *made], source, environment)
        wheels = [each for each in made if each.endswith(".whl")]
        run([sys.executable, "-m", "check_wheel_contents", *wheels], source, environment)
        if deb and (source / "packaging/deb/build.sh").exists():
            run(["bash", "packaging/deb/build.sh"], source, environment)
            for package in sorted((source / "dist").glob("*.deb")):
                shutil.copyfile(package, folder / package.name)


def export(commit: str, source: Path) -> None:
    """The commit's files, and no others."""
    source.mkdir()
    archive = source.with_suffix(".tar")
    git("-c", "tar.umask=0022", "archive", "--format=tar", f"--output={archive}", commit)
    with tarfile.open(archive) as files:
        # Python before 3.11.4 (Debian 12) has no filters. These files are our own: nothing is to be filtered out.
        files.extraction_filter = getattr(tarfile, "data_filter", None)
        files.extractall(source)


def sums(folder: Path) -> str:
    """The lines of `sha256sum`, by name."""
    files = sorted(file for file in folder.iterdir() if file.name != "SHA256SUMS")
    return "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)


def git(*arguments: str) -> str:
    """What git answers about this checkout."""
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RefusedError(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    """Run a step; what it prints is shown where it fails."""
    print("·", " ".join(command).replace(sys.executable, "python"), flush=True)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RefusedError(f"a step failed, with exit code {done.returncode}:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
