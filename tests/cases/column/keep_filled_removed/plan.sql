\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE OR REPLACE FUNCTION public.reconcile_fill_people_born() RETURNS trigger LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp
AS 'BEGIN
  NEW.born := (SELECT 2000 FROM (SELECT NEW.*) AS people);
  RETURN NEW;
END';
ALTER FUNCTION public.reconcile_fill_people_born() OWNER TO CURRENT_USER;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP TRIGGER reconcile_fill_full_name ON public.people;
DROP FUNCTION public.reconcile_fill_people_full_name();
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard data-loss: table public.pets is dropped with about 0 rows (8,192 bytes)
DROP TABLE public.pets;
DROP FUNCTION public.reconcile_fill_pets_sort();
COMMIT;
