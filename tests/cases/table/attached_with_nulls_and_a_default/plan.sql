-- note: --prune: what is not declared is dropped in public
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
ALTER TABLE public.m1 RENAME CONSTRAINT m1_id_not_null TO m_id_not_null;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.m1 ALTER COLUMN k SET DEFAULT 7;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  IF EXISTS (SELECT FROM public.m1 WHERE k IS NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.m1 have no k, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.m1 ADD CONSTRAINT m_k_not_null NOT NULL k NOT VALID;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.m1 VALIDATE CONSTRAINT m_k_not_null;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.m ATTACH PARTITION public.m1 FOR VALUES FROM (0) TO (10);
COMMIT;
