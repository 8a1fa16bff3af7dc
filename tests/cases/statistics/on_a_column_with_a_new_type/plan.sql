\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP STATISTICS public.places;
ALTER TABLE public.visits ALTER COLUMN city TYPE text;
CREATE STATISTICS public.places (mcv) ON city, country FROM public.visits;
ALTER STATISTICS public.places SET STATISTICS 200;
COMMENT ON STATISTICS public.places IS 'comes back';
COMMIT;
