"""`Max-Forwards`: how many more hops OPTIONS and TRACE may travel (RFC 9110 §7.6.2)."""

from typing import Final

from statusproxy.proxy.http1.head import Header, values

#: The methods that it bounds; of any other it is an ordinary field.
BOUNDED: Final = frozenset({"OPTIONS", "TRACE"})

#: Digits beyond which the number is only "many".
_MANY_DIGITS: Final = 9


def one_hop_less(fields: list[Header]) -> list[Header] | None:
    """The `fields` of a request of a bounded method for the next hop; None where it may travel no further.

    They stay as they are if none of them is a `Max-Forwards`, if several are, or if its value is not a number.
    """
    said = values(fields, b"max-forwards")
    if len(said) != 1 or not said[0].isdigit():
        return fields
    left = int(said[0]) if len(said[0]) <= _MANY_DIGITS else 10**_MANY_DIGITS
    if not left:
        return None
    return [(name, b"%d" % (left - 1) if name.lower() == b"max-forwards" else value) for name, value in fields]
