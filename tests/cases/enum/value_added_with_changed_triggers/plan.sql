\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
DROP TRIGGER when_done ON public.jobs;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
DROP TRIGGER z_before ON public.jobs;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TYPE public.status ADD VALUE 'cancelled' AFTER 'todo';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE TRIGGER a_after AFTER UPDATE OF held ON public.jobs FOR EACH ROW EXECUTE FUNCTION public.told();
COMMIT;
