"""A mode is taken only where it can mean one thing, whichever YAML wrote it."""

import pytest

from statusproxy.config.errors import ConfigError
from statusproxy.config.load import dump, loads

GATEWAY = "gateway: http://gw.example\n"
ALLOWED = "allowed: an octal mode such as 0666 (everybody), 0660 (owner and group) or 0600 (owner only)"
BOTH = f"{ALLOWED}; to connect, a user needs both r and w"


@pytest.mark.parametrize(
    ("written", "mode"),
    [
        ("0666", 0o666),
        ('"0666"', 0o666),
        ("'666'", 0o666),
        ("0o666", 0o666),
        ("0660", 0o660),
        ("0600", 0o600),
        ("0777", 0o777),
        ("${MODE}", 0o660),
    ],
)
def test_an_octal_mode_is_read_as_such_and_shown_so_that_it_is_read_again(written: str, mode: int) -> None:
    settings = loads(f"{GATEWAY}listen_mode: {written}", {"MODE": "0660"})
    assert settings.listen_mode == mode
    assert f"listen_mode: '0{mode:o}'" in dump(settings)
    assert loads(dump(settings)).listen_mode == mode


def test_sockets_are_open_to_every_user_by_default_as_nginx_makes_them() -> None:
    assert loads(GATEWAY).listen_mode == 0o666


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("666", f'found 666; {ALLOWED}; did you mean "0666"?'),
        ("438", f'found 438; {ALLOWED}; did you mean "0666"?'),  # 0666 as YAML 1.1 reads it
        ("432", f'found 432; {ALLOWED}; did you mean "0660"?'),  # octal digits, but decimal of 0660
        ("384", f'found 384; {ALLOWED}; did you mean "0600"?'),
        ("0644", f'found 0644; {BOTH}; did you mean "0666"?'),
        ("'0755'", f'found "0755"; {BOTH}; did you mean "0777"?'),
        ("0444", f'found 0444; {BOTH}; did you mean "0666"?'),
        ("0060", f'found 0060; {BOTH}; did you mean "0660"?'),
        ("0000", f'found 0000; {BOTH}; did you mean "0600"?'),
        ("0999", f"found 0999; {ALLOWED}"),
        ("04666", f"found 04666; {ALLOWED}"),
        ("-666", f"found -666; {ALLOWED}"),
        ("999", f"found 999; {ALLOWED}"),
        ("rw-rw-rw-", f'found "rw-rw-rw-"; {ALLOWED}'),
        ("0x1b6", f'found "0x1b6"; {ALLOWED}'),
        ("null", f"found nothing (null); {ALLOWED}"),
        ("[0666]", f"found a list; {ALLOWED}"),
    ],
)
def test_anything_else_is_refused_with_what_was_meant(written: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loads(f"{GATEWAY}listen_mode: {written}")
    assert str(caught.value) == f"config.yaml:2: listen_mode: {says}"
