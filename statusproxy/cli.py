"""The command line: run, check, init, try, learn, doctor, demo, sessions, history, spool, state and so on."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal, NoReturn
from urllib.parse import urlencode

import click

from statusproxy import __version__
from statusproxy.admin import client as admin_client
from statusproxy.admin import messages
from statusproxy.config.errors import ConfigError
from statusproxy.config.layers import find_file
from statusproxy.config.load import dump, load
from statusproxy.config.packages import missing_for_webhooks
from statusproxy.config.settings import OR_GATEWAY, Settings
from statusproxy.observe import logs
from statusproxy.observe.terminal import colours
from statusproxy.observe.visible import delimited, visible
from statusproxy.rehearsal import options
from statusproxy.store import state_file
from statusproxy.store.extras import missing_package
from statusproxy.systemd import environment, with_state_directory

#: Exit codes: the configuration is wrong; the service cannot start or cannot be asked.
_EXIT_CONFIG, _EXIT_FAILURE = 2, 1

_config_option = click.option(
    "--config",
    "-c",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="STATUSPROXY_CONFIG",
    help="The configuration file; STATUSPROXY_CONFIG names it too. [default: ./config.yaml]",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="statusproxy", message="%(prog)s %(version)s")
def main() -> None:
    """Makes a WhatsApp gateway tell the truth about its sessions.

    statusproxy stands in front of the gateway, passes everything through, and corrects the channel list: a session
    whose connection is lost reads "disconnected".
    """


@main.command()
@_config_option
@click.option("--listen", multiple=True, metavar="ADDRESS", help="Where to listen: host:port, :port or unix:/path.")
@click.option("--gateway", metavar="URL", help="Where everything is forwarded.")
@click.option(
    "--log-format",
    type=click.Choice(["auto", "text", "json"]),
    help="auto: text on a terminal, `message key=value` in systemd's journal, JSON elsewhere.",
)
def run(config: Path | None, listen: tuple[str, ...], gateway: str | None, log_format: str | None) -> None:
    """Serve until stopped (SIGTERM or Ctrl-C); SIGHUP reads the configuration again."""
    from statusproxy.server import StartError, serve

    overrides = {} if log_format is None else {"log.format": log_format}

    def read() -> Settings:
        return load(config, overrides, environment(), listen=list(listen) or None, gateway=gateway)

    settings = _load(read)
    logs.set_up(settings.log.format, settings.log.level)
    logs.take_over()
    given = [*overrides, *(key for key, value in (("listen", listen), ("gateway", gateway)) if value)]
    try:
        _run_loop(serve(settings, read, given))
    except StartError as error:
        logs.flush()
        _fail(f"statusproxy cannot start: {error}", _EXIT_FAILURE)


@main.command()
@_config_option
@click.option("--listen", multiple=True, metavar="ADDRESS", hidden=True)
@click.option("--gateway", metavar="URL", help="As in `run`.")
def check(config: Path | None, listen: tuple[str, ...], gateway: str | None) -> None:
    """Validate the configuration and print the effective settings, secrets masked."""
    known = environment()
    settings = _load(lambda: load(config, None, known, listen=list(listen) or None, gateway=gateway))
    missing = missing_package(settings.state.url) or missing_for_webhooks(settings.webhooks)
    if missing is not None:
        source = config or find_file(known)
        _fail(f"{source}: {missing}" if source else missing, _EXIT_CONFIG)
    click.echo(dump(settings), nl=False)
    from statusproxy.config.hints import warnings

    for warning in warnings(settings):
        click.echo(f"warning: {warning}", err=True)


@main.command()
@click.option("--serve", is_flag=True, help="Stay up and print the curl lines to play with.")
@click.option(
    "--gateway",
    metavar="NAME",
    default="gateway-wrapper",
    show_default=True,
    help="The gateway that is stood in for, by the name of its preset.",
)
def demo(serve: bool, gateway: str) -> None:
    """Play the story of a lost session against a stand-in gateway."""
    from statusproxy.demo import dialect_story, story
    from statusproxy.demo.dialects import DEFAULT, NoStoryError, dialect

    play, keep_up = story.play, story.serve
    if gateway != DEFAULT:
        try:
            chosen = dialect(gateway)
        except NoStoryError as error:
            raise click.BadParameter(str(error), param_hint="--gateway") from None
        play, keep_up = partial(dialect_story.play, chosen), partial(dialect_story.serve, chosen)
    if serve:
        asyncio.run(keep_up())
        return
    sys.exit(0 if asyncio.run(play()) else 1)


def _named(context: click.Context, parameter: click.Parameter, said: Any) -> Any:
    """An id of a session, or several, as given. None is empty, as a script's variable may be."""
    if said == "" or (isinstance(said, tuple) and "" in said):
        raise click.BadParameter("an empty text is no session's id", context, parameter)
    return said


