-- note: policy a on public.t has no effect: row_level_security of the table is off
-- note: policy b on public.t has no effect: row_level_security of the table is off
\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER POLICY a ON public.t TO pg_monitor USING ((owner = SESSION_USER));
DROP POLICY b ON public.t;
CREATE POLICY b ON public.t FOR DELETE TO PUBLIC USING ((n > 1));
COMMENT ON POLICY b ON public.t IS 'only positive ones';
COMMIT;
