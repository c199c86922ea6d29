"""Signals S and regimes R, computed from a snapshot.

``series`` joins completed daily bars and today's live value, ``indicators``, ``curve``, ``breadth``
and ``dislocation`` compute over them, ``readings`` collects what a decision may use and names what
is absent, and ``regimes`` classifies with hysteresis.
"""
