\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;
SET row_security = off;  -- better refused than a backfill that misses rows

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.days ALTER COLUMN v SET DEFAULT 1;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  IF EXISTS (SELECT FROM public.days WHERE v IS NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.days have no v, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.days ADD CONSTRAINT days_v_not_null NOT NULL v NOT VALID;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.days VALIDATE CONSTRAINT days_v_not_null;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.days_1 ALTER COLUMN v SET DEFAULT 2;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.elder ALTER COLUMN x SET DEFAULT 1;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  IF EXISTS (SELECT FROM public.elder WHERE x IS NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.elder have no x, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.elder ADD CONSTRAINT elder_x_not_null NOT NULL x NOT VALID;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.elder VALIDATE CONSTRAINT elder_x_not_null;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.heir ALTER COLUMN x SET DEFAULT 2;
COMMIT;
