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
ALTER TABLE public.cell ADD COLUMN reconcile_retype_b36c0340de1e public.grade;
CREATE OR REPLACE FUNCTION public.reconcile_retype_b36c0340de1e() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp
AS 'BEGIN
  NEW.reconcile_retype_b36c0340de1e := (SELECT (lower(level))::public.grade FROM (SELECT NEW.*) AS cell);
  RETURN NEW;
END';
ALTER FUNCTION public.reconcile_retype_b36c0340de1e() OWNER TO CURRENT_USER;
CREATE OR REPLACE TRIGGER "~reconcile_retype_b36c0340de1e" BEFORE INSERT OR UPDATE ON public.cell FOR EACH ROW EXECUTE FUNCTION public.reconcile_retype_b36c0340de1e();
ALTER TABLE public.cell ENABLE ALWAYS TRIGGER "~reconcile_retype_b36c0340de1e";
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.cell'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.cell'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.cell SET reconcile_retype_b36c0340de1e = (lower(level))::public.grade WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND reconcile_retype_b36c0340de1e IS NOT DISTINCT FROM NULL AND ((lower(level))::public.grade) IS DISTINCT FROM NULL;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.cell WHERE reconcile_retype_b36c0340de1e IS NOT DISTINCT FROM NULL AND ((lower(level))::public.grade) IS DISTINCT FROM NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.cell have no reconcile_retype_b36c0340de1e, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ANALYZE public.cell (reconcile_retype_b36c0340de1e);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP TRIGGER IF EXISTS "~reconcile_retype_b36c0340de1e" ON public.cell;
DROP FUNCTION IF EXISTS public.reconcile_retype_b36c0340de1e();
-- hazard data-loss: `using` computes new values of column public.cell.level, and may keep nothing of the old ones
ALTER TABLE public.cell DROP COLUMN level;
ALTER TABLE public.cell RENAME COLUMN reconcile_retype_b36c0340de1e TO level;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TYPE public.cell_status AS ENUM ('open', 'closed');
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard table-rewrite: public.cell (65,536 bytes) is rewritten for status while nobody can read or write it; `retype: online` does it while all can
-- hazard data-loss: `using` computes new values of column public.cell.status, and may keep nothing of the old ones
ALTER TABLE public.cell ALTER COLUMN status TYPE public.cell_status USING (lower(status))::public.cell_status;
COMMIT;
