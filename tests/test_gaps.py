"""An application at work beside `apply` meets no error, and no answer but before or after."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from reconciler import pipeline
from reconciler.server.locks import LockPolicy
from tests.conftest import Database
from tests.test_execute import RecordingWatcher
from tests.test_locks import job_of

PAUSE = 0.003  # seconds between two statements of the application


@dataclass(frozen=True)
class Gap:
    """A change, and what the application does meanwhile: reads one value, and writes.

    The reader may see `answers` only; `count` is a query that tells the number of rows written.
    """

    before: str
    declared: str
    read: str
    answers: tuple[object, ...]
    write: str = ""
    count: str = ""
    role: str = ""


GAPS = {
    "a table becomes a partition of a new one": Gap(
        """CREATE TABLE public.events (
               id serial, at timestamptz NOT NULL, body text, seen bool, PRIMARY KEY (id, at));
           INSERT INTO public.events (at) SELECT '2025-01-01'::timestamptz + g * interval '1 s'
           FROM generate_series(1, 50000) AS g;
           CREATE TABLE public.notes (event int, at timestamptz, CONSTRAINT notes_event
               FOREIGN KEY (event, at) REFERENCES public.events (id, at));
           INSERT INTO public.notes SELECT id, at FROM public.events WHERE id < 100;
           CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql
               AS 'BEGIN NEW.seen := true; RETURN NEW; END';
           CREATE TRIGGER see BEFORE INSERT ON public.events
               FOR EACH ROW EXECUTE FUNCTION public.see();
           CREATE PUBLICATION published FOR TABLE public.events;""",
        """
