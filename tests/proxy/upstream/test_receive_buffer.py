"""What lies in the kernel behind a write that failed."""

import socket

from statusproxy.proxy.upstream.receive_buffer import unread
from tests.proxy.upstream.fake_transport import FakeTransport


def test_all_that_the_kernel_holds_is_read_and_nothing_is_waited_for() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        assert unread(FakeTransport(sock=ours)) == b""
        theirs.sendall(b"a" * 70_000)
        assert unread(FakeTransport(sock=ours)) == b"a" * 70_000
        theirs.sendall(b"the end")
        theirs.close()
        assert unread(FakeTransport(sock=ours)) == b"the end"


def test_nothing_is_read_past_tls() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(b"encrypted")
        assert unread(FakeTransport(sock=ours, tls=object())) == b""
        assert ours.recv(100) == b"encrypted"
