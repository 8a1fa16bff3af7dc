\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_07780975c909 ON public.p (id);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.p ADD CONSTRAINT p_id_key UNIQUE USING INDEX reconcile_07780975c909;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_19b9133604ff ON public.p (u);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.c DROP CONSTRAINT c_p;
ALTER TABLE public.p DROP CONSTRAINT p_pkey;
ALTER TABLE public.c ADD CONSTRAINT c_p FOREIGN KEY (p_id) REFERENCES public.p(id) NOT VALID;
COMMENT ON CONSTRAINT c_p ON public.c IS 'reconcile is about to validate this again. ';
ALTER TABLE public.p ADD CONSTRAINT p_pkey PRIMARY KEY USING INDEX reconcile_19b9133604ff;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.c VALIDATE CONSTRAINT c_p;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
COMMENT ON CONSTRAINT c_p ON public.c IS NULL;
COMMIT;
