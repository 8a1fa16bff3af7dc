\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;
SET row_security = off;  -- better refused than a backfill that misses rows

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  IF EXISTS (SELECT FROM public.t WHERE a IS NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.t have no a, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.t ADD CONSTRAINT a_known NOT NULL a NOT VALID;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.t VALIDATE CONSTRAINT a_known;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
COMMENT ON CONSTRAINT a_known ON public.t IS 'since today';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.t RENAME CONSTRAINT t_b_not_null TO b_known;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.t ADD COLUMN d integer CONSTRAINT d_known NOT NULL;
COMMIT;
