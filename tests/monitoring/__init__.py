"""Alert rules and dashboard of `monitoring/`, run by Prometheus' own programs."""
