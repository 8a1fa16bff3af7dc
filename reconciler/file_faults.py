"""Report the faults of files together with what PostgreSQL refuses in the rest."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from reconciler.canonicalise.canonicalise import with_faults_of_rest
from reconciler.canonicalise.typed_tables import with_columns_of_types
from reconciler.errors import DeclarationError, ReconcileError
from reconciler.introspect.introspect import introspect
from reconciler.planning import Job, servers_of
from reconciler.server.connection import connect_to_read
from reconciler.server.time_limit import time_limit_of_environment


def with_faults_of_sql(error: DeclarationError, job: Job) -> DeclarationError:
    """Return an error of files with the faults of the rest, which is the job's declaration.

    Where PostgreSQL cannot be asked, the error is returned as it is.
    """
    with suppress(ReconcileError), connect_to_read(job.target, job.session) as connection:
        live, time_limit = introspect(connection), time_limit_of_environment()
        declaration = with_columns_of_types(job.declaration, live.state)
        servers = partial(servers_of, job, live, time_limit)
        with time_limit:
            return with_faults_of_rest(error, live, declaration, job.scope, servers)
    return error
