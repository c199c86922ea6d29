"""Alembic's entry: migrate the connection that the caller hands over, inside its transaction."""

from typing import Literal

from alembic import context
from sqlalchemy import types

from state.columns import Scalar
from state.schema import drop_triggers_and_views, make_triggers_and_views
from state.tables import LedgerRow


def _render(kind: str, item: object, _: object) -> str | Literal[False]:
    """Write storage types into revisions, not the classes of today's code."""
    if kind == "type" and isinstance(item, Scalar):
        return "sa.LargeBinary()"
    if kind == "type" and isinstance(item, types.TypeDecorator):
        return f"sa.{item.impl!r}"
    return False


connection = context.config.attributes["connection"]
drop_triggers_and_views(connection)
context.configure(
    connection=connection,
    target_metadata=LedgerRow.metadata,
    render_as_batch=True,
    render_item=_render,
)
with context.begin_transaction():
    context.run_migrations()
make_triggers_and_views(connection)
