\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.a ENABLE ROW LEVEL SECURITY;
CREATE POLICY positive ON public.a FOR ALL TO PUBLIC USING ((id > 0));
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard weakens-security: row level security of public.b goes
ALTER TABLE public.b DISABLE ROW LEVEL SECURITY;
-- hazard weakens-security: row level security of public.b goes
ALTER TABLE public.b NO FORCE ROW LEVEL SECURITY;
COMMIT;
