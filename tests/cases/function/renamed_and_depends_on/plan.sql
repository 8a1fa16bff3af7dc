\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER FUNCTION public.plus_one(integer) RENAME TO next_after;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TABLE public.later (
    id integer
);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE FUNCTION public.checked()
RETURNS boolean
LANGUAGE plpgsql
AS $function$BEGIN
  RETURN EXISTS (SELECT FROM public.later WHERE id = public.next_after(1));
END
$function$;
COMMIT;
