\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.days DROP CONSTRAINT days_mood_check;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP FUNCTION public.cheer(public.mood);
DROP VIEW public.moods;
ALTER TABLE public.days ALTER COLUMN mood DROP DEFAULT;
ALTER TYPE public.mood RENAME TO reconcile_old_mood;
CREATE TYPE public.mood AS ENUM ('happy', 'ok');
REVOKE ALL ON TYPE public.mood FROM PUBLIC;
COMMENT ON TYPE public.mood IS 'how one is';
-- hazard table-rewrite: public.days (49,152 bytes) is rewritten for mood, others while nobody can read or write it
ALTER TABLE public.days ALTER COLUMN mood TYPE public.mood USING mood::text::public.mood, ALTER COLUMN others TYPE public.mood[] USING others::text::public.mood[];
ALTER TABLE public.days ALTER COLUMN mood SET DEFAULT 'ok'::public.mood;
CREATE FUNCTION public.cheer(mood public.mood)
RETURNS public.mood
LANGUAGE sql
AS $function$SELECT 'happy'::public.mood$function$;
CREATE VIEW public.moods AS
SELECT mood,
    count(*) AS days
   FROM public.days
  GROUP BY mood;
COMMENT ON VIEW public.moods IS 'how it was';
DROP TYPE public.reconcile_old_mood;
COMMIT;
