\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE OR REPLACE AGGREGATE public.total(integer) (
    SFUNC = public.add,
    STYPE = integer,
    INITCOND = '1'
);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP VIEW public.totals;
DROP AGGREGATE public.most(integer);
CREATE AGGREGATE public.most(integer) (
    SFUNC = int4larger,
    STYPE = integer,
    FINALFUNC = pg_catalog.int8
);
CREATE VIEW public.totals AS
SELECT public.total(n) AS total,
    public.most(n) AS most
   FROM generate_series(1, 3) n(n);
COMMIT;
