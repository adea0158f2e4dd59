"""Configurations for tests of `try`, as its parts get them."""

from statusproxy.assembly import sender_policy
from statusproxy.config.load import loads
from statusproxy.rehearsal.site import Site, site

NOW = 1_768_504_030.0
"""2026-01-15 19:07:10 UTC."""

OWN = """
gateway: http://127.0.0.1:3000
preset: null
webhooks:
  - path: /events
  - path: /events/{session}
  - path: /signed
    hmac: {header: X-Signature, secret: example-secret}
  - path: /secret
    secret: {header: X-Secret, value: example-secret}
events:
  - {event: state, session: [session, id], state: [word], disconnected: [close], connected: [open]}
  - {event: state, session: [other], state: [other_word], disconnected: [gone]}
  - {event: [lost, gone], session: [session], means: disconnected}
  - {event: back, session: [session], means: connected}
  - {event: message, session: [session], means: alive, unless: [note]}
dialect: {event: [event], time: [timestamp], event_id: [event_id]}
channels:
  - path: /list
    list: [channels]
    id: [id]
    set: {status: disconnected, up: false}
    keep: [qr]
  - path: /list/{session}
    list: [channel]
    id: [id]
    set: {status: disconnected}
reconnect:
  delete: DELETE /list/{session}
  create: POST /list
  qr: GET /list/{session}/qr
"""


def a_site(more: str = "", text: str = OWN) -> Site:
    """The site of this configuration, and `more` of it."""
    return site(loads(text + more), sender_policy)
