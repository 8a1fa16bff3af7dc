\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE UNIQUE INDEX events_by_id ON ONLY public.events USING btree (id, at, region);
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY events_2025_id_at_region_idx ON public.events_2025 USING btree (id, at, region);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.events_by_id ATTACH PARTITION public.events_2025_id_at_region_idx;
CREATE UNIQUE INDEX events_2026_id_at_region_idx ON ONLY public.events_2026 USING btree (id, at, region);
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY events_2026_1_id_at_region_idx ON public.events_2026_1 USING btree (id, at, region);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.events_2026_id_at_region_idx ATTACH PARTITION public.events_2026_1_id_at_region_idx;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY events_2026_other_id_at_region_idx ON public.events_2026_other USING btree (id, at, region);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.events_2026_id_at_region_idx ATTACH PARTITION public.events_2026_other_id_at_region_idx;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.events_by_id ATTACH PARTITION public.events_2026_id_at_region_idx;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE INDEX reconcile_f6362b9077e5 ON ONLY public.events USING btree (region, at DESC);
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE INDEX CONCURRENTLY reconcile_e4508d37678d ON public.events_2025 USING btree (region, at DESC);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.reconcile_f6362b9077e5 ATTACH PARTITION public.reconcile_e4508d37678d;
CREATE INDEX reconcile_2707fd7cad1e ON ONLY public.events_2026 USING btree (region, at DESC);
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE INDEX CONCURRENTLY reconcile_c728230f852e ON public.events_2026_1 USING btree (region, at DESC);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.reconcile_2707fd7cad1e ATTACH PARTITION public.reconcile_c728230f852e;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE INDEX CONCURRENTLY reconcile_66b5c3562c0e ON public.events_2026_other USING btree (region, at DESC);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.reconcile_2707fd7cad1e ATTACH PARTITION public.reconcile_66b5c3562c0e;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.reconcile_f6362b9077e5 ATTACH PARTITION public.reconcile_2707fd7cad1e;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
DROP INDEX public.events_by_region;
ALTER INDEX public.reconcile_f6362b9077e5 RENAME TO events_by_region;
ALTER INDEX public.reconcile_e4508d37678d RENAME TO events_2025_region_at_idx;
ALTER INDEX public.reconcile_2707fd7cad1e RENAME TO events_2026_region_at_idx;
ALTER INDEX public.reconcile_c728230f852e RENAME TO events_2026_1_region_at_idx;
ALTER INDEX public.reconcile_66b5c3562c0e RENAME TO events_2026_other_region_at_idx;
COMMIT;
