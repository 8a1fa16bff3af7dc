-- note: policy a on public.t has no effect: row_level_security of the table is off
-- note: policy b on public.t has no effect: row_level_security of the table is off
\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard weakens-security: policy a on public.t may let more rows through: USING (owner = SESSION_USER) replaces USING (owner = CURRENT_USER)
ALTER POLICY a ON public.t TO pg_monitor USING ((owner = SESSION_USER));
DROP POLICY b ON public.t;
-- hazard weakens-security: policy b on public.t is for DELETE as well
CREATE POLICY b ON public.t FOR DELETE TO PUBLIC USING ((n > 1));
COMMENT ON POLICY b ON public.t IS 'only positive ones';
COMMIT;
