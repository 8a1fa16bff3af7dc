\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER OPERATOR public.=== (integer, integer) SET (RESTRICT = eqsel, JOIN = eqjoinsel);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.t DROP CONSTRAINT t_a_check;
DROP OPERATOR public.==== (integer, integer);
CREATE OPERATOR public.==== (FUNCTION = public.same, LEFTARG = integer, RIGHTARG = integer, MERGES);
ALTER TABLE public.t ADD CONSTRAINT t_a_check CHECK ((a OPERATOR(public.====) a)) NOT VALID;
COMMENT ON CONSTRAINT t_a_check ON public.t IS 'reconcile is about to validate this again. ';
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.t VALIDATE CONSTRAINT t_a_check;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
COMMENT ON CONSTRAINT t_a_check ON public.t IS NULL;
COMMIT;