tables:
  events_old:
    renamed_from: events
    partition_of: events
    values: FOR VALUES FROM (MINVALUE) TO ('2026-01-01')
  events:
    partition_by: range (at)
    columns: {id: serial, at: {type: timestamptz, not_null: true}, body: text, seen: bool}
    constraints: {events_pkey: {primary_key: [id, at]}}
  events_2026:
    partition_of: events
    values: FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')""",
        """SELECT count(*) >= 50000 AND EXISTS (SELECT FROM pg_publication_tables)
              AND (SELECT conrelid = 'public.notes'::regclass
                      AND confrelid = 'public.events'::regclass
                   FROM pg_constraint WHERE conname = 'notes_event') FROM public.events""",
        (True,),
        "INSERT INTO public.events (at, body) VALUES ('2025-06-01', 'new')",
        "SELECT count(*) FROM public.events WHERE body = 'new' AND seen",
    ),
    "a policy is split into four": Gap(
        """DO $$ BEGIN CREATE ROLE gap_user; EXCEPTION WHEN duplicate_object OR unique_violation
           THEN END $$;
           CREATE TABLE public.docs (id serial PRIMARY KEY, owner text);
           ALTER TABLE public.docs ENABLE ROW LEVEL SECURITY;
           CREATE POLICY own ON public.docs USING (owner = 'me');
           GRANT ALL ON public.docs, public.docs_id_seq TO gap_user;
           INSERT INTO public.docs (owner) VALUES ('me'), ('you');""",
        """
tables:
  docs:
    exclusive: [policies]
    policies:
      own: {for: select, to: public, using: "owner = (SELECT 'me')"}
      own_insert: {for: insert, to: public, check: "owner = (SELECT 'me')"}
      own_update: {for: update, to: public, using: "owner = (SELECT 'me')"}
      own_delete: {for: delete, to: public, using: "owner = (SELECT 'me')"}""",
        "SELECT count(*) >= 1 AND bool_and(owner = 'me') FROM public.docs",
        (True,),
        "INSERT INTO public.docs (owner) VALUES ('me')",
        "SELECT count(*) - 1 FROM public.docs WHERE owner = 'me'",
        role="gap_user",
    ),
    "a view takes the name of a renamed table": Gap(
        "CREATE TABLE public.people (name text); INSERT INTO public.people VALUES ('a');",
        """
tables:
  persons: {renamed_from: people}
views:
  people: {query: SELECT name FROM persons}""",
        "SELECT name FROM public.people WHERE name = 'a'",
        ("a",),
        "INSERT INTO public.people VALUES ('b')",
        "SELECT count(*) FROM public.people WHERE name = 'b'",
    ),
    "a column takes the name of a renamed one": Gap(
        "CREATE TABLE public.t (name text); INSERT INTO public.t VALUES ('ada lovelace');",
        """
tables:
  t:
    columns:
      full_name: {type: text, renamed_from: name}
      name: {type: text, generated: "split_part(full_name, ' ', 1)"}""",
        "SELECT name FROM public.t",
        ("ada lovelace", "ada"),
    ),
    "a view is replaced under its dependents": Gap(
        """CREATE TABLE public.t (id int, n int); INSERT INTO public.t VALUES (1, 2);
           CREATE VIEW public.v AS SELECT id, n FROM public.t;
           CREATE VIEW public.w AS SELECT id FROM public.v;""",
        'views: {v: {query: "SELECT id, n::text AS n FROM t"}}',
        "SELECT v.n::text FROM public.v JOIN public.w USING (id)",
        ("2",),
    ),
    "a unique index becomes a constraint": Gap(
        """CREATE TABLE public.u (id serial, email text);
           INSERT INTO public.u (email) SELECT 'e' || g FROM generate_series(1, 1000) AS g;
           CREATE UNIQUE INDEX u_email ON public.u (email);""",
        """
tables:
  u:
    constraints: {u_email: {unique: email}}
    indexes: {u_email: {state: absent}}""",
        """SELECT count(*) = 1 FROM pg_index
           WHERE indrelid = 'public.u'::regclass AND indisunique AND indisvalid""",
        (True,),
        "INSERT INTO public.u (email) VALUES ('e1') ON CONFLICT (email) DO NOTHING",
    ),
    "indexes and constraints take each other's names": Gap(
        """CREATE TABLE public.u (email text);
           CREATE UNIQUE INDEX u_email ON public.u (lower(email));
           CREATE TABLE public.c (email text CONSTRAINT c_email UNIQUE);
           CREATE TABLE public.p (email text) PARTITION BY LIST (email);
           CREATE TABLE public.p1 PARTITION OF public.p DEFAULT;
           CREATE UNIQUE INDEX p_email ON public.p (email);""",
        """
tables:
  u: {constraints: {u_email: {unique: email}}, indexes: {u_email: {state: absent}}}
  c: {constraints: {c_email: {state: absent}}, indexes: {c_email: {on: [email], unique: true}}}
  p: {constraints: {p_email: {unique: email}}, indexes: {p_email: {state: absent}}}""",
        "SELECT count(DISTINCT indrelid) FROM pg_index WHERE indisunique AND indisvalid AND "
        "indrelid IN ('public.u'::regclass, 'public.c'::regclass, 'public.p1'::regclass)",
        (3,),
        """WITH u AS (INSERT INTO public.u VALUES ('a') ON CONFLICT DO NOTHING),
                c AS (INSERT INTO public.c VALUES ('a') ON CONFLICT DO NOTHING)
           INSERT INTO public.p VALUES ('a') ON CONFLICT DO NOTHING""",
    ),
    "the index of a replica identity is replaced": Gap(
        """CREATE TABLE public.link (host text NOT NULL, hash text NOT NULL);
           CREATE TABLE public.keyed (hash text NOT NULL, host text NOT NULL);
           CREATE UNIQUE INDEX link_hash ON public.link (hash);
           ALTER TABLE public.keyed ADD CONSTRAINT keyed_hash UNIQUE (hash);
           ALTER TABLE public.link REPLICA IDENTITY USING INDEX link_hash;
           ALTER TABLE public.keyed REPLICA IDENTITY USING INDEX keyed_hash;
           INSERT INTO public.link VALUES ('h', '1');
           INSERT INTO public.keyed SELECT hash, host FROM public.link;
           CREATE PUBLICATION everything FOR ALL TABLES;""",
        """
tables:
  link: {indexes: {link_hash: {on: [hash, host], unique: true}}}
  keyed: {constraints: {keyed_hash: {unique: [hash, host]}}}""",
        "SELECT count(*) FROM pg_index WHERE indisreplident",
        (2,),
        """WITH link AS (UPDATE public.link SET host = host)
           UPDATE public.keyed SET host = host""",
    ),
    "functions use a new column and no longer a dropped one": Gap(
        """CREATE TABLE public.orders (id serial PRIMARY KEY, amount int DEFAULT 1);
           INSERT INTO public.orders DEFAULT VALUES;
           CREATE FUNCTION public.total() RETURNS bigint LANGUAGE plpgsql
               AS 'BEGIN RETURN (SELECT sum(amount) FROM public.orders WHERE id = 1); END';
           CREATE FUNCTION public.checked() RETURNS trigger LANGUAGE plpgsql
               AS 'BEGIN new.amount = 1; RETURN new; END';
           CREATE TRIGGER checked BEFORE INSERT ON public.orders
               FOR EACH ROW EXECUTE FUNCTION public.checked();""",
        """
tables:
  orders: {columns: {amount: {state: absent}, price: {type: int, default: 1}}}
functions:
  total():
    returns: bigint
    language: plpgsql
    body: BEGIN RETURN (SELECT sum(price) FROM public.orders WHERE id = 1); END
  checked():
    returns: trigger
    language: plpgsql
    body: BEGIN new.price = 1; RETURN new; END""",
        "SELECT public.total()",
        (1,),
        "INSERT INTO public.orders DEFAULT VALUES",
        "SELECT count(*) - 1 FROM public.orders WHERE price = 1",
    ),
}


