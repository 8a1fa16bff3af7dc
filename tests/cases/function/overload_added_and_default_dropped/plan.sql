\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP VIEW public.v;
CREATE FUNCTION public.f(a integer)
RETURNS integer
LANGUAGE sql
AS $function$SELECT 1$function$;
DROP FUNCTION public.f(integer, integer);
CREATE FUNCTION public.f(a integer, b integer)
RETURNS integer
LANGUAGE sql
AS $function$SELECT 1$function$;
CREATE VIEW public.v AS
SELECT public.f(1) AS a,
    public.f(1, 2) AS b;
COMMIT;
