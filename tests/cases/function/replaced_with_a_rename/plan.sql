\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER FUNCTION public.helper() RENAME TO assistant;
-- hazard blocks-reads: function public.first() may use 'new' of enum public.status under this name, and is replaced in the same transaction: calls that are running then may fail
ALTER TYPE public.status RENAME VALUE 'new' TO 'fresh';
-- hazard blocks-reads: function public.checked() may use column public.orders.amount under this name, and is replaced in the same transaction: calls that are running then may fail
-- hazard blocks-reads: function public.total() may use column public.orders.amount under this name, and is replaced in the same transaction: calls that are running then may fail
ALTER TABLE public.orders RENAME COLUMN amount TO price;
CREATE OR REPLACE FUNCTION public.checked()
RETURNS trigger
LANGUAGE plpgsql
AS $function$BEGIN IF new.price < 0 THEN RAISE 'negative'; END IF; RETURN new; END$function$;
CREATE OR REPLACE FUNCTION public.first()
RETURNS public.status
LANGUAGE sql
AS $function$SELECT 'fresh'::public.status$function$;
ALTER TABLE public.orders ADD COLUMN size integer DEFAULT 1;
CREATE OR REPLACE FUNCTION public.total()
RETURNS bigint
LANGUAGE sql
AS $function$SELECT sum(price * size) FROM public.orders$function$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE OR REPLACE FUNCTION public.assistant()
RETURNS integer
LANGUAGE sql
AS $function$SELECT public.other()$function$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.orders ADD COLUMN note text;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE OR REPLACE FUNCTION public.other()
RETURNS integer
LANGUAGE sql
AS $function$SELECT 2$function$;
COMMIT;
