"""Signals S, regimes R, the evidence panel E and what the past says, T1 and T2.

``series`` joins completed daily bars and today's live value, ``indicators``, ``curve``, ``breadth``
and ``dislocation`` compute over them, ``readings`` collects what a decision may use and names what
is absent, and ``regimes`` classifies with hysteresis. ``panel`` votes on the nature of a spike,
``analogues`` and ``event_reactions`` look for what followed on similar days, ``migration`` and
``positions`` read what needs the book, and ``outlook`` gathers those.
"""
