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
-- hazard table-rewrite: public.t (0 bytes) is rewritten for a while nobody can read or write it
ALTER TABLE public.t ALTER COLUMN a TYPE bigint;
ALTER TABLE public.t ALTER COLUMN b TYPE character varying(20);
ALTER TABLE public.t ALTER COLUMN c TYPE numeric(12,2);
CREATE VIEW public.v AS
SELECT a,
    b,
    c
   FROM public.t;
COMMIT;
