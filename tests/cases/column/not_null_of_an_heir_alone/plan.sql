\set ON_ERROR_STOP on
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.b NO INHERIT public.a;
ALTER TABLE public.b RENAME CONSTRAINT a_id_not_null TO b_id_not_null;
ALTER TABLE public.b INHERIT public.a;
COMMIT;
