"""Learning from traffic: what is kept, what is guessed, and the draft."""
