"""What is told of the traffic: log lines, access lines, metrics."""
