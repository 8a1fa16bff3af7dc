\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.accounts ADD COLUMN active boolean;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE FUNCTION public.active_only()
RETURNS SETOF public.accounts
LANGUAGE sql
STABLE
AS $function$SELECT * FROM public.accounts AS a WHERE a.active$function$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE VIEW public.active_accounts AS
SELECT id,
    name
   FROM public.active_only() active_only(id, name, active)
  WHERE active;
COMMIT;
