\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE INDEX CONCURRENTLY reconcile_c36e7b940f67 ON public.t USING btree (a, b);

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
COMMENT ON INDEX public.reconcile_c36e7b940f67 IS 'by a';
ALTER INDEX public.t_a RENAME TO reconcile_c36e7b940f67_old;
ALTER INDEX public.reconcile_c36e7b940f67 RENAME TO t_a;
ALTER INDEX public.reconcile_c36e7b940f67_old RENAME TO reconcile_c36e7b940f67;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
DROP INDEX CONCURRENTLY IF EXISTS public.reconcile_c36e7b940f67;
