"""A fill for psql, as one DO block that commits after every batch: ranges of physical place, which every table has."""

from __future__ import annotations

from reconciler.apply.backfill.fill import stuck
from reconciler.apply.backfill.triggers_off import DISABLE_TRIGGERS
from reconciler.model.statement import Fill
from reconciler.sql import literal, text

BATCH = 128  # blocks of 8 kB: some ten thousand rows
# how many blocks the table, or the largest of its partitions, has
BLOCKS = """(SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size({0}::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree({0}::regclass) AS p)"""


def script(spec: Fill) -> str:
    """The same as `fill` does, without its patience and without limits that ask how the server is."""
    refusal = text(
        literal(f"rows of {spec.relation} have no {spec.column}, and no value was found for them")
    )
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
    """What `fill` would keep to and the script does not, for whoever runs it."""
    if spec.value is None:
        return []
    asked = {
        f: getattr(spec.throttle, f)
        for f in ("max_lag", "max_lag_bytes", "max_active", "share", "rows")
    }
    said = ", ".join(f"{f} {value:g}" for f, value in asked.items() if value)
    return (
        [
            f"the pace that was asked for ({said}) is kept by `reconcile apply` only: psql waits for nobody"
        ]
        if said
        else []
    )


def _loop(spec: Fill) -> str:
    pause = f"\n    PERFORM pg_sleep({spec.throttle.pause:g});" if spec.throttle.pause else ""
    silence = "" if spec.throttle.triggers else f"\n    {DISABLE_TRIGGERS};"
    first, last = (
        "format('(%s,0)', reconcile_first)",
        f"format('(%s,0)', reconcile_first + {BATCH})",
    )
    return f"""
  reconcile_blocks := {BLOCKS.format(text(literal(spec.relation)))};
  WHILE reconcile_first < reconcile_blocks LOOP{silence}
    UPDATE {spec.relation} SET {spec.column} = {spec.value} WHERE ctid >= {first}::tid AND ctid < {last}::tid \
AND {spec.fillable};
    COMMIT;{pause}
    reconcile_first := reconcile_first + {BATCH};
  END LOOP;"""
