"""Configuration: read once, refuse the unknown, remember where every value came from."""
