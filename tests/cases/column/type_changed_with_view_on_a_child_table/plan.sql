\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP VIEW public.v;
-- hazard table-rewrite: public.m (0 bytes) is rewritten for k while nobody can read or write it
ALTER TABLE public.m ALTER COLUMN k TYPE bigint;
CREATE VIEW public.v AS
SELECT k
   FROM public.m1;
COMMIT;
