"""Words of gateways: which texts are plain technical words, and what a state word or an event's name may mean.

A text is kept in the clear only where it is a word. Certain is a text made of words of `VOCABULARY` alone: such a text
says nothing about a person or a session. `is_word` is weaker: it leaves out what may be an id, number, token or text.
"""

import re
from enum import StrEnum
from itertools import pairwise
from typing import Final

from statusproxy.status.dialect import is_jid

LONGEST: Final = 32
"""Characters of the longest word; an event's name has rarely more than 24."""


class Meaning(StrEnum):
    """What a word or an event's name says of its session, by the known gateways: a guess elsewhere."""

    DISCONNECTED = "disconnected"
    CONNECTED = "connected"
    TRANSIENT = "transient"
    ALIVE = "alive"


_LOST: Final = """
    close closed disconnected disconected desconnected desconectado caido fechado disconnectedmobile desconnectedmobile
    browserclose serverclose autoclosecalled notlogged qrreadfail qrreaderror deletetoken logout logged loggedout
    refused failed failure stopped unpaired unlinked unlinkeddevice temporaryban banned connectfailure authfailure
    offline down lost dropped expired dead gone terminated removed kicked evicted crashed killed broken
    signedout signedoff loggedoff logoff signout notauthenticated notregistered notlinked notpaired deauthorized
    desconectada caida fechada encerrado encerrada deslogado deslogada perdida cerrada
    perdido cerrado
"""
_FOUND: Final = """
    open opened connected conectado conectada working ready inchat loggedin loggedon signedin online up linked active
    alive established operational pronto listo abierto abierta aberto aberta
"""
_UNDER_WAY: Final = """
    connecting reconnecting retrying opening starting initializing initialising authenticating resuming syncing
    conectando reconectando loading restarting connectionlost lostconnection connlost timeout timedout handshaking
    relinking
"""
_HEARD: Final = (
    "message messages msg onmessage messageany messagesupsert messagereceived incomingcall mensagem receivedmessage"
)

#: What a name may hold beside the word that means something.
_FILLER_WORDS: Final = """
    session sessions instance connection channel device client account phone status state update updated event changed
    change link line conn on the was is has been mobile socket whatsapp wa engine by from acct
"""
_FILLERS: Final = frozenset(_FILLER_WORDS.split())

_OTHERS: Final = """
    account accounts ack action add added active admin alert all answer any api app array audio auth authenticated
    authenticating authentication auto available away ban base battery begin body bool boolean bot broadcast browser by
    call called calls canceled cancelled change changed channel channels chat chats check client clients closing code
    completed composing config conflict connect connection connections contact contacts content count create created
    creating current data date delay delete deleted deleting delivered delivery device devices disabled
    disconnect disconnecting document done draft empty enabled end ended engine error event events exit fail false fetch
    file find finished found from get group groups health heartbeat history hook id idle image in inactive incoming
    info init initial initialized instance instances invalid is join joined key keys kind label last leave
    left limit line link list load loaded location lock locked log logged login logs loop media
    members message messages method mobile missing mode name names new no none not notify null number off ok old on
    open other out outgoing own page pair paired pairing passkey participant participants path pause paused
    payload pending phone photo picture ping platform playing poll pong presence previous profile progress ptt qr
    qrcode queue queued raw reaction reactions read reading reason receipt receive received recording reconnect
    reconnected refresh register registered reject rejected remove replaced request required reset response
    restart restarted result retry revoke revoked route running scan scanned scanning security seen self send sender
    sending sent session sessions set settings setup show start started state status sticker stop
    stopping story stream success successful suspended switch sync synced target temporary terminate text
    tick time timestamp timeout to token true type typing unauthorized unavailable unknown unlaunched unlink unpair
    unread update updated updates upload upsert url user users valid value version video view voice wait waiting wake
    warning webhook websocket whatsapp write
    sessao sessoes canal canais conexao conectar desconectar mensagem mensagens evento eventos dispositivo estado
    erro falha iniciando iniciado aguardando leitura sucesso usuario usuarios instancia instancias tipo acao
    sesion conexion mensaje usuario
    signed timed out off relogin unauthenticated unregistered deregistered unavailable peer inbound outbound
    authenticity autoclose islogged inchat mobile wa v1 v2 v3 v4
    msgs rcpt rcv recv evt evts notif notification notifications sess dev upd stat req res cfg num cmd op signal
"""

VOCABULARY: Final = frozenset(f"{_LOST} {_FOUND} {_UNDER_WAY} {_HEARD} {_OTHERS}".split()) | _FILLERS
"""Technical words, folded. Words that people or sessions are called by do not belong here."""

_MEANINGS: Final = {
    word: meaning
    for meaning, words in (
        (Meaning.ALIVE, _HEARD),
        (Meaning.TRANSIENT, _UNDER_WAY),
        (Meaning.CONNECTED, _FOUND),
        (Meaning.DISCONNECTED, _LOST),
    )
    for word in words.split()
}
_CONTRADICTED: Final = frozenset({"logged"})  # `logged` alone says nothing; `notlogged` does

