"""Completion in shells: click's own, with the session ids of the running proxy, quoted for bash.

Ids come from senders of webhooks: what bash would run if it stood on a command line unquoted is quoted, and what does
not print is no candidate.
"""

import contextlib
import io
import os
import re
from typing import Final

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, get_completion_class

from statusproxy.admin import client as admin_client
from statusproxy.admin import messages
from statusproxy.cli.running_proxy import listener

__all__ = ["QuotingBash", "completion", "session_ids"]

#: Seconds that the proxy may take for one step of its answer: a person waits.
_PATIENCE: Final = 0.5

# What bash reads as more than itself: outside of quotes, and between double quotes.
_READ_BY_BASH: Final = re.compile(r"[^\w@%+=:,./-]")
_READ_IN_QUOTES: Final = re.compile(r'[$`"\\!]')


@add_completion_class
class QuotingBash(BashComplete):
    """Click's completion for bash, whose candidates stand on the command line as one word each."""

    name = "bash"

    def format_completion(self, item: CompletionItem[str]) -> str:
        """A candidate as it stands on the command line, within the quotes that were begun, if any."""
        value = item.value
        if item.type == "plain":
            quote = os.environ.get("COMP_WORDS", "").rpartition("\n")[2][:1]
            if quote == "'":
                value = value.replace("'", "'\\''")
            else:
                value = (_READ_IN_QUOTES if quote == '"' else _READ_BY_BASH).sub(r"\\\g<0>", value)
            value = value.replace("\\", "\\\\")  # the script's `read` takes one of two
        return f"{item.type},{value}"


def session_ids(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The ids that begin so and are not given yet; none where the proxy does not answer at once. Says nothing."""
    given = context.params.get("sessions") or ()
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            where, token = listener(context.params.get("config"), context.params.get("admin"))
            answer = admin_client.ask(where, "GET", "/sessions", token, _PATIENCE)
            known = admin_client.typed(answer, messages.Sessions).sessions
        except (admin_client.AdminError, SystemExit):
            return []
    names = [one.session for one in known if one.session.isprintable() and not one.session.startswith("-")]
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

    The installer for systemd has placed it already, for all users.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(context.find_root().command, {}, "statusproxy", "_STATUSPROXY_COMPLETE")
    click.echo(script.source(), nl=False)
