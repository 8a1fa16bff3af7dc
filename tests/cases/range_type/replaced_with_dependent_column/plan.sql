\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER FUNCTION public.span(double precision, double precision) RENAME TO reconcile_old_span;
ALTER FUNCTION public.span(double precision, double precision, text) RENAME TO reconcile_old_span;
ALTER FUNCTION public.spanmultirange_of_mine() RENAME TO reconcile_old_spanmultirange_of_mine;
ALTER FUNCTION public.spanmultirange_of_mine(public.span) RENAME TO reconcile_old_spanmultirange_of_mine;
ALTER FUNCTION public.spanmultirange_of_mine(public.span[]) RENAME TO reconcile_old_spanmultirange_of_mine;
ALTER TYPE public.spanmultirange_of_mine RENAME TO reconcile_old_spanmultirange_of_mine;
ALTER TYPE public.span RENAME TO reconcile_old_span;
CREATE TYPE public.span AS RANGE (SUBTYPE = double precision, SUBTYPE_DIFF = float8mi, MULTIRANGE_TYPE_NAME = public.spanmultirange_of_mine);
-- hazard table-rewrite: public.spans (16,384 bytes) is rewritten for a, b, c while nobody can read or write it
ALTER TABLE public.spans ALTER COLUMN a TYPE public.span USING a::text::public.span, ALTER COLUMN b TYPE public.span[] USING b::text::public.span[], ALTER COLUMN c TYPE public.spanmultirange_of_mine USING c::text::public.spanmultirange_of_mine;
DROP TYPE public.reconcile_old_span;
COMMIT;