_PIECE: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]*", re.ASCII)
_HEX: Final = re.compile(r"[0-9a-fA-F-]{8,}", re.ASCII)
_SHORTEST: Final = 2  # letters of a word inside of another, such as `qr` in `qrcode`


_made_of: Final[dict[str, tuple[str, ...]]] = {}
"""Texts made of words of the vocabulary, and these words. No other text is remembered: it may be an id or a number."""

_REMEMBERED: Final = 2048


def segments(text: str) -> tuple[str, ...] | None:
    """The words of the vocabulary that a text is made of, folded; None where it holds anything else.

    `status-find`, `disconnectedMobile`, `SCAN_QR_CODE` and `closesession` are made of such words.
    """
    if len(text) > LONGEST:
        return None
    found = _made_of.get(text)
    if found is None:
        found = _segments(text)
        if found is not None and len(_made_of) < _REMEMBERED:
            _made_of[text] = found
    return found


def _segments(text: str) -> tuple[str, ...] | None:
    if not _WORD.fullmatch(text):
        return None
    if text.casefold() in VOCABULARY:
        return (text.casefold(),)
    found: list[str] = []
    for piece in _PIECE.findall(text):
        split = _split(piece.casefold())
        if split is None:
            return None
        found += split
    return tuple(found) or None


def is_known(text: str) -> bool:
    """Whether a text is made of words of the vocabulary alone."""
    return segments(text) is not None


def is_word(text: str) -> bool:
    """Whether a text may be a technical word that the vocabulary lacks; not an id, number, token, hash, JID or text."""
    if len(text) > LONGEST or not _WORD.fullmatch(text) or _HEX.fullmatch(text) or is_jid(text):
        return False
    pieces = _PIECE.findall(text)
    letters = [piece for piece in pieces if not piece.isdigit()]
    digits = sum(len(piece) for piece in pieces if piece.isdigit())
    if digits > 1 or not letters or len(letters) > 4 or sum(map(len, letters)) < 2.5 * len(letters):
        return False
    return all(map(_is_spoken, letters))


def is_name(text: str) -> bool:
    """Whether a member's name is one that a programmer wrote: no id or number that stands there as a key."""
    if text in _SHORT_NAMES or is_known(text):
        return True
    if not re.fullmatch(r"[A-Za-z_$][A-Za-z0-9_$-]{0,39}", text, re.ASCII) or _HEX.fullmatch(text):
        return False
    letters = [piece for piece in _PIECE.findall(text) if not piece.isdigit()]
    written = len(text) <= _SHORT_NAME or sum(map(len, letters)) >= 2 * len(letters)
    return sum(map(str.isdigit, text)) <= 2 and written and not _UNSPEAKABLE.search(text)


_UNSPEAKABLE: Final = re.compile(r"[b-df-hj-np-tv-xzB-DF-HJ-NP-TV-XZ]{6}")
_SHORT_NAME: Final = 4
"""Characters of a name that is too short to be a token drawn by chance."""

_SHORT_NAMES: Final = frozenset({"id", "t", "ts", "st"})


def meaning(text: str) -> Meaning | None:
    """What a word may mean, by the words of the known gateways; None where nothing is known."""
    parts = segments(text)
    if parts is None:
        return None
    whole = "".join(parts)
    if whole in _MEANINGS and whole not in _CONTRADICTED:
        return _MEANINGS[whole]
    kept = [part for part in parts if part not in _FILLERS]
    for before, word in pairwise(["", *kept]):
        if before in {"not", "no"} and _MEANINGS.get(word) is Meaning.CONNECTED:
            return Meaning.DISCONNECTED
    rest = "".join(kept)
    return None if rest in _CONTRADICTED else _MEANINGS.get(rest)


_LONGEST_PART: Final = max(map(len, VOCABULARY))


def _split(piece: str) -> list[str] | None:
    """A run of letters as words of the vocabulary, as few as can be."""
    if piece in VOCABULARY:
        return [piece]
    best: list[list[str] | None] = [[]] + [None] * len(piece)
    for end in range(1, len(piece) + 1):
        for start in range(max(0, end - _LONGEST_PART), end - _SHORTEST + 1):
            before = best[start]
            if before is not None and piece[start:end] in VOCABULARY:
                shorter = best[end]
                if shorter is None or len(before) + 1 < len(shorter):
                    best[end] = [*before, piece[start:end]]
    return best[-1]


def _is_spoken(piece: str) -> bool:
    """Whether a run of letters can be said: a token drawn by chance mostly cannot."""
    vowels = sum(letter in "aeiouyAEIOUY" for letter in piece)
    return len(piece) <= 16 and (len(piece) < 5 or 4 * vowels >= len(piece))
