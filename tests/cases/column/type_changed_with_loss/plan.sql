\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TYPE public.span RENAME TO reconcile_old_span;
CREATE TYPE public.span AS (
    i interval year,
    n integer
);
-- hazard table-rewrite: public.t (8,192 bytes) is rewritten for d, f, g, i, j, m, s while nobody can read or write it
-- hazard data-loss: values of column public.t.d are rounded or cut to date
-- hazard data-loss: values of column public.t.f are rounded or cut to numeric(10,2)
-- hazard data-loss: values of column public.t.g are rounded or cut to numeric
-- hazard data-loss: values of column public.t.i are rounded or cut to interval year to month
-- hazard data-loss: values of column public.t.j are rounded or cut to interval day to second(0)
-- hazard data-loss: values of column public.t.m are rounded or cut to money
-- hazard data-loss: values of public.t.s have the attribute i rounded or cut to interval year
ALTER TABLE public.t ALTER COLUMN d TYPE date USING d::date, ALTER COLUMN f TYPE numeric(10,2), ALTER COLUMN g TYPE numeric, ALTER COLUMN i TYPE interval year to month, ALTER COLUMN j TYPE interval day to second(0), ALTER COLUMN m TYPE money, ALTER COLUMN s TYPE public.span USING CASE WHEN s IS DISTINCT FROM NULL THEN ROW((s).i::interval year, (s).n::integer)::public.span END;
DROP TYPE public.reconcile_old_span;
COMMIT;
