\set ON_ERROR_STOP on
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
BEGIN;
ALTER TABLE public.bookings DROP CONSTRAINT booked_place;
ALTER TABLE public.rooms DROP CONSTRAINT place;
-- hazard blocks-reads: public.rooms (16,384 bytes) is read under lock while constraint place on public.rooms is built
ALTER TABLE public.rooms ADD CONSTRAINT place UNIQUE (floor, number) INCLUDE (id) WITH (fillfactor = '80');
ALTER TABLE public.bookings ADD CONSTRAINT booked_place FOREIGN KEY (floor, number) REFERENCES public.rooms(floor, number) ON UPDATE CASCADE ON DELETE SET NULL (number) NOT VALID;
COMMENT ON CONSTRAINT booked_place ON public.bookings IS 'where';
COMMIT;

SET lock_timeout = '2s';
BEGIN;
ALTER TABLE public.bookings ALTER CONSTRAINT booked_room DEFERRABLE;
COMMIT;

SET lock_timeout = '2s';
BEGIN;
ALTER TABLE public.bookings ADD CONSTRAINT bounded CHECK ((upper(during) < 1000)) NO INHERIT NOT VALID;
COMMIT;

SET lock_timeout = 0;
BEGIN;
ALTER TABLE public.bookings VALIDATE CONSTRAINT bounded;
COMMIT;

SET lock_timeout = '2s';
BEGIN;
ALTER TABLE public.bookings DROP CONSTRAINT one_at_a_time;
-- hazard blocks-reads: public.bookings (8,192 bytes) is read under lock while constraint one_at_a_time on public.bookings is built
ALTER TABLE public.bookings ADD CONSTRAINT one_at_a_time EXCLUDE USING gist (during WITH &&) WHERE ((id > 0)) DEFERRABLE INITIALLY DEFERRED;
COMMIT;

SET lock_timeout = '2s';
BEGIN;
ALTER TABLE public.bookings ADD CONSTRAINT someday CHECK ((id > 0)) NOT VALID;
COMMIT;

SET lock_timeout = 0;
BEGIN;
ALTER TABLE public.bookings VALIDATE CONSTRAINT booked_place;
COMMIT;
