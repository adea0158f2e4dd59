"""The client's side: connections, their limits, and the bodies of requests."""
