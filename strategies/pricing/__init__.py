"""Arithmetic of options: prices, implied vols, greeks, surfaces, shocks."""
