\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE PROCEDURE public.archive(IN before date, INOUT moved integer)
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path TO ''
AS $function$BEGIN
  moved := 0;
END
$function$;
REVOKE ALL ON PROCEDURE public.archive(date, integer) FROM PUBLIC;
COMMENT ON PROCEDURE public.archive(date, integer) IS 'moves what is old';
COMMIT;
