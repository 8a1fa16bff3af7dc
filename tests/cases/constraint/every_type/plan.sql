\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_0bd4d976b564 ON public.rooms (floor, number) INCLUDE (id) WITH (fillfactor = '80');

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.bookings DROP CONSTRAINT booked_place;
ALTER TABLE public.rooms DROP CONSTRAINT place;
ALTER TABLE public.rooms ADD CONSTRAINT place UNIQUE USING INDEX reconcile_0bd4d976b564;
ALTER TABLE public.bookings ADD CONSTRAINT booked_place FOREIGN KEY (floor, number) REFERENCES public.rooms(floor, number) ON UPDATE CASCADE ON DELETE SET NULL (number) NOT VALID;
COMMENT ON CONSTRAINT booked_place ON public.bookings IS 'reconcile is about to validate this again. where';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.bookings ALTER CONSTRAINT booked_room DEFERRABLE;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.bookings ADD CONSTRAINT bounded CHECK ((upper(during) < 1000)) NO INHERIT NOT VALID;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.bookings VALIDATE CONSTRAINT bounded;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.bookings DROP CONSTRAINT one_at_a_time;
-- hazard blocks-reads: nobody can read or write public.bookings while constraint one_at_a_time on public.bookings is built (16,384 bytes, about 0 rows: about 1 s, if 50 MB are read a second)
ALTER TABLE public.bookings ADD CONSTRAINT one_at_a_time EXCLUDE USING gist (during WITH &&) WHERE ((id > 0)) DEFERRABLE INITIALLY DEFERRED;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.bookings ADD CONSTRAINT someday CHECK ((id > 0)) NOT VALID;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.bookings VALIDATE CONSTRAINT booked_place;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
COMMENT ON CONSTRAINT booked_place ON public.bookings IS 'where';
COMMIT;
