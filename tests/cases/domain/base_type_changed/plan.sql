\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP VIEW public.codes;
ALTER TABLE public.things ALTER COLUMN code DROP DEFAULT;
ALTER TYPE public.code RENAME TO reconcile_old_code;
CREATE DOMAIN public.code AS integer CONSTRAINT code_check CHECK ((VALUE > 0));
-- hazard table-rewrite: public.things (16,384 bytes) is rewritten for code, codes while nobody can read or write it
ALTER TABLE public.things ALTER COLUMN code TYPE public.code USING code::public.code, ALTER COLUMN codes TYPE public.code[] USING codes::public.code[];
ALTER TABLE public.things ALTER COLUMN code SET DEFAULT 7;
CREATE VIEW public.codes AS
SELECT code
   FROM public.things;
DROP DOMAIN public.reconcile_old_code;
COMMIT;
