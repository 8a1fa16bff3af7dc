\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TYPE public.entry AS (
    what text,
    amount numeric
);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TYPE public.side AS ENUM ('credit', 'debit');
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE FUNCTION public.lines(first integer, of public.side DEFAULT 'credit'::public.side, days integer DEFAULT 30, "default" text DEFAULT 'a, b = c'::text)
RETURNS SETOF public.entry
LANGUAGE plpgsql
AS $function$BEGIN RETURN; END$function$;
COMMENT ON FUNCTION public.lines(integer, public.side, integer, text) IS 'with values of their own';
COMMIT;
