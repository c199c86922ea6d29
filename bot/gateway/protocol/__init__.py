"""The wire: frames, the spelling of values, the layout of each message, and its codec."""
