\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TYPE public.mood RENAME TO reconcile_old_mood;
-- hazard table-rewrite: public.days (24,576 bytes) is rewritten for mood while nobody can read or write it
ALTER TABLE public.days ALTER COLUMN mood TYPE text;
CREATE TYPE public.mood AS ENUM ('happy', 'ok');
DROP TYPE public.reconcile_old_mood;
COMMIT;
