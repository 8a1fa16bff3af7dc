\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
DROP VIEW public.names;
DROP TRIGGER renamed ON public.people;
ALTER TABLE public.people ALTER COLUMN name TYPE text;
CREATE VIEW public.names AS
SELECT name,
    id
   FROM public.people;
CREATE TRIGGER written INSTEAD OF INSERT ON public.names FOR EACH ROW EXECUTE FUNCTION public.stamp();
COMMENT ON TRIGGER written ON public.names IS 'comes back with the view';
CREATE TRIGGER renamed AFTER UPDATE OF name ON public.people FOR EACH ROW WHEN (old.name <> new.name) EXECUTE FUNCTION public.stamp();
COMMENT ON TRIGGER renamed ON public.people IS 'stands on a column that gets another type';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE OR REPLACE TRIGGER stamped BEFORE INSERT ON public.people FOR EACH ROW EXECUTE FUNCTION public.stamp();
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP FUNCTION public.old_stamp();
COMMIT;
