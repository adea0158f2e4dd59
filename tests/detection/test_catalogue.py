"""What the presets tell of their gateways."""

import pytest

from statusproxy.config.layers import preset_names
from statusproxy.detection.catalogue import gateway, shipped
from statusproxy.detection.signs import Fit, Header, SignError
from tests.detection.gateways import KINDS, SECRET

ABOUT = """
about:
  title: Some gateway
  webhook:
    - Set it here.
    - "And\\nthere."
  adds: Correction.
  cannot:
  secret: apikey
  sends_once: true
  signs:
    - get: /list
      list: ""
      each: {name: text, status: [up, "null"]}
reconnect: {create: [POST /api/{session}/start]}
"""


def test_a_preset_tells_title_secret_signs_and_notes() -> None:
    told = gateway("some", ABOUT)
    assert (told.preset, told.title, told.secret, len(told.signs)) == ("some", "Some gateway", Header("apikey"), 1)
    assert told.webhook == ("Set it here.", "And", "there.")
    assert (told.adds, told.cannot, told.sends_once) == (("Correction.",), (), True)


def test_the_gateways_that_send_an_event_once_are_known() -> None:
    known = {"gateway-wrapper", "wppconnect-server", "evolution-v1", "wwebjs-api", "baileys-api"}
    said = {each.preset for each in shipped() if each.sends_once}
    assert said == known, f"{sorted(said ^ known)}: add a preset with `sends_once: true` to `known`"


def test_a_preset_without_about_has_its_name_alone() -> None:
    told = gateway("some", "language: en\n")
    assert (told.title, told.secret, told.signs, told.sends_once) == ("some", None, (), False)


def test_about_must_be_a_mapping() -> None:
    with pytest.raises(SignError, match="preset some: about is not a mapping"):
        gateway("some", "about: [a]\n")


def test_every_shipped_preset_can_be_read() -> None:
    assert [each.preset for each in shipped()] == list(preset_names())


def test_the_signs_of_every_shipped_preset_fit_the_answers_of_its_gateway() -> None:
    for each in shipped():
        if not each.signs:
            continue
        assert each.preset in KINDS, (
            f"tests/detection/gateways.py: add {each.preset} to KINDS, with a route of its `signs` and the gateway's "
            "answers there"
        )
        fits = [
            sign.fit(KINDS[each.preset].sessions)
            for sign in each.signs
            if sign.get.replace("{secret}", SECRET) == KINDS[each.preset].route
        ]
        assert Fit.YES in fits, (
            f"no sign of statusproxy/presets/{each.preset}.yaml fits `route` and `sessions` of its row in KINDS of "
            "tests/detection/gateways.py"
        )
