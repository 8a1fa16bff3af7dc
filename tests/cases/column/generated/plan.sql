\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard data-loss: column public.t.d is dropped with its values
ALTER TABLE public.t DROP COLUMN d;
-- hazard table-rewrite: public.t (0 bytes) is rewritten for d, b while nobody can read or write it
ALTER TABLE public.t ADD COLUMN d integer GENERATED ALWAYS AS ((a * 2)) STORED, ALTER COLUMN b SET EXPRESSION AS ((a + 2));
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.t ALTER COLUMN c DROP EXPRESSION;
COMMIT;
