"""Checks that look at more than one value of the configuration, one file for what is checked."""
