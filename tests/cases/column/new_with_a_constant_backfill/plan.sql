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
ALTER TABLE public.guests ADD COLUMN country character varying(2) DEFAULT 'ch'::text NOT NULL;
ALTER TABLE public.guests ALTER COLUMN country DROP DEFAULT;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.guests ADD COLUMN mood public.mood DEFAULT 'calm'::public.mood;
ALTER TABLE public.guests ALTER COLUMN mood DROP DEFAULT;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.guests ADD COLUMN nights bigint DEFAULT 1;
ALTER TABLE public.guests ALTER COLUMN nights SET DEFAULT 2;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.guests ADD COLUMN since date;
COMMENT ON COLUMN public.guests.since IS 'reconcile is about to fill this. ';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.guests'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.guests'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.guests SET since = CURRENT_DATE WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND since IS NULL AND (CURRENT_DATE) IS NOT NULL;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.guests WHERE since IS NULL AND (CURRENT_DATE) IS NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.guests have no since, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
COMMENT ON COLUMN public.guests.since IS NULL;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.guests ADD COLUMN vip boolean DEFAULT false NOT NULL;
COMMIT;
