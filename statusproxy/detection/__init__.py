"""Finding out which gateway answers, for `statusproxy init`: signs of presets, harmless GETs, a first config.yaml."""
