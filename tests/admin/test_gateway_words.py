"""What the settings in force say of the gateway for the page: its address, its words, its list's rule."""

import pytest

from statusproxy.admin.gateway_words import gateway_words
from statusproxy.config.load import loads
from statusproxy.status.lost_word import lost_word


def test_the_words_are_those_of_the_preset_and_the_rule_that_of_the_first_route() -> None:
    words = gateway_words(loads("gateway: http://127.0.0.1:3000\npreset: waha"))
    assert (words.gateway_url, words.guidance.title) == ("http://127.0.0.1:3000", "WAHA")
    assert words.guidance.states["SCAN_QR_CODE"] == "scan"
    assert words.rule is not None
    assert lost_word(words.rule, "STOPPED", None) == "STOPPED"


def test_a_token_in_the_gateways_base_path_is_not_shown() -> None:
    words = gateway_words(loads("gateway: https://gw.example/instances/3C1F/token/S3cret"))
    assert words.gateway_url == "https://gw.example/instances/********/token/********"


def test_without_a_list_there_is_no_rule() -> None:
    assert gateway_words(loads("gateway: http://127.0.0.1:3000\nchannels: []")).rule is None


def test_variables_of_a_presets_own_file_are_filled_in(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = tmp_path_factory.mktemp("presets") / "mine.yaml"
    preset.write_text('about: {title: "${KIND}"}\n')
    monkeypatch.setenv("KIND", "Mine")
    settings = loads(f"gateway: http://127.0.0.1:3000\npreset: {preset}", {"KIND": "Mine"})
    assert gateway_words(settings).guidance.title == "Mine"
