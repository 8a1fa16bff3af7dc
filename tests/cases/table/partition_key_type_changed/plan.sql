\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP VIEW public.keys;
ALTER TABLE public.p DETACH PARTITION public.p1;
-- hazard data-loss: table public.p1 is dropped with about 0 rows (8,192 bytes)
DROP TABLE public.p1;
-- hazard data-loss: table public.p is dropped with about 0 rows (8,192 bytes)
DROP TABLE public.p;
CREATE TABLE public.p (
    k bigint NOT NULL,
    v text
) PARTITION BY RANGE (k);
CREATE VIEW public.keys AS
SELECT k
   FROM public.p;
CREATE TABLE public.p1 PARTITION OF public.p FOR VALUES FROM ('0') TO ('10');
COMMIT;
