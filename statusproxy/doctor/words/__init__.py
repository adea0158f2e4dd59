"""The doctor's words, one file for each language."""
