"""The services that deliver messages to people: one file each."""
