\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP PUBLICATION p;
-- hazard table-rewrite: public.t (16,384 bytes) is rewritten for a while nobody can read or write it
ALTER TABLE public.t ALTER COLUMN a TYPE bigint;
CREATE PUBLICATION p FOR TABLE ONLY public.full_rows, TABLE ONLY public.t WHERE ((a > 3)), TABLE ONLY public.u;
COMMIT;
