"""Drafting a preset from traffic: the shapes of events and answers, never their ids, numbers or texts."""
