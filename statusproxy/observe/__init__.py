"""Observability: log lines, access lines, metrics."""
