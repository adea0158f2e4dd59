"""A second, private listener: health, metrics, what is known of the sessions, and releasing one by hand."""