@main.command("try")
@_config_option
@click.option("--preset", metavar="NAME", help="A preset instead of a configuration file, or in place of the file's.")
@click.option("--event", "events", metavar="FILE", multiple=True, help="Webhook bodies: JSON, one a line, or a form.")
@click.option("--path", metavar="PATH", help="The path that they are posted to. [default: the first webhook's]")
@click.option(
    "--header", "headers", metavar="NAME:VALUE", multiple=True, callback=options.headers, help="A header of theirs."
)
@click.option("--list", "lists", metavar="FILE", multiple=True, help="The gateway's answer to correct.")
@click.option("--route", "routes", metavar="PATH", multiple=True, help="Its path. [default: the list's]")
@click.option("--qr", metavar="FILE", help="The answer of the QR route: JSON or an image.")
@click.option("--session", callback=_named, metavar="ID", help="Whose QR code it is, where several are disconnected.")
@click.option(
    "--at", "now", metavar="TIME", callback=options.moment, help="When the first event comes in. [default: now]"
)
@click.option(
    "--wait", metavar="DURATION", default="0s", callback=options.duration, help="From the last event to the list."
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def rehearse(config: Path | None, preset: str | None, as_json: bool, **given: Any) -> None:
    """Show offline what events and answers come to: which rule matches, what is corrected, what would end that.

    A FILE of - is standard input. A line may hold a request: {"body": …, "headers": …, "path": …, "at": …}.
    Nothing is sent and nothing is stored. No value of a body is printed but ids, event names, state words and times.

    \b
    The exit code is
    0  where each event that means disconnected takes effect, or is late, repeated or already so;
    1  where one changes nothing for another reason, or no rule matches it;
    2  where the options, files or configuration cannot be used.
    """
    from statusproxy.rehearsal.command import Request, UsageError, play, report

    request = Request(**given, as_json=as_json)
    try:
        request.check()
        named = config or find_file(environment())
        settings = _load(lambda: _rehearsed(config, preset), instead="" if named else ", or give --preset")
        results = play(settings, request)
    except UsageError as error:
        _fail(str(error), _EXIT_CONFIG)
    _show(report(results, as_json=as_json, colours=colours(sys.stdout, os.environ)))
    sys.exit(results.exit_code)


def _rehearsed(config: Path | None, preset: str | None) -> Settings:
    """The settings to try: the file's, or those of a preset alone, for which no gateway is needed."""
    if preset is None:
        return load(config, None, environment())
    if "/" in preset or preset.endswith(".yaml"):  # a file, wherever the configuration file is
        preset = str(Path(preset).absolute())
    if config is None:
        return load(os.devnull, {"preset": preset}, {}, gateway="http://gateway.example")
    return load(config, {"preset": preset}, environment())


_admin_option = click.option(
    "--admin", metavar="URL", envvar="STATUSPROXY_ADMIN", help="The admin listener, if not as the configuration says."
)


@main.command()
@_config_option
@_admin_option
@click.option("--json", "as_json", is_flag=True, help="Print the admin listener's own JSON.")
def sessions(config: Path | None, admin: str | None, as_json: bool) -> None:
    """Show what the running proxy knows of each session."""
    answer = _ask(config, admin, "GET", "/sessions")
    if as_json:
        click.echo(admin_client.pretty(answer))
        return
    from statusproxy.admin.table import sessions_table

    click.echo(sessions_table(_typed(answer, messages.Sessions)))


@main.command()
@click.argument("session", callback=_named, required=False)
@_config_option
@_admin_option
@click.option("--json", "as_json", is_flag=True, help="Print the admin listener's own JSON.")
def history(session: str | None, config: Path | None, admin: str | None, as_json: bool) -> None:
    """Show when sessions were lost and regained, newest first."""
    path = "/history" if session is None else f"/sessions/{admin_client.quote(session)}/history"
    answer = _ask(config, admin, "GET", path, session)
    if as_json:
        click.echo(admin_client.pretty(answer))
        return
    from statusproxy.admin.table import history_table

    click.echo(history_table(_typed(answer, messages.History), session))


@main.command()
@click.argument("session", callback=_named)
@_config_option
@_admin_option
def release(session: str, config: Path | None, admin: str | None) -> None:
    """End the correction of SESSION by hand: the gateway's own word shows again."""
    answer = _ask(config, admin, "POST", f"/sessions/{admin_client.quote(session)}/release", session)
    if _typed(answer, messages.Released).released:
        click.echo(f"{visible(delimited(session))}: released; the list shows again what the gateway says")
    else:
        click.echo(f"{visible(delimited(session))}: nothing to release; the list already shows what the gateway says")


@main.command()
@click.argument("sessions", metavar="SESSION...", callback=_named, nargs=-1, required=True)
@_config_option
@_admin_option
def forget(sessions: tuple[str, ...], config: Path | None, admin: str | None) -> None:
    """Remove all that is known of each SESSION, such as one that was deleted long ago.

    A correction that stands ends, with the reason `operator`. The history keeps what happened. The next event about
    the session makes it known again.
    """
    for session in sessions:
        path = f"/sessions/{admin_client.quote(session)}/forget"
        answer = _typed(_ask(config, admin, "POST", path, session), messages.Forgotten)
        also = [visible(delimited(name)) for name in answer.forgotten if name != session]
        ended = any(change.change == "released" for change in answer.changes)
        click.echo(
            f"{visible(delimited(session))}: forgotten"
            + (f" (known as {', '.join(also)})" if also else "")
            + ("; the list shows again what the gateway says" if ended else "")
        )


@main.group()
def spool() -> None:
    """Look after events that the gateway did not take and that the running proxy keeps."""


#: Seconds that replaying or dropping many may take: each part of them is written to disk.
_CHANGING = 600.0

_state_option = click.option("--state", type=click.Choice(["waiting", "unknown", "dead"]), help="Those in this state.")
_of_session_option = click.option("--session", callback=_named, metavar="ID", help="Those of this session.")
_ids_argument = click.argument("ids", metavar="[ID]...", callback=_named, nargs=-1)


@spool.command("list")
@_config_option
@_admin_option
@_state_option
@_of_session_option
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="At most so many.")
@click.option("--newest", is_flag=True, help="The newest first. [default: the oldest]")
@click.option("--json", "as_json", is_flag=True, help="Print the admin listener's own JSON.")
def list_spool(
    config: Path | None,
    admin: str | None,
    state: str | None,
    session: str | None,
    limit: int,
    newest: bool,
    as_json: bool,
) -> None:
    """List the events that are kept, without their content."""
    query = _query(limit=str(limit), order="newest" if newest else None, state=state, session=session)
    answer = _ask(config, admin, "GET", f"/spool{query}")
    if as_json:
        click.echo(admin_client.pretty(answer))
        return
    from statusproxy.admin.spool_table import spool_table

    click.echo(spool_table(_typed(answer, messages.SpoolList), chosen=state is not None or session is not None))


