"""The demonstration: a stand-in gateway that lies like the real one, and the story of a lost session."""

from statusproxy.demo.story import play, serve

__all__ = ["play", "serve"]
