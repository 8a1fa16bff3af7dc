\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_c94719457d48 ON public.keyed (hash, host);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.keyed REPLICA IDENTITY DEFAULT;
ALTER TABLE public.keyed DROP CONSTRAINT keyed_hash;
ALTER TABLE public.keyed ADD CONSTRAINT keyed_hash UNIQUE USING INDEX reconcile_c94719457d48;
ALTER TABLE public.keyed REPLICA IDENTITY USING INDEX keyed_hash;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_7a20b39dfbe2 ON public.link USING btree (hash, host);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.link_hash RENAME TO reconcile_7a20b39dfbe2_old;
ALTER INDEX public.reconcile_7a20b39dfbe2 RENAME TO link_hash;
ALTER INDEX public.reconcile_7a20b39dfbe2_old RENAME TO reconcile_7a20b39dfbe2;
ALTER TABLE public.link REPLICA IDENTITY USING INDEX link_hash;
ALTER TABLE public.link CLUSTER ON link_hash;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
DROP INDEX CONCURRENTLY IF EXISTS public.reconcile_7a20b39dfbe2;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE UNIQUE INDEX reconcile_8219ed4e3913 ON ONLY public.parts USING btree (hash DESC, host);
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_82b12f131a9b ON public.part_a USING btree (hash DESC, host);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.reconcile_8219ed4e3913 ATTACH PARTITION public.reconcile_82b12f131a9b;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
DROP INDEX public.parts_hash;
ALTER INDEX public.reconcile_8219ed4e3913 RENAME TO parts_hash;
ALTER INDEX public.reconcile_82b12f131a9b RENAME TO part_a_hash_host_idx;
ALTER TABLE public.part_a REPLICA IDENTITY USING INDEX part_a_hash_host_idx;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.promoted ADD CONSTRAINT promoted_hash UNIQUE USING INDEX promoted_hash;
ALTER TABLE public.promoted REPLICA IDENTITY USING INDEX promoted_hash;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.whole REPLICA IDENTITY FULL;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE INDEX CONCURRENTLY reconcile_ed39a414e3a0 ON public.whole USING btree (hash);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.whole_hash RENAME TO reconcile_ed39a414e3a0_old;
ALTER INDEX public.reconcile_ed39a414e3a0 RENAME TO whole_hash;
ALTER INDEX public.reconcile_ed39a414e3a0_old RENAME TO reconcile_ed39a414e3a0;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
DROP INDEX CONCURRENTLY IF EXISTS public.reconcile_ed39a414e3a0;
