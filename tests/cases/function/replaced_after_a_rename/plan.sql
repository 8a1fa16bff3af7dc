\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;
SET row_security = off;  -- better refused than a backfill that misses rows

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard blocks-reads: function public.total() may use column public.orders.amount under this name, and would fail until a later step replaces it
ALTER TABLE public.orders RENAME COLUMN amount TO price;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.orders ADD COLUMN size integer;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.orders'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.orders'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.orders SET size = (price + 1) WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND size IS NULL AND ((price + 1)) IS NOT NULL;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.orders WHERE size IS NULL AND ((price + 1)) IS NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.orders have no size, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.orders ADD CONSTRAINT orders_size_not_null NOT NULL size NOT VALID;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.orders'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.orders'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.orders SET size = (price + 1) WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND size IS NULL AND ((price + 1)) IS NOT NULL;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.orders WHERE size IS NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.orders have no size, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.orders VALIDATE CONSTRAINT orders_size_not_null;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE OR REPLACE FUNCTION public.total()
RETURNS bigint
LANGUAGE sql
AS $function$SELECT sum(price * size) FROM public.orders$function$;
COMMIT;
