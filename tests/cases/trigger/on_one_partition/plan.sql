\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE OR REPLACE TRIGGER note AFTER INSERT OR DELETE ON public.events FOR EACH ROW EXECUTE FUNCTION public.noted();
ALTER TABLE ONLY public.events_0 DISABLE TRIGGER note;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE ONLY public.events_1 ENABLE ALWAYS TRIGGER note;
COMMIT;
