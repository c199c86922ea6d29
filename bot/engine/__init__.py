"""The engine: collect, decide, remember, act. Knows ports, never adapters."""
