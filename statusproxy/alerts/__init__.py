"""Alerts: messages to operators about lost sessions, and about what the proxy itself needs."""
