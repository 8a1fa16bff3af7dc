\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE FUNCTION public.backwards(a integer, b integer)
RETURNS integer
LANGUAGE sql
IMMUTABLE
AS $function$SELECT b - a$function$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE OPERATOR FAMILY public.descending USING btree;
COMMENT ON OPERATOR FAMILY public.descending USING btree IS 'the other way round';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE OPERATOR CLASS public.int_descending FOR TYPE integer USING btree FAMILY public.descending AS
    FUNCTION 1 (integer, integer) public.backwards(integer,integer),
    OPERATOR 1 >(integer,integer),
    OPERATOR 2 >=(integer,integer),
    OPERATOR 3 =(integer,integer),
    OPERATOR 4 <=(integer,integer),
    OPERATOR 5 <(integer,integer);
COMMIT;
