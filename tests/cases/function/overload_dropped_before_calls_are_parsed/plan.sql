\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.t ALTER COLUMN id DROP DEFAULT;
CREATE FUNCTION public.next_id(prefix text DEFAULT 'y'::text)
RETURNS text
LANGUAGE sql
AS $function$SELECT prefix$function$;
DROP FUNCTION public.next_id();
ALTER TABLE public.t ALTER COLUMN id SET DEFAULT public.next_id('q'::text);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE FUNCTION public.labelled(label text DEFAULT public.next_id())
RETURNS text
LANGUAGE sql
AS $function$SELECT label$function$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE OR REPLACE VIEW public.v AS
SELECT id,
    public.next_id() AS fresh
   FROM public.t;
COMMIT;
