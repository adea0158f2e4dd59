"""The spool: events that their receiver did not take, kept on disk and delivered later, in their order."""
