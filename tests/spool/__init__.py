"""The spool: its pure parts, its delivery, and what operators see of it."""