@spool.command("show")
@click.argument("id_", metavar="ID", callback=_named)
@_config_option
@_admin_option
@click.option("--body", "with_body", is_flag=True, help="Print the body, as it came, and nothing else.")
@click.option("--json", "as_json", is_flag=True, help="Print the admin listener's own JSON.")
def show_spooled(id_: str, config: Path | None, admin: str | None, with_body: bool, as_json: bool) -> None:
    """Show one event that is kept: what became of it, and which fields it has."""
    path = f"/spool/{admin_client.quote(id_)}"
    if with_body:
        where, token = _listener(config, admin)
        out = sys.stdout.buffer
        on_terminal = sys.stdout.isatty()
        try:
            for piece in admin_client.download(where, f"{path}?body=1", token):
                # What could steer a terminal reaches none; a file or a pipe gets each byte.
                out.write(visible(piece.decode("utf-8", "replace")).encode() if on_terminal else piece)
        except admin_client.AdminError as error:
            _fail(str(error), _EXIT_FAILURE)
        out.write(b"\n" if on_terminal else b"")
        out.flush()
        return
    answer = _ask(config, admin, "GET", path)
    if as_json:
        click.echo(admin_client.pretty(answer))
        return
    from statusproxy.admin.spool_table import shown_text

    click.echo(shown_text(_typed(answer, messages.SpoolShown)))


