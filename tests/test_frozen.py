"""Freeze the applying process by SIGSTOP: the server lets go of its locks; the next run mends."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import psycopg

from reconciler.apply.session import idle_limits, prepared
from reconciler.server.connection import rows
from reconciler.server.locks import LockPolicy
from reconciler.server.parameters import CLIENT_CHECKS
from tests.conftest import Database
from tests.test_locks import wait_until
from tests.test_stopped import OURS, started

TABLE = """
    CREATE TABLE public.t (id int PRIMARY KEY, n int);
    INSERT INTO public.t SELECT g FROM generate_series(1, 100) AS g;
    CREATE FUNCTION public.slow(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE
        AS 'BEGIN IF n = 1 THEN PERFORM pg_sleep(1); END IF; RETURN n; END';
    DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = ''1s''',
                              current_database()); END$$;"""
GENERATED = """
tables: {t: {columns: {g: {type: integer, generated: public.slow(id)}}}}
"""
FILLED = """
tables:
  t:
    columns:
      g: {type: integer, generated: public.slow(id)}
      n: {not_null: true, backfill: {value: public.slow(id)}}
"""
APPLYING = f"SELECT count(*) {OURS} AND state = 'active' AND query ~ "
RUNS = "SELECT status FROM reconcile.run ORDER BY id"


def test_a_frozen_process_keeps_no_locks(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE)
    with psycopg.connect(database.url, autocommit=True) as application:
        application.execute("SET lock_timeout = '8s'")

        process = started(database, tmp_path, GENERATED, "--allow", "all")
        wait_until(lambda: database.value(APPLYING + "'ADD COLUMN'"))
        process.send_signal(signal.SIGSTOP)
        application.execute("SELECT FROM t")
        process.send_signal(signal.SIGCONT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "idle-in-transaction timeout" in err, err[-900:]
        assert "this process stood still for more than 1 s" in err, err
        assert "it was rolled back" in err
        assert "run again to continue" in err
        assert database.rows(RUNS) == [("interrupted",)]

        process = started(database, tmp_path, FILLED, "--allow", "all")
        wait_until(lambda: database.value(APPLYING + "'UPDATE'"))
        process.send_signal(signal.SIGSTOP)
        application.execute("SET lock_timeout = '2s'")
        filled = application.execute("UPDATE t SET id = id WHERE id = 1 RETURNING n").fetchall()
        process.send_signal(signal.SIGCONT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert filled in ([(1,)], [(None,)])  # after the batch, or before its first row


def test_limits_are_no_looser_than_those_of_the_database(
    new_database: Callable[..., Database],
) -> None:
    checks = f"SELECT name, setting::int FROM pg_settings WHERE name IN {(*CLIENT_CHECKS,)}"
    with prepared(new_database().url, LockPolicy()) as connection:
        assert idle_limits(connection) == (5000, 60_000)
        found = {r["name"]: r["setting"] for r in rows(connection, checks)}
        assert found["client_connection_check_interval"] == 10_000
    with prepared(new_database(TABLE).url, LockPolicy()) as connection:
        assert idle_limits(connection) == (1000, 1000)
