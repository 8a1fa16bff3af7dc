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
  IF EXISTS (SELECT FROM public.events WHERE id IS NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.events have no id, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.events ADD CONSTRAINT events_id_not_null NOT NULL id NOT VALID;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.events VALIDATE CONSTRAINT events_id_not_null;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE ONLY public.events ADD CONSTRAINT events_at_place_key UNIQUE (at, place, id);
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_0e1c7b72a392 ON public.events_2025 (at, place, id);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.events_2025 ADD CONSTRAINT events_2025_at_place_id_key UNIQUE USING INDEX reconcile_0e1c7b72a392;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.events_at_place_key ATTACH PARTITION public.events_2025_at_place_id_key;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_f1ff603dad46 ON public.events_rest (at, place, id);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.events_rest ADD CONSTRAINT events_rest_at_place_id_key UNIQUE USING INDEX reconcile_f1ff603dad46;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.events_at_place_key ATTACH PARTITION public.events_rest_at_place_id_key;
COMMENT ON CONSTRAINT events_at_place_key ON public.events IS 'one at a time';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE ONLY public.events ADD CONSTRAINT events_pkey PRIMARY KEY (id, at);
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_b3a5cc1b3194 ON public.events_2025 (id, at);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.events_2025 ADD CONSTRAINT events_2025_pkey PRIMARY KEY USING INDEX reconcile_b3a5cc1b3194;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.events_pkey ATTACH PARTITION public.events_2025_pkey;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_2c147cef803b ON public.events_rest (id, at);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.events_rest ADD CONSTRAINT events_rest_pkey PRIMARY KEY USING INDEX reconcile_2c147cef803b;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.events_pkey ATTACH PARTITION public.events_rest_pkey;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.events ADD CONSTRAINT events_place_fkey FOREIGN KEY (place) REFERENCES public.places(id) NOT VALID;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.events VALIDATE CONSTRAINT events_place_fkey;
COMMIT;
