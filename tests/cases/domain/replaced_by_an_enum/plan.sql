\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.people ALTER COLUMN mood DROP DEFAULT;
ALTER TYPE public.mood RENAME TO reconcile_old_mood;
CREATE TYPE public.mood AS ENUM ('sad', 'happy');
-- hazard table-rewrite: public.people (16,384 bytes) is rewritten for mood while nobody can read or write it
ALTER TABLE public.people ALTER COLUMN mood TYPE public.mood USING mood::text::public.mood;
ALTER TABLE public.people ALTER COLUMN mood SET DEFAULT 'sad'::public.mood;
DROP DOMAIN public.reconcile_old_mood;
COMMIT;
