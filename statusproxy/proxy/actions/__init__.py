"""Actions: one file for what is special to each kind of route."""
