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
ALTER TABLE public.crate ADD COLUMN part_id integer DEFAULT 1 CONSTRAINT crate_part_id_not_null NOT NULL;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TABLE public.crate_part (
    id integer CONSTRAINT crate_part_id_not_null NOT NULL
);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  IF EXISTS (SELECT FROM public.renamed WHERE c IS NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.renamed have no c, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.renamed ADD CONSTRAINT own NOT NULL c NOT VALID;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.renamed VALIDATE CONSTRAINT own;
COMMIT;
