"""`statusproxy init`: the gateway's kind by its own answers, and the file that is written for it."""

import os
import stat
from pathlib import Path

import msgspec
import pytest
import yaml

from statusproxy.config.layers import preset_names
from statusproxy.detection.catalogue import Gateway
from statusproxy.detection.command import InitError, init
from tests.detection.gateways import KINDS, SECRET, Kind, of, standing_in
from tests.ports import free_port


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    return file


@pytest.mark.parametrize("name", KINDS)
async def test_each_gateway_is_known_by_its_own_answers(name: str, tmp_path: Path, secret: Path) -> None:
    output = tmp_path / "config.yaml"
    async with standing_in(KINDS[name]) as gateway:
        told = await init(gateway.url, output, secret_file=secret)
    assert told.startswith(f"The gateway answers like {of(name).title}.\n")
    written = yaml.safe_load(output.read_text())
    assert (written["preset"], written["gateway"]) == (name, gateway.url)
    assert SECRET not in output.read_text() + told
    assert {method for method, _ in gateway.asked} == {"GET"}
    assert not [path for _, path in gateway.asked if "unhealthy" in path]


async def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    output = tmp_path / "config.yaml"
    async with standing_in(KINDS["gowa"]) as gateway:
        await init(gateway.url, output)
    assert stat.S_IMODE(output.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", KINDS)
async def test_a_wrong_secret_stands_in_a_path_only_of_the_kind_that_has_it_there(name: str, tmp_path: Path) -> None:
    wrong = tmp_path / "secret"
    wrong.write_text("planted-wrong")
    async with standing_in(KINDS[name]) as gateway:
        if name == "gowa":
            await init(gateway.url, tmp_path / "a.yaml", secret_file=wrong)
        else:
            with pytest.raises(InitError, match="refuses the secret, sent as ") as raised:
                await init(gateway.url, tmp_path / "a.yaml", secret_file=wrong)
            sent = str(raised.value).partition("sent as ")[2].partition(". Is it")[0].casefold().split(", ")
            assert len(sent) == len(set(sent))
            assert ("a part of the path" in sent) == (name == "wppconnect-server")
    in_paths = [path for _, path in gateway.asked if "planted-wrong" in path]
    assert in_paths == (["/api/planted-wrong/show-all-sessions"] if name == "wppconnect-server" else [])


async def test_a_gateway_that_wants_its_secret_in_the_path_is_known_without_one(tmp_path: Path) -> None:
    async with standing_in(KINDS["wppconnect-server"]) as gateway:
        with pytest.raises(InitError, match=r"requires its secret\. .* the gateway may be: wppconnect-server$"):
            await init(gateway.url, tmp_path / "a.yaml")
    assert gateway.asked[-1] == ("GET", "/api/-/show-all-sessions")


async def test_a_secret_that_others_may_read_is_warned_of_in_a_line(tmp_path: Path, secret: Path) -> None:
    warned = []
    for mode in (0o644, 0o640, 0o600, 0o400):
        os.chmod(secret, mode)
        async with standing_in(KINDS["gowa"]) as gateway:
            told = await init(gateway.url, tmp_path / f"{mode}.yaml", secret_file=secret)
        warned += [line for line in told.splitlines() if line.startswith("Warning")]
    assert warned == [f"Warning: others on this machine may read {secret}. Restrict it: chmod 600"] * 2


async def test_a_secret_stands_in_a_path_only_where_nothing_else_fits(tmp_path: Path, secret: Path) -> None:
    async with standing_in(KINDS["waha"]) as gateway:
        await init(gateway.url, tmp_path / "a.yaml", secret_file=secret)
    assert not [path for _, path in gateway.asked if SECRET in path]


async def test_a_file_that_is_there_is_never_overwritten_and_the_gateway_not_asked(tmp_path: Path) -> None:
    output = tmp_path / "config.yaml"
    output.write_text("mine\n")
    async with standing_in(KINDS["gowa"]) as gateway:
        with pytest.raises(InitError, match=r"config\.yaml exists already, and is never overwritten"):
            await init(gateway.url, output)
    assert (output.read_text(), gateway.asked) == ("mine\n", [])


async def test_a_link_that_leads_nowhere_is_not_written_through(tmp_path: Path) -> None:
    output = tmp_path / "config.yaml"
    output.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InitError, match="exists already"):
        await init("http://127.0.0.1:9", output)


async def test_without_a_secret_it_says_that_one_is_wanted_and_by_what_kinds(tmp_path: Path) -> None:
    async with standing_in(KINDS["evolution-v2"]) as gateway:
        with pytest.raises(InitError, match=r"requires its secret\. .* --secret-file; .*Evolution API v2"):
            await init(gateway.url, tmp_path / "config.yaml")


async def test_a_wrong_secret_is_told_with_the_headers_and_not_repeated(tmp_path: Path) -> None:
    wrong = tmp_path / "secret"
    wrong.write_text("planted-wrong")
    async with standing_in(KINDS["evolution-v2"]) as gateway:
        with pytest.raises(InitError, match=r"refuses the secret, sent as .*apikey") as raised:
            await init(gateway.url, tmp_path / "config.yaml", secret_file=wrong)
    assert "planted-wrong" not in str(raised.value)


