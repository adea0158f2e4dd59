"""The HTTP proxy: one exchange at a time between a client and the gateway, passed on untouched."""
