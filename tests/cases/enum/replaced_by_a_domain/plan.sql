\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP VIEW public.moods;
ALTER TABLE public.days ALTER COLUMN mood DROP DEFAULT;
ALTER TYPE public.mood RENAME TO reconcile_old_mood;
CREATE DOMAIN public.mood AS text CONSTRAINT known CHECK ((VALUE = ANY (ARRAY['sad'::text, 'ok'::text])));
-- hazard table-rewrite: public.days (16,384 bytes) is rewritten for mood, moods while nobody can read or write it
ALTER TABLE public.days ALTER COLUMN mood TYPE public.mood USING mood::text::public.mood, ALTER COLUMN moods TYPE public.mood[] USING moods::text::public.mood[];
ALTER TABLE public.days ALTER COLUMN mood SET DEFAULT 'ok'::text;
CREATE VIEW public.moods AS
SELECT mood
   FROM public.days;
DROP TYPE public.reconcile_old_mood;
COMMIT;
