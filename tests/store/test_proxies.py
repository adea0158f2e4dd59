"""What a proxy says of itself to those that share a state with it."""

import os
import socket

from statusproxy import __version__
from statusproxy.store.proxies import Proxy, Sharing

from .samples import NOW


def test_a_process_names_itself_anew_each_time() -> None:
    one, other = Proxy.new(NOW), Proxy.new(NOW)
    assert (one.host, one.pid, one.version, one.started, one.seen) == (
        socket.gethostname(), os.getpid(), __version__, NOW, NOW
    )  # fmt: skip
    assert len(one.id) == 32
    assert one.id != other.id


def test_it_is_shown_by_process_host_and_version() -> None:
    assert str(Proxy("a", "one.example", 7, "1.2")) == "process 7 on one.example, version 1.2"


def test_what_one_does_not_say_of_itself_is_not_known() -> None:
    assert Proxy("a") == Proxy("a", host="", pid=0, version="", started=0, seen=0)


def test_at_first_nobody_is_known_to_share() -> None:
    assert Sharing("a") == Sharing("a", (), 0, 0)
