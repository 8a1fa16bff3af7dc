\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TRUSTED LANGUAGE plx HANDLER plpgsql_call_handler INLINE plpgsql_inline_handler;
REVOKE ALL ON LANGUAGE plx FROM PUBLIC;
GRANT USAGE ON LANGUAGE plx TO case_writer;
COMMENT ON LANGUAGE plx IS 'ours';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE FUNCTION public.f()
RETURNS integer
LANGUAGE plx
AS $function$begin return 1; end$function$;
COMMIT;
