\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE FUNCTION public.back(a integer, b integer)
RETURNS integer
LANGUAGE sql
IMMUTABLE
AS $function$SELECT (b > a)::int - (b < a)::int$function$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP INDEX public.t_a_idx;
DROP OPERATOR CLASS public.int_descending USING btree;
CREATE OPERATOR CLASS public.int_descending FOR TYPE integer USING btree FAMILY public.descending AS
    FUNCTION 1 (integer, integer) public.back(integer,integer),
    OPERATOR 1 >(integer,integer),
    OPERATOR 2 >=(integer,integer),
    OPERATOR 3 =(integer,integer),
    OPERATOR 4 <=(integer,integer),
    OPERATOR 5 <(integer,integer);
-- hazard blocks-writes: public.t (8,192 bytes) cannot be written while index public.t_a_idx is built
CREATE INDEX t_a_idx ON public.t USING btree (a public.int_descending);
COMMIT;
