\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP VIEW public.seen;
DROP FOREIGN TABLE public.moves;
CREATE FOREIGN TABLE public.moves (
    id integer
) SERVER two;
GRANT SELECT ON TABLE public.moves TO case_reader;
COMMENT ON FOREIGN TABLE public.moves IS 'kept';
CREATE VIEW public.seen AS
SELECT id
   FROM public.moves;
GRANT SELECT ON TABLE public.seen TO case_reader;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER FOREIGN TABLE public.stays OPTIONS (DROP batch_size, SET fetch_size '3', ADD dbname '4');
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.stays ADD COLUMN c text;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.stays ALTER COLUMN id OPTIONS (ADD column_name 'm');
COMMIT;
