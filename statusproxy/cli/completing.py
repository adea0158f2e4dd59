"""Completion in shells: click's own, with the ids of the running proxy that are plain words in every shell.

Ids come from senders of webhooks. Only an id that is one plain word in bash, zsh and fish, whatever stands before and
after it on the line, is a candidate: one of ASCII letters, digits and `_ . @ : + -`. No id is quoted.
"""

import contextlib
import io
import re
from typing import Final

import click
from click.shell_completion import CompletionItem, get_completion_class

from statusproxy.admin import client as admin_client
from statusproxy.admin import messages
from statusproxy.cli.running_proxy import listener

__all__ = ["completion", "session_ids"]

#: Seconds that the proxy may take for one step of its answer: a person waits.
_PATIENCE: Final = 0.5

# Characters that mean only themselves, in quotes and outside. An id that begins with `-` would be an option.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.@:+][A-Za-z0-9_.@:+-]*")


def session_ids(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The plain ids that begin so and are not given yet; none where the proxy does not answer at once. Says nothing."""
    given = context.params.get("sessions") or ()
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            where, token = listener(context.params.get("config"), context.params.get("admin"))
            answer = admin_client.ask(where, "GET", "/sessions", token, _PATIENCE)
            known = admin_client.typed(answer, messages.Sessions).sessions
        except (admin_client.AdminError, SystemExit):
            return []
    names = [one.session for one in known if _PLAIN.fullmatch(one.session)]
    return [CompletionItem(name) for name in names if name.startswith(incomplete) and name not in given]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script by which SHELL completes commands, options and session ids.

    \b
    bash  statusproxy completion bash > ~/.local/share/bash-completion/completions/statusproxy
    zsh   statusproxy completion zsh > a folder of $fpath, as _statusproxy
    fish  statusproxy completion fish > ~/.config/fish/completions/statusproxy.fish

    Session ids come from the running proxy. Only ids of letters (a-z), digits and the characters _ . @ : + - are
    offered; type other ids yourself, in quotes.

    With the systemd service, completion is already installed for all users.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(context.find_root().command, {}, "statusproxy", "_STATUSPROXY_COMPLETE")
    click.echo(script.source(), nl=False)
