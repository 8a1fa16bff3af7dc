\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE CAST (public.point_of_mine AS text) WITH INOUT;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE FUNCTION public.x_of(p public.point_of_mine)
RETURNS integer
LANGUAGE sql
IMMUTABLE
AS $function$SELECT (p).x$function$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE CAST (public.point_of_mine AS integer) WITH FUNCTION public.x_of(public.point_of_mine) AS ASSIGNMENT;
COMMENT ON CAST (public.point_of_mine AS integer) IS 'only x';
COMMIT;
