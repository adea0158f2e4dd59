"""Optional packages that settings need: whether they are installed, and the command that installs them."""

import importlib.util
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from statusproxy.config.alerts import Alerts
from statusproxy.config.settings import Webhook

__all__ = [
    "installing",
    "missing_for_alerts",
    "missing_for_webhooks",
    "missing_requirements",
    "needed_for_alerts",
    "needed_for_webhooks",
]

_DISTRIBUTION: Final = "statusproxy"


def missing_requirements(extra: str, module: str, package: str) -> list[str]:
    """The requirements, as pip takes them, of an extra whose `module` is not installed here; none where it is.

    `package` is named where the program is run from a folder, so that the versions are not known.
    """
    if importlib.util.find_spec(module) is not None:
        return []
    from importlib import metadata  # here: it brings in ten modules, and hardly any start needs it

    try:
        requirements = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # run from a folder
        requirements = []
    marker = re.compile(rf"extra\s*==\s*['\"]{extra}['\"]")
    found = [each.partition(";")[0].strip() for each in requirements if marker.search(each.partition(";")[2])]
    return found or [package]


def installing(what: str, requirements: Sequence[str]) -> str:
    """The rest of an error: `what` needs a package that is missing, and the command that installs it."""
    named = " and ".join(re.split(r"[^\w.-]", each)[0] for each in requirements)
    command = shlex.join([*_installer(), *requirements])
    needs = f"the package {named}, which is" if len(requirements) == 1 else f"the packages {named}, which are"
    return (
        f"{what} needs {needs} not installed; install {'it' if len(requirements) == 1 else 'them'} with: {command} "
        "(for the installed service, systemd/install.sh does that: run it again)"
    )


def _installer() -> list[str]:
    """The command that installs packages into this environment: one that uv made for a tool has no pip."""
    if (Path(sys.prefix) / "uv-receipt.toml").exists():
        return ["uv", "pip", "install", "--python", sys.executable]
    return [sys.executable, "-m", "pip", "install"]


def needed_for_webhooks(webhooks: Iterable[Webhook]) -> list[str]:
    """The requirements that `webhooks` need and that are not installed here."""
    if all(webhook.jwt is None for webhook in webhooks):
        return []
    return missing_requirements("jwt", "jwt", "PyJWT")


def missing_for_webhooks(webhooks: Sequence[Webhook]) -> str | None:
    """What is missing for `webhooks` and the command that installs it; None where nothing is."""
    requirements = needed_for_webhooks(webhooks)
    if not requirements:
        return None
    index = next(index for index, webhook in enumerate(webhooks) if webhook.jwt is not None)
    return f"webhooks[{index}].jwt: {installing('a JSON Web Token', requirements)}"


def needed_for_alerts(alerts: Alerts | None) -> list[str]:
    """The requirements that `alerts` need and that are not installed here."""
    if alerts is None or all(target.apprise is None for target in alerts.to):
        return []
    return missing_requirements("alerts", "apprise", "apprise")


def missing_for_alerts(alerts: Alerts | None) -> str | None:
    """What is missing for `alerts` and the command that installs it; None where nothing is."""
    requirements = needed_for_alerts(alerts)
    if alerts is None or not requirements:
        return None
    index = next(index for index, target in enumerate(alerts.to) if target.apprise is not None)
    return f"alerts.to[{index}].apprise: {installing('a target of Apprise', requirements)}"
