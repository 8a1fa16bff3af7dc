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
ALTER TABLE public.people ADD COLUMN reconcile_retype_558a2d3d536b bigint;
CREATE OR REPLACE FUNCTION public.reconcile_retype_558a2d3d536b() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp
AS 'BEGIN
  NEW.reconcile_retype_558a2d3d536b := (SELECT team_id FROM (SELECT NEW.*) AS people);
  RETURN NEW;
END';
ALTER FUNCTION public.reconcile_retype_558a2d3d536b() OWNER TO CURRENT_USER;
CREATE OR REPLACE TRIGGER "~reconcile_retype_558a2d3d536b" BEFORE INSERT OR UPDATE ON public.people FOR EACH ROW EXECUTE FUNCTION public.reconcile_retype_558a2d3d536b();
ALTER TABLE public.people ENABLE ALWAYS TRIGGER "~reconcile_retype_558a2d3d536b";
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.people'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.people'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.people SET reconcile_retype_558a2d3d536b = team_id WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND reconcile_retype_558a2d3d536b IS NULL AND (team_id) IS NOT NULL;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.people WHERE reconcile_retype_558a2d3d536b IS NULL AND (team_id) IS NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.people have no reconcile_retype_558a2d3d536b, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.people ADD CONSTRAINT reconcile_not_null_reconcile_retype_558a2d3d536b CHECK (reconcile_retype_558a2d3d536b IS NOT NULL) NOT VALID;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.people VALIDATE CONSTRAINT reconcile_not_null_reconcile_retype_558a2d3d536b;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ANALYZE public.people (reconcile_retype_558a2d3d536b);
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE INDEX CONCURRENTLY reconcile_da29dd55ea37 ON public.people USING btree (reconcile_retype_558a2d3d536b);

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.teams ADD COLUMN reconcile_retype_010e65723800 bigint;
CREATE OR REPLACE FUNCTION public.reconcile_retype_010e65723800() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp
AS 'BEGIN
  NEW.reconcile_retype_010e65723800 := (SELECT parent FROM (SELECT NEW.*) AS teams);
  RETURN NEW;
END';
ALTER FUNCTION public.reconcile_retype_010e65723800() OWNER TO CURRENT_USER;
CREATE OR REPLACE TRIGGER "~reconcile_retype_010e65723800" BEFORE INSERT OR UPDATE ON public.teams FOR EACH ROW EXECUTE FUNCTION public.reconcile_retype_010e65723800();
ALTER TABLE public.teams ENABLE ALWAYS TRIGGER "~reconcile_retype_010e65723800";
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
-- note: the pace that was asked for (rows 500) is kept by `reconcile apply` only: psql waits for nobody
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.teams'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.teams'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    SET LOCAL session_replication_role = replica;
    UPDATE public.teams SET reconcile_retype_010e65723800 = parent WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND reconcile_retype_010e65723800 IS NOT DISTINCT FROM NULL AND (parent) IS DISTINCT FROM NULL;
    COMMIT;
    PERFORM pg_sleep(0.01);
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.teams WHERE reconcile_retype_010e65723800 IS NOT DISTINCT FROM NULL AND (parent) IS DISTINCT FROM NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.teams have no reconcile_retype_010e65723800, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ANALYZE public.teams (reconcile_retype_010e65723800);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.teams ADD COLUMN reconcile_retype_ecc8c9cedf6f bigint;
CREATE OR REPLACE FUNCTION public.reconcile_retype_ecc8c9cedf6f() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp
AS 'BEGIN
  NEW.reconcile_retype_ecc8c9cedf6f := (SELECT id FROM (SELECT NEW.*) AS teams);
  RETURN NEW;
