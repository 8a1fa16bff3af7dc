\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_48ccfb1108d9 ON public.parent (id) INCLUDE (code);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.child DROP CONSTRAINT child_id_fkey;
ALTER TABLE public.parent DROP CONSTRAINT parent_pkey;
ALTER TABLE public.parent ADD CONSTRAINT parent_pkey PRIMARY KEY USING INDEX reconcile_48ccfb1108d9;
ALTER TABLE public.child ADD CONSTRAINT child_id_fkey FOREIGN KEY (id) REFERENCES public.parent(id) ON DELETE CASCADE NOT VALID;
COMMENT ON CONSTRAINT child_id_fkey ON public.child IS 'reconcile is about to validate this again. whose child';
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.child VALIDATE CONSTRAINT child_id_fkey;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
COMMENT ON CONSTRAINT child_id_fkey ON public.child IS 'whose child';
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_565c05b22104 ON public.parts_1 (id, at);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.parts DROP CONSTRAINT parts_once;
ALTER TABLE public.parts_1 ADD CONSTRAINT parts_1_id_at_key UNIQUE USING INDEX reconcile_565c05b22104 DEFERRABLE;
ALTER TABLE public.parts ADD CONSTRAINT parts_once UNIQUE (id, at) DEFERRABLE;
COMMIT;
