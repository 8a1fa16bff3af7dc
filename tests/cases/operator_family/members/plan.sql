\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER OPERATOR FAMILY public.descending USING btree DROP
    OPERATOR 2 (integer, bigint);
ALTER OPERATOR FAMILY public.descending USING btree ADD
    FUNCTION 1 (integer, bigint) btint48cmp(integer,bigint);
COMMENT ON OPERATOR FAMILY public.descending USING btree IS 'the other way round';
COMMIT;
