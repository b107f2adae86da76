"""Records of arbitrary bytes and values, by seed, over every topic of a running platform."""
