\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP CAST (public.mood AS integer);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP OPERATOR public.<%> (public.mood, public.mood);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP FUNCTION public.a_column(integer);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP FUNCTION public.an_argument(public.mood[]);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP PROCEDURE public.do_it(public.mood);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP FUNCTION public.grade(public.mood);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP FUNCTION public.of_row(public.gone);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP FUNCTION public.spans(public.span_multirange);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP TYPE public.span;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard data-loss: column public.t.m is dropped with its values
ALTER TABLE public.t DROP COLUMN m;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP FUNCTION public.the_result(integer);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP AGGREGATE public.worst(public.mood);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP FUNCTION public.worse(public.mood, public.mood);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP TYPE public.mood;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER SEQUENCE public.gone_id_seq OWNED BY NONE;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard data-loss: table public.gone is dropped with about 0 rows (8,192 bytes)
DROP TABLE public.gone;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard data-loss: sequence public.gone_id_seq is dropped, and how far it has counted is forgotten
DROP SEQUENCE public.gone_id_seq;
COMMIT;
