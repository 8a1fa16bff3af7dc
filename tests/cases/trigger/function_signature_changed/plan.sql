\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE FUNCTION public.stamp(at timestamp with time zone)
RETURNS timestamp with time zone
LANGUAGE sql
AS $function$SELECT at$function$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE FUNCTION public.stamped()
RETURNS trigger
LANGUAGE plpgsql
AS $function$BEGIN NEW.at := clock_timestamp(); RETURN NEW; END$function$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE OR REPLACE TRIGGER stamped BEFORE UPDATE ON public.t FOR EACH ROW EXECUTE FUNCTION public.stamped();
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP FUNCTION public.stamp();
COMMIT;
