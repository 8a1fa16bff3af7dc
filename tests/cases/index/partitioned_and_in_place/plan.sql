\set ON_ERROR_STOP on
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY days_at ON public.days USING btree (at);

SET lock_timeout = '2s';
BEGIN;
DROP INDEX public.events_at;
-- hazard blocks-writes: public.events (0 bytes) cannot be written while index public.events_at is built
CREATE INDEX events_at ON public.events USING btree (at DESC);
COMMIT;

SET lock_timeout = '2s';
BEGIN;
-- hazard blocks-writes: public.events (0 bytes) and its partitions cannot be written while index public.events_note is built
CREATE INDEX events_note ON public.events USING btree (note) WHERE (note IS NOT NULL);
COMMIT;

SET lock_timeout = '2s';
BEGIN;
ALTER INDEX public.events_2020_words SET (fillfactor = '70');
ALTER INDEX public.events_2020_words ALTER COLUMN 1 SET STATISTICS 500;
COMMENT ON INDEX public.events_2020_words IS 'altered in place';
COMMIT;
