"""The command line: a module for each group of commands, such as `state` for state, backup and restore."""