async def test_where_several_kinds_fit_it_asks_to_choose(tmp_path: Path, secret: Path) -> None:
    async with standing_in(KINDS["waha"], empty=True) as gateway:
        with pytest.raises(InitError) as raised:
            await init(gateway.url, tmp_path / "config.yaml", secret_file=secret)
    assert str(raised.value).splitlines() == [
        "The gateway has no session yet, and its answers fit several kinds. Choose one with --preset:",
        "  --preset openwa    OpenWA",
        "  --preset waha    WAHA",
    ]


async def test_a_gateway_without_a_session_is_known_where_one_kind_alone_fits(tmp_path: Path) -> None:
    async with standing_in(KINDS["gowa"], empty=True) as gateway:
        told = await init(gateway.url, tmp_path / "config.yaml")
    assert told.startswith("The gateway has no session yet, and its answers fit GOWA.\n")


async def test_the_same_answer_by_two_kinds_is_ambiguous(tmp_path: Path) -> None:
    twice = [of("gowa"), gateway_called("other", like="gowa")]
    async with standing_in(KINDS["gowa"]) as gateway:
        with pytest.raises(InitError, match=r"fit several kinds of gateway\. Choose one with --preset:"):
            await init(gateway.url, tmp_path / "config.yaml", gateways=twice)


def gateway_called(name: str, like: str) -> Gateway:
    return msgspec.structs.replace(of(like), preset=name, title=name)


async def test_a_chosen_preset_asks_for_its_own_signs_alone(tmp_path: Path, secret: Path) -> None:
    output = tmp_path / "config.yaml"
    async with standing_in(KINDS["waha"], empty=True) as gateway:
        told = await init(gateway.url, output, secret_file=secret, preset="waha")
    assert {path for _, path in gateway.asked} == {"/api/sessions"}
    assert told.startswith("The gateway does not answer like WAHA; the given preset is used anyway.\n")
    assert yaml.safe_load(output.read_text())["preset"] == "waha"


async def test_a_chosen_preset_that_fits_is_confirmed(tmp_path: Path, secret: Path) -> None:
    async with standing_in(KINDS["waha"]) as gateway:
        told = await init(gateway.url, tmp_path / "a.yaml", secret_file=secret, preset="waha")
    assert told.startswith("The gateway answers like WAHA.\n")


async def test_an_unknown_preset_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InitError, match=r'no preset of that name; .*did you mean "waha"\?'):
        await init("http://127.0.0.1:9", tmp_path / "a.yaml", preset="wahha")


async def test_a_gateway_that_nobody_knows_is_told_with_what_each_request_came_to(tmp_path: Path) -> None:
    odd = Kind("/devices", None, {"boxes": [1]}, None)
    async with standing_in(odd) as gateway:
        with pytest.raises(InitError) as raised:
            await init(gateway.url, tmp_path / "a.yaml")
    assert "no preset fits this gateway" in str(raised.value)
    assert "  GET /devices: 200 OK, JSON of another shape" in str(raised.value).splitlines()
    assert "  GET /api/channels: 404 Not Found" in str(raised.value).splitlines()


async def test_an_address_that_is_none_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(InitError, match=r"--gateway cannot be read") as raised:
        await init("ftp://user:planted@gateway.example", tmp_path / "a.yaml")
    assert "planted" not in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"two\nlines", b"caf\xc3\xa9", b"\xff"])
async def test_a_secret_that_cannot_be_sent_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(InitError, match="secret"):
        await init("http://127.0.0.1:9", tmp_path / "a.yaml", secret_file=file)


async def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    async with standing_in(KINDS["gowa"]) as gateway:
        with pytest.raises(InitError, match=r"nowhere/a\.yaml cannot be written: no such file or directory"):
            await init(gateway.url, tmp_path / "nowhere" / "a.yaml")


async def test_a_configuration_that_would_not_be_valid_is_not_written(
    tmp_path: Path,
) -> None:
    unknown = [gateway_called("nobody-ships-this", like="gowa")]
    async with standing_in(KINDS["gowa"]) as gateway:
        with pytest.raises(InitError, match="the configuration would not be valid"):
            await init(gateway.url, tmp_path / "a.yaml", gateways=unknown)
    assert os.listdir(tmp_path) == []


async def test_a_token_in_the_address_of_a_gateway_that_is_not_there_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(InitError, match=r"/token/\*{8} cannot be asked") as refused:
        await init(f"http://127.0.0.1:{free_port()}/token/S3cretT0ken", tmp_path / "a.yaml")
    assert "S3cret" not in str(refused.value)


async def test_a_gateway_that_is_not_there_is_told_with_its_address(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(
        InitError, match=rf"^the gateway at http://127\.0\.0\.1:{port} cannot be asked: connection refused;"
    ):
        await init(f"http://127.0.0.1:{port}", tmp_path / "a.yaml")


async def test_the_gateways_of_the_shipped_presets_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InitError, match=", ".join(preset_names())):
        await init("http://127.0.0.1:9", tmp_path / "a.yaml", preset="none such")
