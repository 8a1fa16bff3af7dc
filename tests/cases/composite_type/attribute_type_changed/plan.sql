\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP FUNCTION public.zip_of(public.address);
ALTER TYPE public.address RENAME TO reconcile_old_address;
CREATE TYPE public.address AS (
    zip integer,
    street text
);
-- hazard table-rewrite: public.people (16,384 bytes) is rewritten for home while nobody can read or write it
ALTER TABLE public.people ALTER COLUMN home TYPE public.address USING CASE WHEN home IS DISTINCT FROM NULL THEN ROW((home).zip::integer, (home).street::text)::public.address END;
CREATE FUNCTION public.zip_of(a public.address)
RETURNS text
LANGUAGE sql
AS $function$SELECT ($1).zip$function$;
DROP TYPE public.reconcile_old_address;
COMMIT;
