\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.t DROP COLUMN b;
ALTER TABLE public.t DROP CONSTRAINT big;
DROP INDEX public.t_scaled;
DROP POLICY seen ON public.t;
DROP VIEW public.v;
ALTER TABLE public.t ALTER COLUMN a DROP DEFAULT;
DROP FUNCTION public.scaled(integer);
CREATE FUNCTION public.scaled(n integer)
RETURNS bigint
LANGUAGE sql
IMMUTABLE
AS $function$SELECT n * 2::bigint$function$;
ALTER TABLE public.t ALTER COLUMN a SET DEFAULT public.scaled(21);
-- hazard table-rewrite: public.t (40,960 bytes) is rewritten for b while nobody can read or write it
ALTER TABLE public.t ADD COLUMN b bigint GENERATED ALWAYS AS (public.scaled(id)) STORED;
ALTER TABLE public.t ADD CONSTRAINT big CHECK ((public.scaled(a) > 2)) NOT VALID;
COMMENT ON CONSTRAINT big ON public.t IS 'reconcile is about to validate this again. ';
-- hazard blocks-writes: public.t (40,960 bytes) cannot be written while index public.t_scaled is built
CREATE INDEX t_scaled ON public.t USING btree (public.scaled(a));
CREATE POLICY seen ON public.t FOR ALL TO PUBLIC USING ((public.scaled(id) > 0));
CREATE VIEW public.v AS
SELECT id,
    public.scaled(a) AS twice
   FROM public.t;
GRANT SELECT ON TABLE public.v TO pg_monitor;
COMMENT ON VIEW public.v IS 'kept';
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.t VALIDATE CONSTRAINT big;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
COMMENT ON CONSTRAINT big ON public.t IS NULL;
COMMIT;
