\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.readings DROP CONSTRAINT sensible;
-- hazard table-rewrite: public.readings (8,192 bytes) is rewritten for value while nobody can read or write it
ALTER TABLE public.readings ALTER COLUMN value TYPE text USING (value)::text;
ALTER TABLE public.readings ADD CONSTRAINT sensible CHECK ((value <> '0'::text)) NOT VALID;
COMMENT ON CONSTRAINT sensible ON public.readings IS 'reconcile is about to validate this again. no zeros';
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.readings VALIDATE CONSTRAINT sensible;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
COMMENT ON CONSTRAINT sensible ON public.readings IS 'no zeros';
COMMIT;
