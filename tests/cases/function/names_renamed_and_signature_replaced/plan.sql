\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard blocks-reads: function public.amount() may still use function public.helper() under this name, and would fail
ALTER FUNCTION public.helper() RENAME TO assistant;
-- hazard blocks-reads: function public.total() may still use table public.old_orders under this name, and would fail
ALTER TABLE public.old_orders RENAME TO orders;
-- hazard blocks-reads: function public.on_write() may still use column public.old_orders.amount under this name, and would fail
-- hazard blocks-reads: function public.total() may still use column public.old_orders.amount under this name, and would fail
ALTER TABLE public.orders RENAME COLUMN amount TO price;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard table-rewrite: public.orders (8,192 bytes) is rewritten for seen while nobody can read or write it
-- hazard data-loss: the session's TimeZone decides the values of column public.orders.seen as timestamp with time zone: `using` with AT TIME ZONE names the zone
ALTER TABLE public.orders ALTER COLUMN seen TYPE timestamp with time zone;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard weakens-security: function public.private(integer, integer) takes the place of function public.private(integer), and everybody may execute it: grants: {public: []} takes that away
CREATE FUNCTION public.private(a integer, b integer)
RETURNS integer
LANGUAGE sql
AS $function$SELECT 1$function$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP FUNCTION public.private(integer);
COMMIT;