@dataclass
class Seen:
    """What the application met: errors, answers, and how many writes were accepted."""

    errors: list[str] = field(default_factory=list[str])
    answers: set[object] = field(default_factory=set[object])
    written: int = 0
    asked: int = 0


@contextmanager
def application(url: str, gap: Gap) -> Generator[Seen]:
    """Read and write in two sessions until the end of the block."""
    seen, stop = Seen(), threading.Event()
    threads = [threading.Thread(target=_reader, args=(url, gap, seen, stop))]
    if gap.write:
        threads.append(threading.Thread(target=_writer, args=(url, gap, seen, stop)))
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _session(url: str, gap: Gap) -> psycopg.Connection:
    connection = psycopg.connect(url, autocommit=True)
    if gap.role:
        connection.execute(f"SET ROLE {gap.role}".encode())
    return connection


def _reader(url: str, gap: Gap, seen: Seen, stop: threading.Event) -> None:
    with _session(url, gap) as connection:
        while not stop.is_set():
            try:
                rows = connection.execute(gap.read.encode()).fetchall()
                seen.answers.add(rows[0][0] if rows else None)
            except psycopg.Error as e:
                seen.errors.append(f"read: {e}")
            seen.asked += 1
            time.sleep(PAUSE)


def _writer(url: str, gap: Gap, seen: Seen, stop: threading.Event) -> None:
    with _session(url, gap) as connection:
        while not stop.is_set():
            try:
                connection.execute(gap.write.encode())
                seen.written += 1
            except psycopg.Error as e:
                seen.errors.append(f"write: {e}")
            time.sleep(PAUSE)


@pytest.mark.parametrize("title", GAPS)
def test_an_application_meets_no_gap(
    title: str, new_database: Callable[..., Database], tmp_path: Path
) -> None:
    gap = GAPS[title]
    database = new_database(gap.before)
    job = job_of(database, gap.declared, tmp_path)
    plan = pipeline.plan_changes(job)
    with application(database.url, gap) as seen:
        outcome = pipeline.apply_plan(
            plan, job, job.target, RecordingWatcher(), LockPolicy(), ["all"]
        )
    assert (outcome.failed, outcome.left) == (0, ())
    assert not seen.errors
    assert seen.asked > 10
    assert seen.answers <= {*gap.answers}
    if gap.count:
        assert database.value(gap.count) == seen.written
