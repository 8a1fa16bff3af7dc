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
ALTER TABLE public.t ADD COLUMN id uuid;
ALTER TABLE public.t ALTER COLUMN id SET DEFAULT gen_random_uuid();
COMMENT ON COLUMN public.t.id IS 'reconcile is about to fill this. ';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.t'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.t'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.t SET id = gen_random_uuid() WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND id IS NULL;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.t WHERE false) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.t have no id, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.t ADD CONSTRAINT t_id_not_null NOT NULL id NOT VALID;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.t'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.t'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.t SET id = gen_random_uuid() WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND id IS NULL;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.t WHERE id IS NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.t have no id, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.t VALIDATE CONSTRAINT t_id_not_null;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
COMMENT ON COLUMN public.t.id IS NULL;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.t ADD COLUMN made timestamp with time zone DEFAULT now() NOT NULL;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.t ADD COLUMN seen timestamp with time zone;
ALTER TABLE public.t ALTER COLUMN seen SET DEFAULT clock_timestamp();
COMMENT ON COLUMN public.t.seen IS 'reconcile is about to fill this. ';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.t'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.t'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.t SET seen = clock_timestamp() WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND seen IS NULL;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.t WHERE false) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.t have no seen, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
COMMENT ON COLUMN public.t.seen IS NULL;
COMMIT;
