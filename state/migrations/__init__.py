"""Revisions of the schema, oldest first; named here so that opening need not load Alembic."""

REVISIONS = ("0001", "0002")
HEAD = REVISIONS[-1]
