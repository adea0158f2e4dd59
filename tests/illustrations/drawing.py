"""The drawing of hub, gateway and engine, and where the proxy sits: one SVG for each scheme and language."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from tests.illustrations import FOLDER

SCHEMES: Final = {
    "light": {"ink": "#1f2328", "soft": "#59636e", "edge": "#8c959f", "box": "#f6f8fa", "proxy": "#ddf4ff",
              "accent": "#0969da", "bad": "#cf222e", "good": "#1a7f37", "paper": "#ffffff"},
    "dark": {"ink": "#f0f6fc", "soft": "#9198a1", "edge": "#656c76", "box": "#151b23", "proxy": "#0c2d6b",
             "accent": "#4493f8", "bad": "#ff7b72", "good": "#3fb950", "paper": "#0d1117"},
}  # fmt: skip

WORDS: Final = {
    "en": {
        "title": "Where statusproxy sits",
        "text": "The phone of the session sales is unlinked. The engine says so in a webhook, which passes through"
        " statusproxy to the gateway. The gateway goes on listing sales as connected. statusproxy corrects the list on"
        " its way back, and the hub reads that sales is disconnected.",
        "hub": "Hub",
        "hub is": "lists the channels",
        "proxy is": "forwards everything,",
        "proxy does": "corrects the list",
        "gateway": "Gateway",
        "gateway is": "HTTP API",
        "engine": "Engine",
        "engine is": "WhatsApp Web",
        "phone": "Phone",
        "unlinked": "unlinked",
        "asks": "requests",
        "webhook": "webhook: sales is lost",
        "passed": "unchanged",
    },
    "pt-BR": {
        "title": "Onde fica o statusproxy",
        "text": "O celular da sessão sales é desvinculado. O motor avisa em um webhook, que passa pelo statusproxy até"
        " o gateway. O gateway continua listando sales como connected. O statusproxy corrige a lista no caminho de"
        " volta, e o hub lê que sales está disconnected.",
        "hub": "Hub",
        "hub is": "lista os canais",
        "proxy is": "encaminha tudo,",
        "proxy does": "corrige a lista",
        "gateway": "Gateway",
        "gateway is": "API HTTP",
        "engine": "Motor",
        "engine is": "WhatsApp Web",
        "phone": "Celular",
        "unlinked": "desvinculado",
        "asks": "requisições",
        "webhook": "webhook: sales caiu",
        "passed": "sem mudanças",
    },
}

_FONT: Final = "-apple-system,BlinkMacSystemFont,'Segoe UI','Noto Sans','DejaVu Sans',Helvetica,Arial,sans-serif"
_MONO: Final = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"


def drawing(language: str, scheme: str) -> str:
    """The drawing as SVG."""
    words, colours = WORDS[language], SCHEMES[scheme]
    style = (
        f"text{{font:15px {_FONT};fill:{colours['ink']};text-anchor:middle}}"
        f".name{{font-size:18px;font-weight:600}}.soft{{fill:{colours['soft']};font-size:14px}}"
        f".code{{font:14px {_MONO}}}.bad{{fill:{colours['bad']};font-weight:600}}.good{{fill:{colours['good']}}}"
        f"rect{{fill:{colours['box']};stroke:{colours['edge']};stroke-width:1.5}}"
        f".proxy{{fill:{colours['proxy']};stroke:{colours['accent']};stroke-width:2.5}}"
        f"path{{fill:none;stroke:{colours['edge']};stroke-width:2}}.event{{stroke:{colours['accent']}}}"
        f".answer{{stroke:{colours['bad']}}}.cut{{stroke:{colours['bad']};stroke-width:3}}"
        f".dot{{fill:{colours['accent']}}}.dot+text{{fill:{colours['paper']};font-size:13px;font-weight:700}}"
    )
    heads = "".join(
        f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9"'
        f' markerUnits="userSpaceOnUse" orient="auto"><polygon points="0 0,10 5,0 10"'
        f' fill="{colours[colour]}"/></marker>'
        for name, colour in (("plain", "edge"), ("event", "accent"), ("answer", "bad"))
    )
    return "\n".join(
        (
            (
                '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 880 312" width="880" height="312" role="img"'
                ' aria-labelledby="title text">'
            ),
            f'<title id="title">{escape(words["title"])}</title>',
            f'<desc id="text">{escape(words["text"])}</desc>',
            f"<style>{style}</style><defs>{heads}</defs>",
            f'<rect width="880" height="312" rx="12" style="fill:{colours["paper"]};stroke:none"/>',
            *_boxes(words),
            *_ways(words),
            "</svg>\n",
        )
    )


def _boxes(words: dict[str, str]) -> Iterator[str]:
    yield '<rect x="10" y="46" width="150" height="78" rx="10"/>'
    yield _text(85, 80, words["hub"], "name") + _text(85, 104, words["hub is"], "soft")
    yield '<rect class="proxy" x="330" y="36" width="190" height="98" rx="10"/>'
    yield _text(425, 68, "statusproxy", "name")
    yield _text(425, 93, words["proxy is"]) + _text(425, 114, words["proxy does"])
    yield '<rect x="710" y="46" width="160" height="78" rx="10"/>'
    yield _text(790, 80, words["gateway"], "name") + _text(790, 104, words["gateway is"], "soft")
    yield '<rect x="710" y="222" width="160" height="78" rx="10"/>'
    yield _text(790, 256, words["engine"], "name") + _text(790, 280, words["engine is"], "soft")
    yield '<rect x="330" y="222" width="190" height="78" rx="10"/>'
    yield _text(425, 256, words["phone"], "name") + _text(425, 280, words["unlinked"], "bad")


def _ways(words: dict[str, str]) -> Iterator[str]:
    # From the phone, which is no more linked, by the engine's webhook to the gateway.
    yield '<path d="M522 261H598M632 261H708" stroke-dasharray="6 5"/>'
    yield '<path class="cut" d="M607 253l16 16m0-16l-16 16"/>'
    yield _dot(615, 233, 1)
    yield '<path class="event" d="M790 220V176H460V138" marker-end="url(#event)"/>'
    yield _text(640, 166, words["webhook"], "code") + _dot(528, 161, 2)
    yield '<path class="event" d="M522 116H706" marker-end="url(#event)"/>'
    yield _text(615, 135, words["passed"], "soft")
    # The list: asked for, answered with the stale word, corrected.
    yield '<path d="M162 62H326" marker-end="url(#plain)"/><path d="M522 56H706" marker-end="url(#plain)"/>'
    yield _text(244, 50, words["asks"], "soft") + _text(615, 44, words["asks"], "soft")
    yield '<path d="M708 84H526" marker-end="url(#plain)"/>'
    yield _text(636, 77, "sales: connected", "code") + _dot(546, 71, 3)
    yield '<path class="answer" d="M328 106H166" marker-end="url(#answer)"/>'
    yield _text(245, 98, "sales:", "code") + _text(247, 126, "disconnected", "code bad") + _dot(196, 93, 4)


def _text(x: int, y: int, words: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{named}>{escape(words)}</text>'


def _dot(x: int, y: int, number: int) -> str:
    return f'<circle class="dot" cx="{x}" cy="{y}" r="10"/><text x="{x}" y="{y + 5}">{number}</text>'


def file(language: str, scheme: str) -> Path:
    """Where a drawing is kept."""
    return FOLDER / f"overview-{scheme}{'' if language == 'en' else f'.{language}'}.svg"


def write() -> None:
    """Write the drawings."""
    for language in WORDS:
        for scheme in SCHEMES:
            file(language, scheme).write_text(drawing(language, scheme), encoding="utf-8")
