"""Names under which servers see us; they are listed in model.reserved_names."""

APPLICATION = "reconcile"
SCRATCH_APPLICATION = "reconcile scratch"
SCRATCH_DATABASE_PREFIX = "reconcile_scratch_"
