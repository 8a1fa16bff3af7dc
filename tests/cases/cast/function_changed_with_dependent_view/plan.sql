\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE FUNCTION public.g(x public.c)
RETURNS integer
LANGUAGE sql
IMMUTABLE
AS $function$SELECT ($1).a + 1$function$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP VIEW public.v;
DROP CAST (public.c AS integer);
DROP FUNCTION public.f(public.c);
CREATE CAST (public.c AS integer) WITH FUNCTION public.g(public.c);
CREATE VIEW public.v AS
SELECT (x)::integer AS y
   FROM public.t;
COMMIT;
