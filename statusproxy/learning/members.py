"""What the name of a member suggests about its value, by the names that known gateways use."""

from typing import Final


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


#: Where an event's name, a session, a state may stand: the likeliest first.
EVENTS: Final = _names(
    "event eventtype eventname type datatype action hook kind evt ev what trigger evento tipo acao"
    " topic messagetype msgtype signal sig op operation cmd command notification notificationtype hookname webhookevent"
)
SESSIONS: Final = _names(
    "session sessionid sessionname instance instancename instanceid channel channelid device deviceid account"
    " accountid client clientid bot botid line lineid box boxid tenant sessao canal instancia no num ref uid"
    " user userid username id name"
)
_SESSION_NAMES: Final = frozenset(SESSIONS)
STATES: Final = _names(
    "state status connectionstate connectionstatus connection phase condition sessionstatus newstate newstatus"
    " currentstate laststate estado situacao health mode st"
)
FLAGS: Final = frozenset(
    _names("connected isconnected loggedin isloggedin online isonline active alive authenticated ready up")
)
_LOST_FLAGS: Final = frozenset(
    _names(
        "disconnected isdisconnected offline isoffline loggedout isloggedout unpaired isunpaired unlinked isunlinked"
    )
)
"""Members that say the opposite of `FLAGS`."""

OWN: Final = frozenset(_names("fromme isfromme self own isown outgoing sentbyme byme ismine mine"))
EVENT_IDS: Final = ("eventid", "idempotencykey", "deliveryid", "webhookid", "uuid")

#: How the name of a member begins that tells what was so before.
_FORMER: Final = ("old", "prev", "was", "last", "before", "former", "anterior")

#: Where people's words and addresses, secrets and ids stand: nothing there is kept, also if it looks harmless.
_PRIVATE: Final = frozenset(
    _names(
        "body text message caption content conversation title subject description pushname notifyname displayname"
        " shortname formattedname verifiedname verifiedbizname sender author from to chat chatid contact participant"
        " recipient phone number phonenumber wid jid lid owner ownerjid remotejid code pairingcode token secret"
        " password apikey key hash url file filename signature vcard address city email quoted comment note qr qrcode"
        " base64 label nick nickname alias firstname lastname fullname group groupname thumbnail data response error"
    )
)

_LABELS: Final = frozenset(_names("label nick nickname alias title"))
"""Names people write, which may name a session all the same."""


def fold(name: str) -> str:
    """A member's name for comparison: `sessionId`, `session_id` and `session-id` are one."""
    return name.casefold().replace("_", "").replace("-", "")


def rank(name: str, names: tuple[str, ...]) -> int:
    """The place of a name among `names`, the best first; their number where it is none of them."""
    folded = fold(name)
    return names.index(folded) if folded in names else len(names)


def is_private(name: str) -> bool:
    """Whether no value of such a member may be kept in the clear."""
    folded = fold(name)
    return folded in _PRIVATE or folded in _SESSION_NAMES


def is_naming(name: str) -> bool:
    """Whether such a member of a list may be a session's id, if events hold its values: no address, no secret."""
    folded = fold(name)
    return (
        (folded not in _PRIVATE or folded in _LABELS)
        and folded not in STATES
        and not any(part in folded for part in ("tok", "secret", "pass", "key", "auth", "hash"))
    )


def names_event(name: str) -> bool:
    """Whether an event's name may stand there: a programmer's word, also one that is not known yet."""
    return fold(name) in EVENTS


def names_state(name: str) -> bool:
    """Whether a state may stand there."""
    return fold(name) in STATES


def flag_connected(name: str) -> bool | None:
    """What `true` says under this name: that a session is connected, that it is not, or nothing (None)."""
    folded = fold(name)
    return True if folded in FLAGS else False if folded in _LOST_FLAGS else None


def names_session(name: str) -> bool:
    """Whether a session's id may stand there."""
    return fold(name) in _SESSION_NAMES


def is_former(name: str) -> bool:
    """Whether such a member tells what was so before, and not what is so now."""
    return fold(name).startswith(_FORMER)


def is_id(name: str) -> bool:
    """Whether the values of such a member are ids, which must not be kept wherever else they stand."""
    folded = fold(name)
    return folded in _SESSION_NAMES or folded.endswith(("id", "jid", "token", "key", "number", "phone"))
