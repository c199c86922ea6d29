"""Market data as TWS streams it: subscriptions, ticks, greeks, snapshots, bars and single ticks."""
