\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP PROCEDURE public.archive(date);
CREATE PROCEDURE public.archive(IN until date)
LANGUAGE plpgsql
AS $function$BEGIN END$function$;
COMMENT ON PROCEDURE public.archive(date) IS 'moves what is old';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE OR REPLACE PROCEDURE public.tidy()
LANGUAGE sql
AS $function$SELECT 2$function$;
COMMIT;
