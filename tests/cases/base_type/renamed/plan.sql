\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER FUNCTION public.base_in(cstring) RENAME TO word_in;
ALTER TYPE public.base RENAME TO word;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
COMMENT ON TYPE public.word IS 'renamed';
COMMIT;