END';
ALTER FUNCTION public.reconcile_retype_ecc8c9cedf6f() OWNER TO CURRENT_USER;
CREATE OR REPLACE TRIGGER "~reconcile_retype_ecc8c9cedf6f" BEFORE INSERT OR UPDATE ON public.teams FOR EACH ROW EXECUTE FUNCTION public.reconcile_retype_ecc8c9cedf6f();
ALTER TABLE public.teams ENABLE ALWAYS TRIGGER "~reconcile_retype_ecc8c9cedf6f";
ALTER TABLE ONLY public.teams ALTER COLUMN reconcile_retype_ecc8c9cedf6f SET STATISTICS 500;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.teams'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.teams'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.teams SET reconcile_retype_ecc8c9cedf6f = id WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND reconcile_retype_ecc8c9cedf6f IS NULL AND (id) IS NOT NULL;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.teams WHERE reconcile_retype_ecc8c9cedf6f IS NULL AND (id) IS NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.teams have no reconcile_retype_ecc8c9cedf6f, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.teams ADD CONSTRAINT reconcile_not_null_reconcile_retype_ecc8c9cedf6f CHECK (reconcile_retype_ecc8c9cedf6f IS NOT NULL) NOT VALID;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.teams VALIDATE CONSTRAINT reconcile_not_null_reconcile_retype_ecc8c9cedf6f;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ANALYZE public.teams (reconcile_retype_ecc8c9cedf6f);
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_1f014cd3111a ON public.teams (reconcile_retype_ecc8c9cedf6f);

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE INDEX CONCURRENTLY reconcile_51d95b00c66f ON public.teams USING btree (reconcile_retype_ecc8c9cedf6f DESC, name) WHERE (name <> 'none'::text);

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.people DROP CONSTRAINT people_team_id_fkey;
DROP INDEX public.people_team;
DROP VIEW public.sizes;
DROP TRIGGER IF EXISTS "~reconcile_retype_558a2d3d536b" ON public.people;
DROP FUNCTION IF EXISTS public.reconcile_retype_558a2d3d536b();
ALTER TABLE public.people DROP COLUMN team_id;
ALTER TABLE public.people RENAME COLUMN reconcile_retype_558a2d3d536b TO team_id;
ALTER TABLE public.people ADD CONSTRAINT people_team_id_not_null NOT NULL team_id;
ALTER TABLE public.people DROP CONSTRAINT reconcile_not_null_reconcile_retype_558a2d3d536b;
ALTER INDEX public.reconcile_da29dd55ea37 RENAME TO people_team;
ALTER TABLE public.teams DROP CONSTRAINT teams_parent_fkey;
ALTER TABLE public.teams DROP CONSTRAINT teams_pkey;
DROP INDEX public.teams_by_id;
DROP POLICY visible ON public.teams;
DROP STATISTICS public.teams_both;
DROP TRIGGER IF EXISTS "~reconcile_retype_010e65723800" ON public.teams;
DROP FUNCTION IF EXISTS public.reconcile_retype_010e65723800();
ALTER TABLE public.teams DROP COLUMN parent;
ALTER TABLE public.teams RENAME COLUMN reconcile_retype_010e65723800 TO parent;
ALTER SEQUENCE public.teams_id_seq OWNED BY NONE;
ALTER SEQUENCE public.teams_id_seq AS bigint NO MAXVALUE;
ALTER TABLE public.teams ALTER COLUMN id DROP DEFAULT;
DROP TRIGGER IF EXISTS "~reconcile_retype_ecc8c9cedf6f" ON public.teams;
DROP FUNCTION IF EXISTS public.reconcile_retype_ecc8c9cedf6f();
ALTER TABLE public.teams DROP COLUMN id;
ALTER TABLE public.teams RENAME COLUMN reconcile_retype_ecc8c9cedf6f TO id;
ALTER TABLE public.teams ADD CONSTRAINT teams_id_not_null NOT NULL id;
ALTER TABLE public.teams DROP CONSTRAINT reconcile_not_null_reconcile_retype_ecc8c9cedf6f;
GRANT SELECT (id) ON TABLE public.teams TO PUBLIC;
COMMENT ON COLUMN public.teams.id IS 'counted';
ALTER TABLE public.teams ALTER COLUMN id SET DEFAULT nextval('public.teams_id_seq'::regclass);
CREATE VIEW public.sizes AS
SELECT t.id,
    count(*) AS people
   FROM (public.teams t
     JOIN public.people p ON ((p.team_id = t.id)))
  GROUP BY t.id;
GRANT SELECT ON TABLE public.sizes TO PUBLIC;
ALTER TABLE public.teams ADD CONSTRAINT teams_pkey PRIMARY KEY USING INDEX reconcile_1f014cd3111a;
ALTER TABLE public.people ADD CONSTRAINT people_team_id_fkey FOREIGN KEY (team_id) REFERENCES public.teams(id) ON DELETE CASCADE NOT VALID;
COMMENT ON CONSTRAINT people_team_id_fkey ON public.people IS 'reconcile is about to validate this again. ';
ALTER TABLE public.teams ADD CONSTRAINT teams_parent_fkey FOREIGN KEY (parent) REFERENCES public.teams(id) NOT VALID;
COMMENT ON CONSTRAINT teams_parent_fkey ON public.teams IS 'reconcile is about to validate this again. ';
ALTER INDEX public.reconcile_51d95b00c66f RENAME TO teams_by_id;
CREATE POLICY visible ON public.teams FOR ALL TO PUBLIC USING ((id > 0));
CREATE STATISTICS public.teams_both ON id, parent FROM public.teams;
ALTER SEQUENCE public.teams_id_seq OWNED BY public.teams.id;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.people VALIDATE CONSTRAINT people_team_id_fkey;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
COMMENT ON CONSTRAINT people_team_id_fkey ON public.people IS NULL;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.teams VALIDATE CONSTRAINT teams_parent_fkey;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
COMMENT ON CONSTRAINT teams_parent_fkey ON public.teams IS NULL;
COMMIT;
