\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP VIEW public.heights;
CREATE VIEW public.heights AS
SELECT id,
    0 AS z
   FROM public.places;
DROP INDEX public.places_z;
-- hazard data-loss: composite_type public.point.z is dropped with its values
ALTER TYPE public.point DROP ATTRIBUTE z;
-- hazard blocks-writes: public.places (16,384 bytes) cannot be written while index public.places_z is built
CREATE INDEX places_z ON public.places USING btree (((at).x));
COMMIT;
