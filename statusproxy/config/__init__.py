"""The configuration: its settings, the layers they come from, and the errors about them."""
