\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE POLICY reads ON public.t FOR SELECT TO PUBLIC USING ((owner = ( SELECT CURRENT_USER AS "current_user")));
CREATE POLICY writes ON public.t FOR INSERT TO PUBLIC WITH CHECK ((owner = CURRENT_USER));
DROP POLICY old_one ON public.t;
-- hazard weakens-security: policy old_two on public.t no longer narrows what is visible
DROP POLICY old_two ON public.t;
COMMIT;
