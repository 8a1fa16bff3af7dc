\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.grown NOT OF;
ALTER TYPE public.growing ADD ATTRIBUTE b text;
ALTER TABLE public.grown ADD COLUMN b text;
ALTER TABLE public.grown OF public.growing;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.points NOT OF;
-- hazard table-rewrite: public.points (32,768 bytes) is rewritten for x while nobody can read or write it; `retype: online` does it while all can
ALTER TABLE public.points ALTER COLUMN x TYPE bigint;
ALTER TYPE public.point_of_ours RENAME TO reconcile_old_point_of_ours;
CREATE TYPE public.point_of_ours AS (
    x bigint
);
-- hazard data-loss: column public.points.y is dropped with its values
ALTER TABLE public.points DROP COLUMN y;
ALTER TABLE public.points OF public.point_of_ours;
DROP TYPE public.reconcile_old_point_of_ours;
COMMIT;
