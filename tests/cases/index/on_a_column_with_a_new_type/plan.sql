\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP INDEX public.t_open;
DROP INDEX public.t_pattern;
-- hazard table-rewrite: public.t (32,768 bytes) is rewritten for d, n, s while nobody can read or write it
ALTER TABLE public.t ALTER COLUMN d TYPE integer USING d::integer, ALTER COLUMN n TYPE bigint, ALTER COLUMN s TYPE text;
-- hazard blocks-writes: public.t (32,768 bytes) cannot be written while index public.t_open is built
CREATE INDEX t_open ON public.t USING btree (n) WHERE (s = 'open'::text);
-- hazard blocks-writes: public.t (32,768 bytes) cannot be written while index public.t_pattern is built
CREATE INDEX t_pattern ON public.t USING btree (d);
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE INDEX CONCURRENTLY reconcile_0690a3752e61 ON public.t USING btree (n DESC NULLS LAST);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.t_n RENAME TO reconcile_0690a3752e61_old;
ALTER INDEX public.reconcile_0690a3752e61 RENAME TO t_n;
ALTER INDEX public.reconcile_0690a3752e61_old RENAME TO reconcile_0690a3752e61;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
DROP INDEX CONCURRENTLY IF EXISTS public.reconcile_0690a3752e61;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP TYPE public.state;
COMMIT;
