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
ALTER TABLE public.people ADD COLUMN full_name text;
CREATE OR REPLACE FUNCTION public.reconcile_fill_people_full_name() RETURNS trigger LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp
AS 'BEGIN
  NEW.full_name := (SELECT ((first || '' ''::text) || "Last") FROM (SELECT NEW.*) AS people);
  RETURN NEW;
END';
ALTER FUNCTION public.reconcile_fill_people_full_name() OWNER TO CURRENT_USER;
CREATE OR REPLACE TRIGGER reconcile_fill_full_name BEFORE INSERT OR UPDATE ON public.people FOR EACH ROW WHEN (NEW.full_name IS NULL) EXECUTE FUNCTION public.reconcile_fill_people_full_name();
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.people'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.people'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.people SET full_name = ((first || ' '::text) || "Last") WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND full_name IS NULL AND (((first || ' '::text) || "Last")) IS NOT NULL;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.people WHERE full_name IS NULL AND (((first || ' '::text) || "Last")) IS NULL) THEN
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
    UPDATE public.people SET full_name = ((first || ' '::text) || "Last") WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND full_name IS NULL AND (((first || ' '::text) || "Last")) IS NOT NULL;
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

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE OR REPLACE FUNCTION public.reconcile_fill_people_team_name() RETURNS trigger LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp
AS 'BEGIN
  NEW.team_name := (SELECT ( SELECT t.name
           FROM public.teams t
          WHERE (t.id = people.team_id)) FROM (SELECT NEW.*) AS people);
  RETURN NEW;
END';
ALTER FUNCTION public.reconcile_fill_people_team_name() OWNER TO CURRENT_USER;
CREATE OR REPLACE TRIGGER reconcile_fill_team_name BEFORE INSERT OR UPDATE ON public.people FOR EACH ROW WHEN (NEW.team_name IS NULL) EXECUTE FUNCTION public.reconcile_fill_people_team_name();
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.people'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.people'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.people SET team_name = ( SELECT t.name
           FROM public.teams t
          WHERE (t.id = people.team_id)) WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND team_name IS NULL AND (( SELECT t.name
           FROM public.teams t
          WHERE (t.id = people.team_id))) IS NOT NULL;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.people WHERE team_name IS NULL AND (( SELECT t.name
           FROM public.teams t
          WHERE (t.id = people.team_id))) IS NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.people have no team_name, and no value was found for them';
  END IF;
END $reconcile$;
