"""Tests, with the builders and fakes they share.

A regular package on purpose: a dependency installs a package called ``tests`` too, and a folder
without this file would lose the name to it.
"""
