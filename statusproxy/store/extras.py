"""The optional package that a `state.url` needs: whether it is installed, and how to install it."""

import importlib.util
import re
import shlex
import sys
from importlib import metadata
from typing import Final

from statusproxy.config.state_url import find_form

__all__ = ["missing_package", "needed_packages"]

_DISTRIBUTION: Final = "statusproxy"


def needed_packages(url: str) -> list[str]:
    """The requirements, as pip takes them, that a `state.url` needs and that are not installed here."""
    form = find_form(url.lower())
    if form is None or not form.package or importlib.util.find_spec(form.package) is not None:
        return []
    try:
        requirements = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # run from a folder
        requirements = []
    marker = re.compile(rf"extra\s*==\s*['\"]{form.extra}['\"]")
    found = [each.partition(";")[0].strip() for each in requirements if marker.search(each.partition(";")[2])]
    return found or [form.package]


def missing_package(url: str) -> str | None:
    """What is missing for a `state.url` and the command that installs it; None where nothing is.

    Repeats nothing of the URL: it may hold a password.
    """
    packages, form = needed_packages(url), find_form(url.lower())
    if not packages or form is None:
        return None
    named = " and ".join(re.split(r"[^\w.-]", each)[0] for each in packages)
    command = shlex.join([sys.executable, "-m", "pip", "install", *packages])
    return (
        f"state.url: a state in {form.title} needs the package {named}, which is not installed; install it with: "
        f"{command} "
        "(for the installed service, systemd/install.sh does that: run it again)"
    )
