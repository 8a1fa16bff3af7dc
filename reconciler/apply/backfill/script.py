"""Write a backfill for psql: a DO block with a COMMIT after every range of blocks."""

from __future__ import annotations

from reconciler.apply.backfill.fill import stuck
from reconciler.apply.backfill.triggers_off import DISABLE_TRIGGERS
from reconciler.model.statement import Fill
from reconciler.sql import literal, text

BATCH = 128  # blocks of 8 kB: some ten thousand rows
# The number of blocks of the table, or of its largest partition.
BLOCKS = (
    "(SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size({0}::regclass))"
    " / current_setting('block_size')::int8\n    FROM pg_partition_tree({0}::regclass) AS p)"
)


def script(spec: Fill) -> str:
    """Return a DO block with the effect of `fill`, without retries and throttling."""
    missing = f"rows of {spec.relation} have no {spec.column}, and no value was found for them"
    stale = f"rows of {spec.relation} hold another {spec.column} than their own"
    refusal = text(literal(stale if spec.computed and spec.partial else missing))
    update = "" if spec.value is None else _loop(spec)
    tag = "$reconcile$"
    while tag in update:
        tag = tag[:-1] + "_$"
    return f"""DO {tag}
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN{update}
  IF EXISTS (SELECT FROM {spec.relation} WHERE {stuck(spec)}) THEN
    RAISE EXCEPTION USING MESSAGE = {refusal};
  END IF;
END {tag}"""


def omissions(spec: Fill) -> list[str]:
    """Return a note on each throttle setting ignored by the script."""
    if spec.value is None:
        return []
    limits = ("max_lag", "max_lag_bytes", "max_active", "share", "rows")
    values = {limit: getattr(spec.throttle, limit) for limit in limits}
    listed = ", ".join(f"{limit} {value:g}" for limit, value in values.items() if value)
    if not listed:
        return []
    return [
        f"the pace that was asked for ({listed}) is kept by `reconcile apply` only: "
        "psql waits for nobody"
    ]


def _loop(spec: Fill) -> str:
    pause = f"\n    PERFORM pg_sleep({spec.throttle.pause:g});" if spec.throttle.pause else ""
    triggers_off = "" if spec.throttle.triggers else f"\n    {DISABLE_TRIGGERS};"
    first, last = (
        "format('(%s,0)', reconcile_first)",
        f"format('(%s,0)', reconcile_first + {BATCH})",
    )
    return f"""
  reconcile_blocks := {BLOCKS.format(text(literal(spec.relation)))};
  WHILE reconcile_first < reconcile_blocks LOOP{triggers_off}
    UPDATE {spec.relation} SET {spec.column} = {spec.value} \
WHERE ctid >= {first}::tid AND ctid < {last}::tid AND {spec.fillable};
    COMMIT;{pause}
    reconcile_first := reconcile_first + {BATCH};
  END LOOP;"""