@spool.command()
@_ids_argument
@_config_option
@_admin_option
@_state_option
@_of_session_option
def replay(
    ids: tuple[str, ...], config: Path | None, admin: str | None, state: str | None, session: str | None
) -> None:
    """Deliver kept events now: those named, or those of a state or session.

    One that is unknown may have arrived before: its receiver then gets it twice.
    """
    _check_choice(ids, state, session)
    _changed(config, admin, "POST", "/replay", ids, _query(state=state, session=session), "to be delivered now")


@spool.command()
@_ids_argument
@_config_option
@_admin_option
@_state_option
@_of_session_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop(
    ids: tuple[str, ...], config: Path | None, admin: str | None, state: str | None, session: str | None, yes: bool
) -> None:
    """Drop kept events for good: those named, or those of a state or session."""
    _check_choice(ids, state, session)
    if not yes and sys.stdin.isatty():
        which = " ".join(map(visible, ids)) or " and ".join(
            text for text, said in ((f"state {state}", state), (f"session {visible(session or '')}", session)) if said
        )
        click.confirm(f"Drop for good: {which}. They are never delivered. Go on?", abort=True, err=True)
    _changed(config, admin, "DELETE", "", ids, _query(state=state, session=session), "dropped")


def _check_choice(ids: tuple[str, ...], state: str | None, session: str | None) -> None:
    chosen = state is not None or session is not None
    if chosen == bool(ids):
        raise click.UsageError(
            "give ids, or --state or --session, not both" if chosen else "say which events: ids, --state or --session"
        )


def _changed(
    config: Path | None, admin: str | None, method: str, what: str, ids: tuple[str, ...], query: str, done: str
) -> None:
    """Have events replayed or dropped, and tell how many there were."""
    if ids:
        for id_ in ids:
            _ask(config, admin, method, f"/spool/{admin_client.quote(id_)}{what}")
            click.echo(f"{visible(id_)}: {done}")
        return
    answer = _typed(_ask(config, admin, method, f"/spool{what}{query}", patience=_CHANGING), messages.SpoolChanged)
    click.echo(f"{answer.changed} {'event' if answer.changed == 1 else 'events'}: {done}" if answer.changed else "none")


