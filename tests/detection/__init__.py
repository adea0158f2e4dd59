"""Finding out which gateway answers, and the first config.yaml."""
