"""The gateway's side: connections, their pool, and the bodies of answers."""
