\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.notes FORCE ROW LEVEL SECURITY;
-- hazard weakens-security: policy own on public.notes may let more rows through: USING (owner = SESSION_USER) replaces USING (owner = CURRENT_USER)
-- hazard weakens-security: policy own on public.notes may let more rows through: WITH CHECK ((owner = SESSION_USER) AND (id > 0)) replaces WITH CHECK (owner = CURRENT_USER)
ALTER POLICY own ON public.notes USING ((owner = SESSION_USER)) WITH CHECK (((owner = SESSION_USER) AND (id > 0)));
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.notes_0 ENABLE ROW LEVEL SECURITY;
CREATE POLICY nobody ON public.notes_0 AS RESTRICTIVE FOR DELETE TO PUBLIC USING (false);
COMMENT ON POLICY nobody ON public.notes_0 IS 'only by way of notes';
COMMIT;
