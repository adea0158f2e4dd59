"""The `doctor` command behind its options: settings, secret and language, then the examination and its report."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from statusproxy import systemd
from statusproxy.config.errors import ConfigError
from statusproxy.config.layers import About, about, find_file, searched
from statusproxy.config.load import load
from statusproxy.config.paths import check_header_name
from statusproxy.config.settings import Settings
from statusproxy.config.state_url import Place, parse_state_url
from statusproxy.doctor.asking import Credentials
from statusproxy.doctor.examination import examine
from statusproxy.doctor.findings import problem, worst
from statusproxy.doctor.report import EXIT_CODES, Language, as_json, as_text
from statusproxy.doctor.subject import Subject

#: The variable that may hold the gateway's secret.
SECRET_VARIABLE = "STATUSPROXY_GATEWAY_SECRET"  # noqa: S105 - its name

#: Where the installed service finds its secrets; a shell has no credentials of its own.
_SECRETS = Path("/etc/statusproxy/secrets")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line said."""

    config: Path | None = None
    admin: str | None = None
    gateway: str | None = None
    secret_file: Path | None = None
    secret_header: str | None = None
    """None: the one that the preset names."""
    language: Language | None = None
    as_json: bool = False
    send: bool = False
    """Whether a test message is sent to each target of alerts."""


async def report(request: Request, environ: Mapping[str, str], *, colours: bool = False) -> tuple[str, int]:
    """The report, and the exit code. ValueError where the header or the secret cannot be sent."""
    known = systemd.environment(_with_credentials(environ))
    source = request.config or find_file(known)
    secret = _secret(request.secret_file, known)
    secrets = [secret] if secret else []
    try:
        settings = load(source, None, known, gateway=request.gateway)
        secrets += _secrets(settings)
        credentials = _credentials(request.secret_header, secret, about(settings.preset, known))
        findings = await examine(Subject(settings, source, environ, credentials, request.admin, send=request.send))
    except ConfigError as error:
        missing = source is None and request.gateway is None
        findings = [
            problem("configuration.missing", where=searched())
            if missing
            else problem("configuration.broken", error=str(error))
        ]
    language = request.language or _spoken(environ)
    if request.as_json:
        return as_json(findings, language, secrets), EXIT_CODES[worst(findings)]
    return as_text(findings, language, colours=colours, secrets=secrets), EXIT_CODES[worst(findings)]


def _credentials(header: str | None, secret: str | None, said: About | None) -> Credentials:
    """How the secret is sent: in this header, else as the preset says that its gateway wants it."""
    if header is not None:
        return Credentials(check_header_name(header), secret)
    if said is None or not said.secret:
        return Credentials(secret=secret)
    name, _, scheme = said.secret.partition(":")
    return Credentials(check_header_name(name.strip()), secret, scheme.strip())


def _with_credentials(environ: Mapping[str, str]) -> Mapping[str, str]:
    return environ if "CREDENTIALS_DIRECTORY" in environ else {**environ, "CREDENTIALS_DIRECTORY": str(_SECRETS)}


def _secret(file: Path | None, environ: Mapping[str, str]) -> str | None:
    text = environ.get(SECRET_VARIABLE) if file is None else file.read_text(encoding="utf-8", errors="replace")
    secret = (text or "").strip()
    if not secret.isprintable():
        raise ValueError(f"the secret in {file or SECRET_VARIABLE} is not one line of text")
    return secret or None


def _secrets(settings: Settings) -> list[str]:
    """Every secret of the settings: none may show in the report."""
    found = [settings.admin.token]
    for webhook in settings.webhooks:
        found += webhook.secrets
    place = parse_state_url(settings.state.url)
    found.append(place.password if isinstance(place, Place) else None)
    if settings.alerts is not None:
        found += [each for target in settings.alerts.to for each in (target.url, target.secret)]
        found.append(settings.alerts.heartbeat)
    return [each for each in found if each]


def _spoken(environ: Mapping[str, str]) -> Language:
    """The language of the terminal (locale(7)); English if it is not one of ours or not set.

    The configuration's `language` does not count: it is that of the error texts that the hub shows to its users.
    """
    said = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    return "pt-BR" if said[:2].casefold() == "pt" else "en"
