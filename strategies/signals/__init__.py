"""Signals S and regimes R, computed from a snapshot."""
