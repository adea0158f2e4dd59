"""A version of the program: a checkout with its `.venv`, or a revision of this checkout."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.docs.pages import ROOT


@dataclass(frozen=True)
class Version:
    """How to run it."""

    name: str
    python: str = sys.executable
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that it needs."""

    @classmethod
    def of(cls, before: str, folder: Path) -> Self:
        """A folder that holds a checkout, or a revision of this one, which is unpacked into `folder`.

        A revision runs with the packages of this interpreter. ValueError where it is neither.
        """
        checkout = Path(before).resolve()
        if checkout.is_dir():
            python = checkout / ".venv/bin/python"
            if not python.exists():
                raise ValueError(f"{checkout} has no .venv: run `make .venv/.ready` there")
            return cls(checkout.name, str(python), {"PYTHONPATH": str(checkout)})
        archive = folder / "before.tar"
        done = subprocess.run(
            ["git", "-C", str(ROOT), "archive", "-o", str(archive), before, "statusproxy"],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        if done.returncode:
            raise ValueError(f"{before} is neither a folder nor a revision: {done.stderr.strip()}")
        with tarfile.open(archive) as packed:
            packed.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4
            packed.extractall(folder / "before")
        return cls(before, environment={"PYTHONPATH": str(folder / "before")})


TODAY = Version("this checkout", environment={"PYTHONPATH": str(ROOT)})
