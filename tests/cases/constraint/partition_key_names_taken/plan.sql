\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TABLE public.g_2_pkey (
    x integer
);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE ONLY public.g ADD CONSTRAINT g_pkey PRIMARY KEY (id, day);
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_179d07c49289 ON public.g_1 (id, day);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.g_1 ADD CONSTRAINT g_1_pkey1 PRIMARY KEY USING INDEX reconcile_179d07c49289;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.g_pkey ATTACH PARTITION public.g_1_pkey1;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE TABLE public.g_2 PARTITION OF public.g FOR VALUES FROM (10) TO (20);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TABLE public.z (
    x integer
);
CREATE INDEX fk_2_pkey ON public.z USING btree (x);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TABLE public.fk (
    id integer NOT NULL,
    day integer NOT NULL
) PARTITION BY RANGE (day);
ALTER TABLE public.fk ADD CONSTRAINT fk_pkey PRIMARY KEY (id, day);
CREATE TABLE public.fk_2 PARTITION OF public.fk FOR VALUES FROM (0) TO (10);
DO $reconcile$ DECLARE piece regclass; other regclass; schema oid; n int := 1; BEGIN
  SELECT i.indexrelid, c.relnamespace INTO piece, schema FROM pg_partition_tree(to_regclass('public.fk_pkey')) AS t JOIN pg_index AS i ON i.indexrelid = t.relid
  JOIN pg_class AS c ON c.oid = i.indexrelid WHERE i.indrelid = to_regclass('public.fk_2') AND c.relname <> 'fk_1_pkey';
  IF NOT FOUND THEN RETURN; END IF;
  SELECT c.oid INTO other FROM pg_partition_tree(to_regclass('public.fk_pkey')) AS t JOIN pg_class AS c ON c.oid = t.relid WHERE c.relname = 'fk_1_pkey' AND c.relnamespace = schema;
  IF FOUND THEN
    WHILE EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = schema AND c.relname = 'fk_1_pkey' || n) LOOP n := n + 1; END LOOP;
    EXECUTE format('ALTER INDEX %s RENAME TO %I', other, 'fk_1_pkey' || n);
  END IF;
  EXECUTE format('ALTER INDEX %s RENAME TO %I', piece, 'fk_1_pkey');
END $reconcile$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE TABLE public.fk_1 PARTITION OF public.fk FOR VALUES FROM (10) TO (20);
COMMIT;
