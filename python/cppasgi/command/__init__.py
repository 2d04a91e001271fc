"""The command ``cppasgi``: what it takes, checks and prints; the top of the wings."""