def _query(**said: str | None) -> str:
    """A path's query of the parameters that were given."""
    given = {name: value for name, value in said.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""


@main.group()
def state() -> None:
    """Look after the stored state of a running proxy."""


@state.command("show")
@_config_option
@_admin_option
@click.option("--json", "as_json", is_flag=True, help="Print the admin listener's own JSON.")
def show_state(config: Path | None, admin: str | None, as_json: bool) -> None:
    """Show whether the state can be written, and what damage to it is not acknowledged.

    The exit code is 1 where there is any.
    """
    answer = _ask(config, admin, "GET", "/state")
    known = _typed(answer, messages.State)
    if as_json:
        click.echo(admin_client.pretty(answer))
    else:
        from statusproxy.admin.table import state_text

        click.echo(state_text(known))
    sys.exit(_EXIT_FAILURE if known.damage or known.store != "ok" else 0)


@state.command()
@_config_option
@_admin_option
def acknowledge(config: Path | None, admin: str | None) -> None:
    """Confirm that you know of the damage to the stored state: `/readyz`, page and doctor stop telling of it."""
    count = _typed(_ask(config, admin, "POST", "/state/acknowledge"), messages.Acknowledged).acknowledged
    click.echo(f"{count} acknowledged" if count else "nothing to acknowledge: no damage is known")


@main.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_config_option
@click.option("--force", is_flag=True, help="Overwrite FILE.")
def backup(file: Path, config: Path | None, force: bool) -> None:
    """Copy the stored state to FILE, also while the proxy runs.

    FILE appears once it is whole and checked. It holds the sessions and their history; its mode is 0600.
    """
    from statusproxy.store import StoreError
    from statusproxy.store.backup import back_up

    known = environment()
    settings = _load(lambda: load(config, None, known), instead="")
    source = config or find_file(known)
    try:
        path = state_file(settings.state.url, with_state_directory(known, source))
        done = back_up(path, file, force=force)
    except (ValueError, StoreError) as error:
        _fail(f"no backup was made: {error}", _EXIT_FAILURE)
    size = f"{done.size / 1024**2:.1f} MiB"
    click.echo(f"{file}: {done.sessions} sessions, {done.changes} changes of the history ({size}), checked")


@main.command()
@_config_option
@_admin_option
@click.option("--gateway", metavar="URL", help="As in `run`.")
@click.option(
    "--secret-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the gateway's secret, to look at the channel list; else STATUSPROXY_GATEWAY_SECRET.",
)
@click.option("--secret-header", metavar="NAME", default="X-Gateway-Secret", help="The header that carries it.")
@click.option(
    "--language",
    type=click.Choice(["en", "pt-BR"]),
    help="Of the report. [default: pt-BR where LANG says Portuguese, else en]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(
    config: Path | None,
    admin: str | None,
    gateway: str | None,
    secret_file: Path | None,
    secret_header: str,
    language: Literal["en", "pt-BR"] | None,
    as_json: bool,
) -> None:
    """Check whether everything is in place; say what is not, and how to fix it.

    Checks the configuration, ports, gateway, channel list, webhooks, clocks, disk and service, before and after
    the installation. Asks the running proxy what only that knows; changes nothing, and prints no secret.

    The exit code is 0 where all is well, 1 where there are warnings, 2 where there is a problem (or the
    configuration is not valid).
    """
    from statusproxy.doctor import command

    request = command.Request(
        config=config,
        admin=admin,
        gateway=gateway,
        secret_file=secret_file,
        secret_header=secret_header,
        language=language,
        as_json=as_json,
    )
    try:
        report, code = asyncio.run(command.report(request, os.environ, colours=colours(sys.stdout, os.environ)))
    except (ValueError, OSError) as error:  # of the secret: it cannot be read, or cannot be sent
        raise click.UsageError(visible(str(error))) from None
    _show(report)
    sys.exit(code)


@main.command()
@click.option("--gateway", metavar="URL", required=True, help="The gateway to ask.")
@click.option(
    "--secret-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the gateway's secret; it is sent to the gateway alone, and written nowhere.",
)
@click.option("--preset", metavar="NAME", help="The preset to take, where the gateway does not tell its kind.")
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("config.yaml"),
    show_default=True,
    help="The file to write; one that is there is never overwritten.",
)
def init(gateway: str, secret_file: Path | None, preset: str | None, output: Path) -> None:
    """Ask a gateway which kind it is, and write a config.yaml for it.

    Asks for a few lists with harmless GETs, and chooses the preset by the answers' shape.
    """
    from statusproxy.detection.command import InitError
    from statusproxy.detection.command import init as write_configuration

    try:
        told = asyncio.run(write_configuration(gateway, output, secret_file=secret_file, preset=preset))
    except InitError as error:
        for line in str(error).split("\n"):
            click.echo(visible(line), err=True)
        sys.exit(_EXIT_FAILURE)
    for line in told.split("\n"):
        click.echo(visible(line))


