"""The `init` command behind its options: which gateway answers, and the file that is written for it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from statusproxy.config.addresses import mask_url, parse_gateway
from statusproxy.config.errors import ConfigError, did_you_mean
from statusproxy.config.load import loads
from statusproxy.config.spot import MASK
from statusproxy.detection.catalogue import Gateway, shipped
from statusproxy.detection.config_file import config_text, write_new
from statusproxy.detection.probe import PATIENCE, Finding, Probe, UnreachableError, describe, probe
from statusproxy.detection.signs import SECRET, Fit

_LONGEST_SECRET: Final = 8_192


class InitError(Exception):
    """No file was written; the text says why and what to do."""


async def init(
    url: str,
    output: Path,
    *,
    secret_file: Path | None = None,
    preset: str | None = None,
    gateways: Sequence[Gateway] | None = None,
    patience: float = PATIENCE,
) -> str:
    """Write a configuration for the gateway at `url`; what was found and written, in words. Raises `InitError`.

    `preset` chooses one where the gateway does not tell, or cannot be asked. `gateways` are those of the shipped
    presets.
    """
    gateways = shipped() if gateways is None else gateways
    chosen = _chosen(preset, gateways)
    try:
        target = parse_gateway(url)
    except ValueError as error:
        raise InitError(f"--gateway cannot be read: {error}") from None  # not repeated: a password may stand in it
    _refuse_existing(output)
    secret = None if secret_file is None else _secret(secret_file)
    try:
        found = await probe(target, [chosen] if chosen is not None else gateways, secret, patience=patience)
    except UnreachableError as error:
        raise InitError(f"the gateway at {mask_url(str(target), MASK)} cannot be asked: {error}") from None
    finding, told = _decide(found, chosen, secret=secret is not None)
    gateway = finding.gateway
    try:
        settings = loads(f"gateway: {target}\npreset: {gateway.preset}\n")
        text = config_text(str(target), gateway, finding.header or gateway.secret, settings.webhooks)
        loads(text)
    except ConfigError as error:
        raise InitError(f"the configuration would not be valid: {error}") from None
    try:
        write_new(output, text)
    except OSError as error:
        raise InitError(f"{output} cannot be written: {(error.strerror or str(error)).lower()}") from None
    lines = [told, f"{output} is written, with preset: {gateway.preset}. Read the next steps in it."]
    if secret_file is not None and _is_open(secret_file):
        lines.append(f"Warning: others on this machine may read {secret_file}. Restrict it: chmod 600")
    return "\n".join(lines)


def _refuse_existing(output: Path) -> None:
    if os.path.lexists(output):
        raise InitError(f"{output} exists already, and is never overwritten; give another file with --output")


def _decide(found: Probe, chosen: Gateway | None, *, secret: bool) -> tuple[Finding, str]:
    """The one kind that the gateway is, and how that was told. Raises `InitError` where it is not one."""
    fitting, possible = found.of(Fit.YES), found.of(Fit.POSSIBLE)
    if chosen is not None:
        finding = found.findings[0]
        if finding.fit is Fit.YES:
            return finding, f"The gateway answers like {chosen.title}."
        lines = "\n".join(f"  {line}" for line in describe(found.answers))
        return (
            finding,
            f"The gateway does not answer like {chosen.title}; the given preset is used anyway.\n{lines}",
        )
    if len(fitting) == 1:
        return fitting[0], f"The gateway answers like {fitting[0].gateway.title}."
    if fitting:
        _ambiguous("The answers fit several kinds of gateway", fitting)
    if possible:
        if len(possible) == 1:
            title = possible[0].gateway.title
            return possible[0], f"The gateway has no session yet, and its answers fit {title}."
        _ambiguous("The gateway has no session yet, and its answers fit several kinds", possible)
    if any(finding.refused for finding in found.findings):
        raise InitError(_refusal(found, secret=secret))
    lines = "\n".join(f"  {line}" for line in describe(found.answers))
    raise InitError(
        "no preset fits this gateway. Is it the gateway's address, with its base path? Give --preset NAME if you know "
        f"its kind; `statusproxy learn` drafts a preset for a gateway of another kind.\n{lines}"
    )


def _refusal(found: Probe, *, secret: bool) -> str:
    kinds = [finding for finding in found.findings if finding.refused]
    wanted = ", ".join(f"{each.gateway.title}" for each in kinds)
    if not secret:
        return (
            "the gateway requires its secret. Write it into a file and give the file "
            f"with --secret-file; by its routes, the gateway may be: {wanted}"
        )
    sent = [str(each.header) for each in found.answers if each.refused and each.header]
    if any(SECRET in each.path for each in found.answers):
        sent.append("a part of the path")
    headers = ", ".join({name.casefold(): name for name in reversed(sent)}.values())
    return (
        f"the gateway refuses the secret, sent as {headers}. Is it the gateway's own key, not a "
        f"session's? By its routes, the gateway may be: {wanted}; --preset NAME writes the file anyway"
    )


def _ambiguous(what: str, findings: Sequence[Finding]) -> NoReturn:
    choices = "\n".join(f"  --preset {each.gateway.preset}    {each.gateway.title}" for each in findings)
    raise InitError(f"{what}. Choose one with --preset:\n{choices}")


def _chosen(preset: str | None, gateways: Sequence[Gateway]) -> Gateway | None:
    if preset is None:
        return None
    for gateway in gateways:
        if gateway.preset == preset:
            return gateway
    names = [gateway.preset for gateway in gateways]
    raise InitError(f"there is no preset of that name; known: {', '.join(names)}{did_you_mean(preset, names)}")


def _is_open(file: Path) -> bool:
    """Whether others than its owner may read a file."""
    try:
        return file.is_file() and bool(file.stat().st_mode & 0o077)
    except OSError:
        return False


def _secret(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not UTF-8"
        raise InitError(f"{file} cannot be read: {why.lower()}") from None
    if not text or not text.isprintable() or not text.isascii() or len(text) > _LONGEST_SECRET:
        raise InitError(f"the secret in {file} is not one line of plain ASCII text")
    return text
