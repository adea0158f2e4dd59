"""A first config.yaml: the gateway, the preset, and what to do next as comments. No secret is written into it."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from statusproxy.config.settings import Webhook
from statusproxy.detection.catalogue import Gateway
from statusproxy.detection.signs import Header

_WIDTH: Final = 118
_BELOW: Final = "/**"

_PROXY: Final = "http://PROXY:8090"
"""How the notes of presets write the proxy's address."""
_HERE: Final = "http://THIS-HOST:8090"
_NAMED: Final = re.compile(re.escape(_PROXY) + r"(/[\w/.-]*\w)", re.ASCII)


def config_text(url: str, gateway: Gateway, header: Header | None, webhooks: Sequence[Webhook]) -> str:
    """The file's text. `header` is how the gateway wants its secret; `webhooks` are those of the preset."""
    lines = [
        f"# statusproxy in front of {gateway.title}, written by `statusproxy init`.",
        "",
        f"gateway: {_quoted(url)}    # where everything is forwarded",
        f"preset: {gateway.preset}",
        "# Where the hub asks from now on. 127.0.0.1: this machine only; 0.0.0.0: containers and other machines too.",
        "listen: [127.0.0.1:8090]",
        "",
        "# Next steps:",
        "#",
    ]
    steps = [
        "Point the hub to this proxy (port 8090) instead of the gateway, with the same secret as before.",
        *(_watched(webhook, gateway) for webhook in webhooks[:1]),
        *(sentence.replace(_PROXY, _HERE) for sentence in gateway.webhook),
        "Run `statusproxy check`, `statusproxy run`, and `statusproxy doctor`, which checks that events arrive.",
    ]
    for number, step in enumerate(steps, 1):
        lines += _comment(f"{number}. {step}")
    lines += _passed_on(webhooks, gateway)
    if header is not None:
        lines += ["#", *_comment(_how_to_send(header))]
    for title, sentences in (("What the proxy adds here:", gateway.adds), ("What it cannot do:", gateway.cannot)):
        if sentences:
            lines += ["#", f"# {title}", *(line for each in sentences for line in _comment(each))]
    lines += [
        "",
        "# Write your own secrets into the environment, not into this file:",
        '# admin: {token: "${STATUSPROXY_ADMIN_TOKEN}"}',
        "",
    ]
    return "\n".join(lines)


def _how_to_send(header: Header) -> str:
    before = "" if header.scheme is None else f", with `{header.scheme} ` before it"
    return (
        f"The gateway expects its secret in the header {header}. Clients send it as before, and the proxy passes it "
        f"on: do not write it here. `statusproxy doctor --secret-header {header.name}` reads it from "
        f"STATUSPROXY_GATEWAY_SECRET, or from a file given with --secret-file{before}."
    )


def _watched(webhook: Webhook, gateway: Gateway) -> str:
    if webhook.forward:
        return f"Webhooks are watched on {webhook.path}, and forwarded to the gateway."
    return (
        f"Have the gateway post its webhooks to the proxy: {_HERE}{_posted_to(webhook, gateway)}. To pass them on to "
        "the hub, remove the `#` below and write the hub's URL."
    )


def _passed_on(webhooks: Sequence[Webhook], gateway: Gateway) -> list[str]:
    """What to add to the webhooks' paths, as comments; nothing where nothing has to be added.

    Of a gateway that posts to the proxy every path is shown: events that come on one that is left out go nowhere.
    """
    shown = [webhook for number, webhook in enumerate(webhooks) if number == 0 or not webhook.forward]
    if not shown or (shown[0].forward and not gateway.sends_once):
        return []
    lines = ["#"]
    if shown[0].forward:
        lines += _comment(
            "Each event is sent once. To keep those that the gateway does not accept, and deliver them later, remove "
            "the `#` below."
        )
    lines.append("# webhooks:")
    for webhook in shown:
        lines.append(f"#   - path: {webhook.path}")
        if not webhook.forward:
            lines.append(f"#     forward_to: {_hub(webhook)}")
        if gateway.sends_once:
            tells = webhook is shown[0] and not webhook.forward
            note = "    # each event is sent once: what the hub does not accept is delivered later" if tells else ""
            lines.append(f"#     spool: true{note}")
        lines += [f"#     # {proof}" for proof in gateway.proof if not webhook.forward]
    return lines


def _posted_to(webhook: Webhook, gateway: Gateway) -> str:
    """The path that the gateway is to post to: the one that the preset's own notes name, where they name one."""
    named = next(filter(None, map(_NAMED.search, gateway.webhook)), None)
    if named is not None:
        return named[1]
    path = webhook.path
    return path.removesuffix("**") + gateway.preset if path.endswith(_BELOW) else path


def _hub(webhook: Webhook) -> str:
    """An example of where the hub takes events, with what was below the webhook's path, as in docs/gateways.md."""
    return "http://hub.example/webhook" + (_BELOW if webhook.path.endswith(_BELOW) else "")


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet, for its owner alone. Raises `OSError`, also where it is there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _quoted(url: str) -> str:
    return url if not any(sign in url for sign in ("#", " ", "'", '"', "{")) else f"'{url}'"


def _comment(text: str) -> list[str]:
    """A sentence as lines of comment."""
    lines, line = [], "#"
    for word in text.split():
        if len(line) + 1 + len(word) > _WIDTH and line != "#":
            lines.append(line)
            line = "#  "
        line = f"{line} {word}"
    return [*lines, line]
