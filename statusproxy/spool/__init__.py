"""The spool: events that their receiver did not take, kept and delivered later, in their order."""
