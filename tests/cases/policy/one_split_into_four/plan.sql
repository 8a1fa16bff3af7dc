\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE POLICY own_delete ON public.docs FOR DELETE TO PUBLIC USING ((owner = ( SELECT CURRENT_USER AS "current_user")));
CREATE POLICY own_insert ON public.docs FOR INSERT TO PUBLIC WITH CHECK ((owner = ( SELECT CURRENT_USER AS "current_user")));
CREATE POLICY own_update ON public.docs FOR UPDATE TO PUBLIC USING ((owner = ( SELECT CURRENT_USER AS "current_user")));
DROP POLICY own ON public.docs;
CREATE POLICY own ON public.docs FOR SELECT TO PUBLIC USING ((owner = ( SELECT CURRENT_USER AS "current_user")));
COMMIT;
