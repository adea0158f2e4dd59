"""Checks of `webhooks`: a path forwards or is a tap, some event can be trusted, and no receiver is this proxy."""

from collections.abc import Iterator, Sequence
from typing import Final

from statusproxy.config.addresses import parse_target
from statusproxy.config.effect import leads_back
from statusproxy.config.path_tokens import mask_tokens
from statusproxy.config.paths import covers
from statusproxy.config.settings import Jwt, Secret, Settings, Token, Webhook
from statusproxy.config.spot import MASK, Block
from statusproxy.config.templates import BELOW, SECRET, SESSION, parse_template
from statusproxy.status.fields import LONGEST_TEXT

#: How keys begin that are no shared secrets: PEM files, and those of SSH.
_PUBLIC_KEYS: Final = ("-----BEGIN ", "ssh-", "ecdsa-", "sk-ssh-")


def check_secret(secret: Secret, block: Block) -> None:
    """Refuse a secret that no header can carry: white space around a value is dropped (RFC 9110 §5.5)."""
    if secret.value != secret.value.strip(" "):
        raise block.at("value").error(
            "found a space at the beginning or the end, which no header can have, so no event is ever trusted; "
            "allowed: a secret without it"
        )


def check_jwt(jwt: Jwt, block: Block) -> None:
    """Refuse a key of another algorithm: HS256 knows shared secrets only."""
    if jwt.secret.startswith(_PUBLIC_KEYS):
        raise block.at("secret").error(
            "found a public or private key, which cannot sign with HS256, so no event is ever trusted; "
            "allowed: the secret that the sender signs with"
        )


def check_token(token: Token, block: Block) -> None:
    """Refuse a secret that no member of a body can be read as (`usable_text`)."""
    if not token.value.strip() or len(token.value) > LONGEST_TEXT:
        raise block.at("value").error(
            f"found white space only, or more than {LONGEST_TEXT} characters, which is not read from a field, so no "
            "event is ever trusted; allowed: a shorter text that others cannot guess"
        )


def check_webhook(webhook: Webhook, block: Block) -> None:
    """Refuse a tap that forwards, a `{session}` that cannot be filled in, and an entry that trusts no event."""
    if webhook.forward_to is not None:
        _check_placeholder(webhook, webhook.forward_to, block)
    if webhook.forward_to is not None and not webhook.forward:
        raise block.at("forward").error(
            "found false beside forward_to; allowed: forward_to (events go there) or forward: false (a tap)"
        )
    if webhook.spool and not webhook.forward:
        raise block.at("spool").error(
            "found true with forward: false, where nothing is delivered and nothing can be kept; allowed: forward_to "
            "with the address that the events go on to, or no spool"
        )
    names = [step for step in parse_template(webhook.path).steps if isinstance(step, str)]
    if not webhook.forward and not set(names) - {SESSION, SECRET} and webhook.path != "/":
        raise block.at("path").found(
            "a tap would take all paths here, also those of the gateway; allowed: a name before it, such as "
            f"/tap{mask_tokens(webhook.path, MASK)}"
        )
    for path in webhook.except_:
        if not covers(webhook.path, path):
            raise block.at("except").error(
                f"{mask_tokens(webhook.path, MASK)} does not match {mask_tokens(path, MASK)}; allowed: paths that it "
                "matches, but that are the gateway's own"
            )
    if not webhook.from_ and webhook.forward_to is None:
        raise block.at("from").error(
            "found an empty list, so no event here is ever trusted; allowed: networks of the senders, "
            "or no from for private networks"
        )
    taken: dict[str, str] = {}
    for name, header in _proving_headers(webhook):
        other = taken.setdefault(header.casefold(), name)
        if other != name:
            raise block.at(name, "header").error(
                f"found the header of {other}, which cannot hold both, so no event is ever trusted; "
                "allowed: another header"
            )


def _proving_headers(webhook: Webhook) -> Iterator[tuple[str, str]]:
    """The headers in which a sender proves something, each with the key that asks for it."""
    for name, asked in (("secret", webhook.secret), ("hmac", webhook.hmac), ("jwt", webhook.jwt)):
        if asked is not None:
            yield name, asked.header


def _check_placeholder(webhook: Webhook, forward_to: str, block: Block) -> None:
    path = parse_target(forward_to).path
    if path.endswith(f"/{BELOW}") and not webhook.path.endswith(f"/{BELOW}"):
        raise block.at("forward_to").error(
            f"`forward_to` has /{BELOW}, `path` does not; allowed: in both, or in path alone"
        )
    if SESSION not in forward_to:
        return
    if path.split("/").count(SESSION) != 1 or forward_to.count(SESSION) != 1:
        raise block.at("forward_to").error(f"allowed: {SESSION} once, as a whole segment of the path")
    if SESSION not in webhook.path.split("/"):
        raise block.at("forward_to").error(
            f"{SESSION} is here, but not as a segment of path; allowed: in both, or in path alone"
        )


def check_receivers(block: Block, settings: Settings) -> None:
    """Refuse a receiver that is this proxy itself: webhooks would go round until no connection is left."""
    for index, webhook in enumerate(settings.webhooks):
        if webhook.forward_to is None:
            continue
        receiver = parse_target(webhook.forward_to)
        entry = block.at("webhooks").items("a list")[index].entries("a mapping")["forward_to"]
        if leads_back(receiver, settings.listen):
            raise entry.found(
                "it is in listen too, so events would come back to this proxy; allowed: the receiver's address"
            )
        if settings.admin.listen is not None and leads_back(receiver, [settings.admin.listen]):
            raise entry.found("it is admin.listen, which accepts no events; allowed: the receiver's address")


def check_no_underscores(block: Block, webhooks: Sequence[Webhook]) -> None:
    """Refuse a proof in a field that `underscores_in_headers: drop` removes."""
    for index, webhook in enumerate(webhooks):
        for name, header in _proving_headers(webhook):
            if "_" not in header:
                continue
            entry = block.at("webhooks").items("a list")[index].entries("a mapping")[name].entries("a mapping")
            raise entry["header"].error(
                "found a name with _; underscores_in_headers: drop removes this field, so no event would be trusted; "
                "allowed: a name without _, or underscores_in_headers: pass"
            )
