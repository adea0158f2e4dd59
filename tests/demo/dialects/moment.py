"""What a gateway shows and posts of one session at one moment."""

from __future__ import annotations

from typing import Any

from statusproxy.demo.dialect import SALES, Dialect, Occasion, Seen, State

AT = 1_768_478_400.25  # 2026-01-15T12:00:00.250Z


def seen(dialect: Dialect, state: State) -> Seen:
    """The session `sales`."""
    code = "the code" if state is State.SCANNING else None
    return Seen(
        dialect.ids.get(SALES, SALES), SALES, "token-of-sales", dialect.shows.get(state), code, state is State.CONNECTED
    )


def answers(dialect: Dialect, state: State) -> dict[str, Any]:
    """What each of its routes answers, by method and path."""
    return {f"{route.method} {route.path}": route.answer([seen(dialect, state)]) for route in dialect.routes}


def posted(dialect: Dialect) -> dict[State, list[Any]]:
    """What it posts when the session comes to each state."""
    return {state: list(tell(Occasion(seen(dialect, state), AT, 7))) for state, tell in dialect.events.items()}
