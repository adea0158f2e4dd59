"""The session registry: the map with its store, its clock, and what follows from each change."""
