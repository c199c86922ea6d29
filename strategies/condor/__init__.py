"""Rules C: which condors to open, keep and close."""
