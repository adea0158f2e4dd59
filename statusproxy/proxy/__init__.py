"""HTTP in, HTTP out: one exchange at a time between a client and the gateway, carried through untouched."""
