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
ALTER TABLE public.t ALTER COLUMN a DROP DEFAULT;
ALTER TYPE public.mood RENAME TO reconcile_old_mood;
CREATE TYPE public.mood AS ENUM ('ok', 'sad');
-- hazard table-rewrite: public.t (32,768 bytes) is rewritten for a, b, c, n while nobody can read or write it; `retype: online` of n does it while all can
ALTER TABLE public.t ALTER COLUMN a TYPE public.mood USING a::text::public.mood, ALTER COLUMN b TYPE public.mood[] USING b::text::public.mood[], ALTER COLUMN c TYPE public.mood USING c::text::public.mood, ALTER COLUMN n TYPE bigint;
ALTER TABLE public.t ALTER COLUMN a SET DEFAULT 'ok'::public.mood;
-- hazard table-rewrite: public.u (0 bytes) is rewritten for m while nobody can read or write it
ALTER TABLE public.u ALTER COLUMN m TYPE public.mood USING m::text::public.mood;
CREATE VIEW public.v AS
SELECT a
   FROM public.t;
DROP TYPE public.reconcile_old_mood;
COMMIT;
