\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;
SET row_security = off;  -- better refused than a backfill that misses rows

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.people ADD COLUMN full_name text;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.people'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.people'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.people SET full_name = ((first || ' '::text) || last) WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND full_name IS NULL AND (((first || ' '::text) || last)) IS NOT NULL;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.people WHERE full_name IS NULL AND (((first || ' '::text) || last)) IS NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.people have no full_name, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.people ADD CONSTRAINT people_full_name_not_null NOT NULL full_name NOT VALID;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.people'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.people'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.people SET full_name = ((first || ' '::text) || last) WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND full_name IS NULL AND (((first || ' '::text) || last)) IS NOT NULL;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.people WHERE full_name IS NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.people have no full_name, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.people VALIDATE CONSTRAINT people_full_name_not_null;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE INDEX CONCURRENTLY people_full_name ON public.people USING btree (full_name);
