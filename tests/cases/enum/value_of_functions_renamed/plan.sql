\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard blocks-reads: function public.names_table() may still use 'new' of enum public.status under this name, and would fail
-- hazard blocks-reads: function public.of_trigger() may still use 'new' of enum public.status under this name, and would fail
-- hazard blocks-reads: function public.takes_value(public.status) may still use 'new' of enum public.status under this name, and would fail
-- hazard blocks-reads: function public.mended() may use 'new' of enum public.status under this name, and is replaced in the same transaction: calls that are running then may fail
ALTER TYPE public.status RENAME VALUE 'new' TO 'fresh';
-- hazard blocks-reads: function public.names_domain() may still use 'gone' of enum public.status under this name, and would fail
ALTER TYPE public.status RENAME VALUE 'gone' TO 'closed';
CREATE OR REPLACE FUNCTION public.mended()
RETURNS bigint
LANGUAGE sql
AS $function$SELECT count(*) FROM public.orders WHERE status = 'fresh'$function$;
COMMIT;