@main.command()
@click.option("--minutes", type=click.IntRange(1, 24 * 60), default=60, show_default=True, help="How long to learn.")
@click.option("--show", is_flag=True, help="Print the draft by what was learned so far.")
@click.option("--stop", is_flag=True, help="End learning, and have the proxy forget what it learned.")
@click.option(
    "--from",
    "captures",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Learn from captured events instead: JSON, one JSON document a line, or form bodies. Repeatable.",
)
@click.option("--path", metavar="PATH", help="With --from: the path of the webhook's URL.")
@click.option(
    "--list",
    "lists",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    metavar="FILE",
    help="A captured answer with the list of sessions, or with one. Repeatable, each with its --route.",
)
@click.option("--route", "routes", multiple=True, metavar="PATH", help="The route of --list; {session} for an id.")
@_config_option
@_admin_option
def learn(
    minutes: int,
    show: bool,
    stop: bool,
    captures: tuple[Path, ...],
    path: str | None,
    lists: tuple[Path, ...],
    routes: tuple[str, ...],
    config: Path | None,
    admin: str | None,
) -> None:
    """Draft a preset for a gateway that has none.

    Asks the running proxy to learn from the webhooks and lists that pass it; --show prints the draft. With --from or
    --list it learns from captured files. Kept are names of members, state words and counts: no id, number or text.
    """
    if captures or lists:
        from statusproxy.learning.captures import CaptureError, draft_from

        if show or stop:
            raise click.UsageError("--show and --stop ask a running proxy; leave out --from and --list")
        try:
            click.echo(draft_from(captures, path, lists, routes), nl=False)
        except (CaptureError, OSError) as error:
            raise click.UsageError(visible(str(error))) from None
        return
    if show and stop:
        raise click.UsageError("--show and --stop cannot be given together; show the draft first")
    method, target = (
        ("GET", "/learn") if show else ("DELETE", "/learn") if stop else ("POST", f"/learn?minutes={minutes}")
    )
    answer = _typed(_ask(config, admin, method, target), messages.Learned)
    if show:
        click.echo(answer.draft or "", nl=False)
    from statusproxy.admin.table import learned_text

    click.echo(learned_text(answer, begun=method == "POST"), err=show)


def _ask(
    config: Path | None,
    admin: str | None,
    method: str,
    path: str,
    session: str | None = None,
    patience: float | None = None,
) -> dict[str, Any]:
    """What the running proxy answers; where it knows no `session` of that id, fail with the ids that are like it."""
    admin, token = _listener(config, admin)
    longer = () if patience is None else (patience,)
    try:
        return admin_client.ask(admin, method, path, token, *longer)
    except admin_client.AdminError as error:
        near = _near(admin, token, session) if session is not None and error.status == HTTPStatus.NOT_FOUND else []
        _fail(f"{error}; did you mean {' or '.join(near)}?" if near else str(error), _EXIT_FAILURE)


def _listener(config: Path | None, admin: str | None) -> tuple[str, str | None]:
    """Where the running proxy is asked, and with which token."""
    if admin is not None:
        return admin, None
    settings = _load(lambda: load(config, None, environment()), instead=", or give --admin")
    if settings.admin.listen is None:
        _fail("the admin listener is turned off (admin.listen); turn it on to ask the running proxy", _EXIT_FAILURE)
    return str(settings.admin.listen), settings.admin.token


def _near(admin: str, token: str | None, session: str) -> list[str]:
    from statusproxy.admin.ids import near_ids

    try:
        known = admin_client.typed(admin_client.ask(admin, "GET", "/sessions", token), messages.Sessions)
    except admin_client.AdminError:
        return []
    return [f'"{one}"' for one in near_ids(session, [each.session for each in known.sessions])]


def _typed(answer: dict[str, Any], kind: type[messages.Message]) -> messages.Message:
    try:
        return admin_client.typed(answer, kind)
    except admin_client.AdminError as error:
        _fail(str(error), _EXIT_FAILURE)


def _load(read: Callable[[], Settings], instead: str = OR_GATEWAY) -> Settings:
    """The settings; `instead` ends an error for a command that has no option `--gateway`."""
    try:
        return read()
    except ConfigError as error:
        text = str(error)
        if text.endswith(OR_GATEWAY):
            text = text.removesuffix(OR_GATEWAY) + instead
        _fail(text, _EXIT_CONFIG)


def _show(report: str) -> None:
    """Print a report. A terminal that cannot show a sign gets another for it."""
    encoding = sys.stdout.encoding or "ascii"
    click.echo(report.encode(encoding, "replace").decode(encoding))


def _fail(message: str, code: int) -> NoReturn:
    click.echo(visible(message), err=True)
    sys.exit(code)


def _run_loop(main_task: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where it is installed: it takes about a fifth off what a request costs."""
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None  # asyncio's own
    with contextlib.suppress(ImportError):
        from uvloop import new_event_loop as loop_factory
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main_task)
