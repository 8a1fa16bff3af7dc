\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard table-rewrite: public.p (8,192 bytes) is rewritten for b while nobody can read or write it
ALTER TABLE public.p ALTER COLUMN b SET EXPRESSION AS ((a * 3));
ALTER TABLE public.c ALTER COLUMN b SET EXPRESSION AS ((a * 5));
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.p ALTER COLUMN d SET DEFAULT 'p2'::text;
ALTER TABLE public.c ALTER COLUMN d SET DEFAULT 'c'::text;
COMMIT;
