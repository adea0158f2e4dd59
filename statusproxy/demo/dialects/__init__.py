"""The gateways that the demonstration can play, beside the first one: one frozen value each."""
