\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP POLICY small ON public.accounts;
DROP VIEW public.top_limits;
DROP VIEW public.limits;
DROP FUNCTION public.limit_of(text);
CREATE FUNCTION public.limit_of(p_name text)
RETURNS bigint
LANGUAGE sql
STABLE
AS $function$SELECT 3::bigint$function$;
CREATE POLICY small ON public.accounts FOR ALL TO PUBLIC USING ((amount < public.limit_of(name)));
CREATE VIEW public.limits AS
SELECT name,
    public.limit_of(name) AS most
   FROM public.accounts;
CREATE VIEW public.top_limits AS
SELECT name,
    most
   FROM public.limits
  WHERE (most > 1);
GRANT SELECT ON TABLE public.top_limits TO PUBLIC;
COMMENT ON VIEW public.top_limits IS 'the highest';
COMMIT;
