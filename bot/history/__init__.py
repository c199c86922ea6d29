"""Bundled market history and user files that extend or replace it."""
