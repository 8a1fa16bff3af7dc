\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY days_at ON public.days USING btree (at);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE INDEX reconcile_a13dbb1fe6a3 ON ONLY public.events USING btree (at DESC);
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE INDEX CONCURRENTLY reconcile_905ccba59e9f ON public.events_2020 USING btree (at DESC);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.reconcile_a13dbb1fe6a3 ATTACH PARTITION public.reconcile_905ccba59e9f;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
DROP INDEX public.events_at;
ALTER INDEX public.reconcile_a13dbb1fe6a3 RENAME TO events_at;
ALTER INDEX public.reconcile_905ccba59e9f RENAME TO events_2020_at_idx;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE INDEX events_note ON ONLY public.events USING btree (note) WHERE (note IS NOT NULL);
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE INDEX CONCURRENTLY events_2020_note_idx ON public.events_2020 USING btree (note) WHERE (note IS NOT NULL);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.events_note ATTACH PARTITION public.events_2020_note_idx;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.events_2020_words SET (fillfactor = '70');
ALTER INDEX public.events_2020_words ALTER COLUMN 1 SET STATISTICS 500;
COMMENT ON INDEX public.events_2020_words IS 'altered in place';
COMMIT;
