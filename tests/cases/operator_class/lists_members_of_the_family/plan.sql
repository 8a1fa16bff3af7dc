\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER OPERATOR FAMILY public.arrays USING gin ADD
    OPERATOR 2 @>(anyarray,anyarray);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE OPERATOR FAMILY public.bounds USING brin;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE OPERATOR CLASS public.bounds FOR TYPE integer USING brin AS
    FUNCTION 1 (integer, integer) brin_minmax_opcinfo(internal),
    FUNCTION 2 (integer, integer) brin_minmax_add_value(internal,internal,internal,internal),
    FUNCTION 3 (integer, integer) brin_minmax_consistent(internal,internal,internal),
    FUNCTION 4 (integer, integer) brin_minmax_union(internal,internal,internal),
    OPERATOR 1 <(integer,integer),
    OPERATOR 2 <=(integer,integer),
    OPERATOR 3 =(integer,integer),
    OPERATOR 4 >=(integer,integer),
    OPERATOR 5 >(integer,integer);
COMMIT;
