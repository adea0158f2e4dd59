"""Moments in the admin listener's messages."""

Moment = str | None
"""`2026-01-15T19:07:06.490Z`; None for a time that never was."""
