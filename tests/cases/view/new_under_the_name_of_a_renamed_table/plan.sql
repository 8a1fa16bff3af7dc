\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.people RENAME TO persons;
CREATE FUNCTION public.shout(text)
RETURNS text
LANGUAGE sql
IMMUTABLE
AS $function$SELECT upper($1)$function$;
CREATE VIEW public.people AS
SELECT id,
    name,
    public.greet(name) AS greeting,
    public.shout(name) AS shouted
   FROM public.persons;
COMMIT;
