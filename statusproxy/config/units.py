"""Durations and sizes as people write them: `500ms`, `60s`, `1MiB`; and back again."""

import re

_NUMBER = r"(\d{1,16}(?:\.\d{1,9})?)"  # bounded, so that no text makes a number beyond what a clock can hold
_WRITTEN = re.compile(rf"\s*{_NUMBER}\s*([A-Za-z]*)\s*", re.ASCII)

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

# Powers of 1024 have an `i` and powers of 1000 have none, as IEC 80000-13 says; the bare letters follow
# nginx, where `64k` has always been 65536.
_BYTES = {
    "": 1,
    "b": 1,
    "k": 1024,
    "m": 1024**2,
    "g": 1024**3,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
}

DURATION_ALLOWED = "a duration such as 500ms, 60s, 2m, 1h or 1d (a bare number is seconds)"
SIZE_ALLOWED = "a size such as 65536, 64k, 10MB or 1MiB (a bare number is bytes)"


def parse_duration(text: str) -> float:
    """Seconds that `text` names: `60`, `60s`, `500ms`, `2m`, `1.5h`, `1d`. ValueError says what is allowed."""
    match = _WRITTEN.fullmatch(text)
    unit = _SECONDS.get(match[2].lower() or "s") if match else None
    if match is None or unit is None:
        raise ValueError(f"allowed: {DURATION_ALLOWED}")
    number = float(match[1])
    return number / 1000 if unit == 0.001 else number * unit  # 500/1000 is exact where 500*0.001 is not


def parse_size(text: str) -> int:
    """Bytes that `text` names: `1048576`, `1MiB`, `10MB`, `64k`. ValueError says what is allowed."""
    match = _WRITTEN.fullmatch(text)
    unit = _BYTES.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise ValueError(f"allowed: {SIZE_ALLOWED}")
    size = float(match[1]) * unit if "." in match[1] else int(match[1]) * unit
    if size != int(size):
        raise ValueError(f"allowed: {SIZE_ALLOWED}, and a whole number of bytes")
    return int(size)


def format_duration(seconds: float) -> str:
    """`seconds` in the largest unit that holds it whole; `parse_duration` gives the same value back."""
    for unit in ("d", "h", "m", "s"):
        count = seconds / _SECONDS[unit]
        if count >= 1 and count == int(count):
            return f"{int(count)}{unit}"
    milliseconds = seconds * 1000
    if milliseconds == int(milliseconds) and int(milliseconds) / 1000 == seconds:
        return f"{int(milliseconds)}ms" if milliseconds else "0s"
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def format_size(size: int) -> str:
    """`size` bytes in the largest binary unit that holds it whole; `parse_size` gives the same value back."""
    for unit in ("GiB", "MiB", "KiB"):
        count, rest = divmod(size, _BYTES[unit.lower()])
        if count and not rest:
            return f"{count}{unit}"
    return str(size)
