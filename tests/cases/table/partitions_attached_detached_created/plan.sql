-- note: --prune: what is not declared is dropped in public
\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.events DETACH PARTITION public.events_2020;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.events_2020 RENAME CONSTRAINT events_at_not_null TO events_2020_at_not_null;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.events_2020 RENAME CONSTRAINT events_id_not_null TO events_2020_id_not_null;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.events_2022 RENAME CONSTRAINT events_2022_at_not_null TO events_at_not_null;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.events_2022 RENAME CONSTRAINT events_2022_id_not_null TO events_id_not_null;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_df71230ea70e ON public.events_2022 (id, at);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.events_2022 ADD CONSTRAINT events_2022_pkey PRIMARY KEY USING INDEX reconcile_df71230ea70e;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE INDEX CONCURRENTLY events_2022_note_idx ON public.events_2022 USING btree (note);

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.events DETACH PARTITION public.events_2021;
-- hazard long-scan: public.events_2021 (49,152 bytes) is read under lock, unless a check proves its bound
ALTER TABLE public.events ATTACH PARTITION public.events_2021 FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
ALTER TABLE public.events ATTACH PARTITION public.events_2022 FOR VALUES FROM ('2022-01-01') TO ('2023-01-01');
CREATE TABLE public.events_later PARTITION OF public.events DEFAULT PARTITION BY LIST (id);
CREATE INDEX events_later_id ON public.events_later USING btree (id);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE TABLE public.events_later_rest PARTITION OF public.events_later DEFAULT;
COMMENT ON TABLE public.events_later_rest IS 'what belongs nowhere else';
COMMIT;
