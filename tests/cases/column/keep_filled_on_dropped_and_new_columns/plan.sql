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
CREATE TABLE public.fresh (
    id integer NOT NULL,
    n integer
);
CREATE OR REPLACE FUNCTION public.reconcile_fill_fresh_n() RETURNS trigger LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp
AS 'BEGIN
  NEW.n := (SELECT (- id) FROM (SELECT NEW.*) AS fresh);
  RETURN NEW;
END';
ALTER FUNCTION public.reconcile_fill_fresh_n() OWNER TO CURRENT_USER;
CREATE OR REPLACE TRIGGER reconcile_fill_n BEFORE INSERT OR UPDATE ON public.fresh FOR EACH ROW WHEN (NEW.n IS NULL) EXECUTE FUNCTION public.reconcile_fill_fresh_n();
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE OR REPLACE FUNCTION public.reconcile_fill_people_born() RETURNS trigger LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp
AS 'BEGIN
  NEW.born := (SELECT (1900 + id) FROM (SELECT NEW.*) AS people);
  RETURN NEW;
END';
ALTER FUNCTION public.reconcile_fill_people_born() OWNER TO CURRENT_USER;
CREATE OR REPLACE TRIGGER reconcile_fill_born BEFORE INSERT OR UPDATE ON public.people FOR EACH ROW WHEN (NEW.born IS NULL) EXECUTE FUNCTION public.reconcile_fill_people_born();
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.people'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.people'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.people SET born = (1900 + id) WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND born IS NULL AND ((1900 + id)) IS NOT NULL;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.people WHERE born IS NULL AND ((1900 + id)) IS NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.people have no born, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.people ADD CONSTRAINT people_born_not_null NOT NULL born NOT VALID;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.people'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.people'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.people SET born = (1900 + id) WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND born IS NULL AND ((1900 + id)) IS NOT NULL;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.people WHERE born IS NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.people have no born, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.people VALIDATE CONSTRAINT people_born_not_null;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP TRIGGER reconcile_fill_n ON public.people;
DROP FUNCTION public.reconcile_fill_people_n();
-- hazard data-loss: column public.people.n is dropped with its values
ALTER TABLE public.people DROP COLUMN n;
COMMIT;
