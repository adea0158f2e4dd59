"""The package's changelog and copyright file, from CHANGELOG.md and what the installed packages say of themselves.

documents.py VERSION SOURCE ENVIRONMENT FOLDER   writes changelog.gz and copyright into FOLDER

SOURCE_DATE_EPOCH is the date of a version that is not released yet.
Run by build.sh with the system's Python: the standard library only.
"""

import gzip
import os
import re
import sys
import textwrap
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

_MAINTAINER: Final = "statusproxy maintainers <maintainers@statusproxy.example>"
_VERSION: Final = re.compile(r"^## (\d\S*) \((.+)\)$", re.MULTILINE)

#: Licences whose whole text every Debian has.
_COMMON: Final = ("Apache-2.0", "GPL-2", "GPL-3", "LGPL-2.1", "LGPL-3", "MPL-2.0")


def changelog(text: str, version: str, now: datetime) -> str:
    """CHANGELOG.md as Debian writes it (deb-changelog(5)); the newest entry gets the package's whole version."""
    entries = []
    found = list(_VERSION.finditer(text))
    for index, head in enumerate(found):
        body = text[head.end() : found[index + 1].start() if index + 1 < len(found) else None]
        when = _date(head[2])
        if index and (when is None or version.startswith(f"{head[1]}~")):
            continue  # never given out; or, between two releases, the newest entry has this one's number
        name = version if index == 0 else head[1]
        changes = "\n\n".join(_change(line) for line in _items(body)) or "  * First release."
        signed = f" -- {_MAINTAINER}  {format_datetime(when or now)}"
        entries.append(f"statusproxy ({name}) stable; urgency=medium\n\n{changes}\n\n{signed}\n")
    return "\n".join(entries)


def _items(body: str) -> list[str]:
    items: list[str] = []
    for line in body.splitlines():
        if line.startswith("- "):
            items.append(line[2:])
        elif line.startswith("  ") and items:
            items[-1] += f" {line.strip()}"
    return items


def _change(text: str) -> str:
    return textwrap.fill(
        text, 78, initial_indent="  * ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )


def _date(said: str) -> datetime | None:
    try:
        return datetime.fromisoformat(said).replace(tzinfo=UTC)
    except ValueError:
        return None  # not released yet


def copyright_file(license_text: str, packages: Iterable[Distribution]) -> str:
    """The package's copyright file: the project's licence, and that of each package in the environment."""
    ours = "\n".join(f" {line}" if line.strip() else " ." for line in license_text.strip().splitlines()[1:])
    ours = ours.removeprefix(" .\n")
    owner = next(line for line in license_text.splitlines() if line.startswith("Copyright"))
    head = (
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
        "Upstream-Name: statusproxy\n"
        "Source: the checkout from which the package was built\n"
    )
    parts = [
        head,
        f"Files: *\nCopyright: {owner.removeprefix('Copyright ').removeprefix('(c) ')}\nLicense: Expat\n{ours}\n",
    ]
    for package in sorted(packages, key=lambda each: each.name.lower()):
        if package.name == "statusproxy":
            continue
        folder = f"{package.name.replace('-', '_').replace('.', '_')}-{package.version}.dist-info"
        licence = _licence(package)
        parts.append(
            f"Files: opt/statusproxy/*/site-packages/{folder.partition('-')[0].lower()}*\n"
            f"Copyright: the authors of {package.name} {package.version}\n"
            f"License: {licence}\n"
            f" The whole text lies in the package's {folder} below\n"
            f" /opt/statusproxy/current/lib.{_common(licence)}\n"
        )
    return "\n".join(parts)


def _licence(package: Distribution) -> str:
    """The licence's short name, as the package's metadata have it."""
    meta = package.metadata
    fields = [meta[field] for field in ("License-Expression", "License") if field in meta]
    said = fields[0].strip() if fields else ""
    if not said or "\n" in said or len(said) > 60:
        classes = [each for each in meta.get_all("Classifier") or () if each.startswith("License ::")]
        said = classes[0].rpartition(":: ")[2] if classes else "see-its-text"
    name = re.sub(r" (?!(?:AND|OR|WITH) )(?<! AND )(?<! OR )(?<! WITH )", "-", said)
    return name.replace(" AND ", " and ").replace(" OR ", " or ")


def _common(licence: str) -> str:
    names = [name for name in _COMMON if name in licence or (name == "Apache-2.0" and "Apache" in licence)]
    return "".join(f"\n On Debian it is also in /usr/share/common-licenses/{name}." for name in names)


def main(version: str, source: str, environment: str, folder: str) -> None:
    """Write both files."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    text = (Path(source) / "CHANGELOG.md").read_text(encoding="utf-8")
    moment = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)
    with (place / "changelog.gz").open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        packed.write(changelog(text, version, moment).encode())
    packages = list(distributions(path=[str(each) for each in Path(environment).glob("lib/*/site-packages")]))
    license_text = (Path(source) / "LICENSE").read_text(encoding="utf-8")
    (place / "copyright").write_text(copyright_file(license_text, packages), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
