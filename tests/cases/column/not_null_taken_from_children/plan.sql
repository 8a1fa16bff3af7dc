\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.alone ALTER CONSTRAINT alone_a_not_null NO INHERIT;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.p DROP CONSTRAINT p_a_not_null, ADD CONSTRAINT p_a_not_null NOT NULL a NO INHERIT NOT VALID;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.p VALIDATE CONSTRAINT p_a_not_null;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.p DROP CONSTRAINT p_b_not_null, ADD CONSTRAINT b_known NOT NULL b NO INHERIT NOT VALID;
COMMENT ON CONSTRAINT b_known ON public.p IS 'known';
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.p VALIDATE CONSTRAINT b_known;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.q ALTER CONSTRAINT q_a_not_null INHERIT;
COMMENT ON CONSTRAINT q_a_not_null ON public.q IS NULL;
COMMIT;
