"""The command line: run, check, init, try, learn, doctor, demo, sessions, history, release, forget, state, backup."""
