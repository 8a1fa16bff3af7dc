\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
COMMENT ON TYPE public.base IS 'like text';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE FUNCTION public.base_typmod_in(cstring[])
RETURNS integer
LANGUAGE internal
IMMUTABLE
STRICT
AS $function$varchartypmodin$function$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE FUNCTION public.base_typmod_out(integer)
RETURNS cstring
LANGUAGE internal
IMMUTABLE
STRICT
AS $function$varchartypmodout$function$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TYPE public.base SET (
    RECEIVE = NONE,
    SEND = public.base_send,
    TYPMOD_IN = public.base_typmod_in,
    TYPMOD_OUT = public.base_typmod_out,
    ANALYZE = array_typanalyze
);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.t ADD COLUMN d public.base(5);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP FUNCTION public.base_recv(internal);
COMMIT;
