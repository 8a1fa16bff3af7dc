\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.events_2025_pkey RENAME TO key_of_2025;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.older_regions RENAME TO reconcile_41fcb2174590;
ALTER INDEX public.newer_regions RENAME TO reconcile_99b6ae2c1e52;
ALTER INDEX public.reconcile_41fcb2174590 RENAME TO newer_regions;
ALTER INDEX public.reconcile_99b6ae2c1e52 RENAME TO older_regions;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE INDEX by_day ON ONLY public.events USING btree (at);
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE INDEX CONCURRENTLY events_2025_at_idx ON public.events_2025 USING btree (at);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.by_day ATTACH PARTITION public.events_2025_at_idx;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE INDEX CONCURRENTLY days_of_2026 ON public.events_2026 USING btree (at);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.by_day ATTACH PARTITION public.days_of_2026;
CREATE TABLE public.events_2027 PARTITION OF public.events FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
DO $reconcile$ DECLARE piece regclass; other regclass; schema oid; n int := 1; BEGIN
  SELECT i.indexrelid, c.relnamespace INTO piece, schema FROM pg_partition_tree(to_regclass('public.by_day')) AS t JOIN pg_index AS i ON i.indexrelid = t.relid
  JOIN pg_class AS c ON c.oid = i.indexrelid WHERE i.indrelid = to_regclass('public.events_2027') AND c.relname <> 'days_of_2027';
  IF NOT FOUND THEN RETURN; END IF;
  SELECT c.oid INTO other FROM pg_partition_tree(to_regclass('public.by_day')) AS t JOIN pg_class AS c ON c.oid = t.relid WHERE c.relname = 'days_of_2027' AND c.relnamespace = schema;
  IF FOUND THEN
    WHILE EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = schema AND c.relname = 'days_of_2027' || n) LOOP n := n + 1; END LOOP;
    EXECUTE format('ALTER INDEX %s RENAME TO %I', other, 'days_of_2027' || n);
  END IF;
  EXECUTE format('ALTER INDEX %s RENAME TO %I', piece, 'days_of_2027');
END $reconcile$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
DO $reconcile$ DECLARE piece regclass; other regclass; schema oid; n int := 1; BEGIN
  SELECT i.indexrelid, c.relnamespace INTO piece, schema FROM pg_partition_tree(to_regclass('public.events_key')) AS t JOIN pg_index AS i ON i.indexrelid = t.relid
  JOIN pg_class AS c ON c.oid = i.indexrelid WHERE i.indrelid = to_regclass('public.events_2027') AND c.relname <> 'key_of_2027';
  IF NOT FOUND THEN RETURN; END IF;
  SELECT c.oid INTO other FROM pg_partition_tree(to_regclass('public.events_key')) AS t JOIN pg_class AS c ON c.oid = t.relid WHERE c.relname = 'key_of_2027' AND c.relnamespace = schema;
  IF FOUND THEN
    WHILE EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = schema AND c.relname = 'key_of_2027' || n) LOOP n := n + 1; END LOOP;
    EXECUTE format('ALTER INDEX %s RENAME TO %I', other, 'key_of_2027' || n);
  END IF;
  EXECUTE format('ALTER INDEX %s RENAME TO %I', piece, 'key_of_2027');
END $reconcile$;
COMMIT;
