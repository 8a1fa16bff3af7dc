\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.t RENAME COLUMN name TO full_name;
-- hazard table-rewrite: public.t (16,384 bytes) is rewritten for name while nobody can read or write it
ALTER TABLE public.t ADD COLUMN name text GENERATED ALWAYS AS (split_part(full_name, ' '::text, 1)) STORED;
COMMIT;
