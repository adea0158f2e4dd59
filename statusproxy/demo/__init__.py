"""The demonstration: a stand-in gateway that lies like the real one, and the story of a lost session."""
