\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP POLICY visible ON public.events;
DROP VIEW public.kinds;
ALTER TABLE public.events ALTER COLUMN kind TYPE text;
CREATE POLICY visible ON public.events FOR ALL TO PUBLIC USING ((kind <> 'hidden'::text));
CREATE VIEW public.kinds WITH (security_barrier = true) AS
SELECT kind,
    count(*) AS n
   FROM public.events
  GROUP BY kind;
GRANT SELECT ON TABLE public.kinds TO PUBLIC;
COMMENT ON VIEW public.kinds IS 'how many of each';
COMMIT;
