"""What others trade in the account: stored, counted in positions and cash, adopted by operators."""

from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import Connection, Select, and_, bindparam, exists, select
from sqlalchemy.dialects.sqlite import insert

from state.amounts import session_of
from state.connections import raw_of
from state.errors import AdoptionConflict, FillConflict, UnknownRecord
from state.projector import condors_with_leg
from state.tables import (
    LEG_NAMES,
    AdoptionRow,
    CondorRow,
    ExternalFillRow,
    FillRow,
    columns_of,
    table_of,
)
from state.tallies import Touched
from strategies.model.fills import ExternalFill, ExternalSource, Side

if TYPE_CHECKING:  # SQLAlchemy 2.0, which also works, has other type parameters
    Query: TypeAlias = Select[*tuple[Any, ...]]

_FILLS = table_of(ExternalFillRow)
_OWN = table_of(FillRow)
_ADOPTIONS = table_of(AdoptionRow)
_CONDORS = table_of(CondorRow)


def record(connection: Connection, fill: ExternalFill, touched: Touched) -> bool:
    """Store an execution that is not the bot's; False if it was on record already.

    Raises: FillConflict if its root and revision are on record with other contents, or its root is
        that of a fill of the bot's; InvalidInstrument for a symbol that the bot does not know.
    """
    row = {
        **asdict(fill),
        "source": fill.source.value,
        "side": fill.side.value,
        "cash_flow_usd": fill.cash_flow_usd,
        "session": session_of(fill.executed_at),
    }
    own = connection.execute(_own_query(), {"root": fill.exec_root}).scalar()
    if own is not None:
        raise FillConflict(f"fill {fill.exec_root}", stored=f"a fill of order {own}", got=fill)
    if connection.execute(insert(_FILLS).on_conflict_do_nothing(), row).rowcount == 0:
        given = {"root": fill.exec_root, "revision": fill.revision}
        stored = _to_fill(connection.execute(_revision_query(), given).mappings().one())
        if stored != fill:
            raise FillConflict(
                f"fill {fill.exec_root}.{fill.revision:02d}", stored=stored, got=fill
            )
        return False
    _touch(connection, fill.exec_root, touched)
    return True


def adopt(
    connection: Connection,
    touched: Touched,
    exec_root: str,
    at: datetime,
    *,
    condor_id: str | None,
    layer: str | None,
    by: str,
    reason: str,
) -> bool:
    """Give an execution to a condor or a layer; False if that is so already.

    Raises: UnknownRecord if there is no such execution or condor; AdoptionConflict if the execution
        is adopted otherwise, or what it traded does not belong there.
    """
    assert (condor_id is None) != (layer is None), "it serves a condor or a layer"
    query = select(_FILLS.c.symbol).where(_FILLS.c.exec_root == exec_root)
    symbol = connection.execute(query).scalar()
    if symbol is None:
        raise UnknownRecord("external fill", exec_root)
    wanted = (condor_id, layer)
    standing = connection.execute(
        select(_ADOPTIONS.c.condor_id, _ADOPTIONS.c.layer).where(
            _ADOPTIONS.c.exec_root == exec_root
        )
    ).first()
    if standing is not None:
        if tuple(standing) != wanted:
            stored = standing[0] or standing[1]
            raise AdoptionConflict(exec_root, f"it belongs to {stored} already")
        return False
    if condor_id is not None:
        legs = connection.execute(
            select(*columns_of(_CONDORS, *LEG_NAMES)).where(_CONDORS.c.condor_id == condor_id)
        ).first()
        if legs is None:
            raise UnknownRecord("condor", condor_id)
        if symbol not in legs:
            raise AdoptionConflict(exec_root, f"{symbol} is no leg of {condor_id}")
    row = {"exec_root": exec_root, "at": at, "condor_id": condor_id, "layer": layer}
    connection.execute(insert(_ADOPTIONS), {**row, "set_by": by, "reason": reason})
    _touch(connection, exec_root, touched)
    return True


def _touch(connection: Connection, exec_root: str, touched: Touched) -> None:
    """Mark everything that any revision of an execution may have moved."""
    query = select(_FILLS.c.symbol, _FILLS.c.session).where(_FILLS.c.exec_root == exec_root)
    for symbol, session in connection.execute(query).all():
        touched.symbols.add(symbol)
        touched.hedge_sessions.add(session)
        touched.condors |= condors_with_leg(raw_of(connection), symbol)


def fills_since(connection: Connection, at: datetime) -> tuple[ExternalFill, ...]:
    """Return executions at or after an instant in their latest revision, oldest first."""
    rows = connection.execute(_since_query(), {"since": at}).mappings()
    return tuple(_to_fill(row) for row in rows)


def unadopted(connection: Connection) -> tuple[ExternalFill, ...]:
    """Return the executions that belong to no structure, in their latest revision, oldest first."""
    adopted = exists().where(_ADOPTIONS.c.exec_root == _FILLS.c.exec_root)
    query = _current().where(~adopted).order_by(_FILLS.c.executed_at, _FILLS.c.exec_root)
    return tuple(_to_fill(row) for row in connection.execute(query).mappings())


@cache
def _own_query() -> "Query":
    return select(_OWN.c.client_order_id).where(_OWN.c.exec_root == bindparam("root")).limit(1)


@cache
def _revision_query() -> "Query":
    same = and_(_FILLS.c.exec_root == bindparam("root"), _FILLS.c.revision == bindparam("revision"))
    return select(*columns_of(_FILLS)).where(same)


def _current() -> "Query":
    newer = _FILLS.alias("newer")
    superseded = exists().where(
        and_(newer.c.exec_root == _FILLS.c.exec_root, newer.c.revision > _FILLS.c.revision)
    )
    return select(*columns_of(_FILLS)).where(~superseded)


@cache
def _since_query() -> "Query":
    query = _current().where(_FILLS.c.executed_at >= bindparam("since"))
    return query.order_by(_FILLS.c.executed_at, _FILLS.c.exec_root)


def _to_fill(row: Any) -> ExternalFill:  # noqa: ANN401 a row mapping
    return ExternalFill(
        exec_root=row["exec_root"],
        revision=row["revision"],
        source=ExternalSource(row["source"]),
        reference=row["reference"],
        symbol=row["symbol"],
        side=Side(row["side"]),
        quantity=row["quantity"],
        price=row["price"],
        commission_usd=row["commission_usd"],
        executed_at=row["executed_at"],
    )
