"""What messages say, in a file per language."""
