\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TABLE public."Odd name" (
    id integer
);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE OR REPLACE FUNCTION public.needed()
RETURNS integer
LANGUAGE plpgsql
AS $function$BEGIN RETURN (SELECT max(n) FROM public.counted); END$function$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE VIEW public.counted AS
SELECT public.needed() AS n;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.orders ADD COLUMN note integer;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE OR REPLACE FUNCTION public.uses_column()
RETURNS bigint
LANGUAGE sql
AS $function$SELECT count(*) FROM public.orders WHERE note = 1$function$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE OR REPLACE FUNCTION public.uses_table()
RETURNS bigint
LANGUAGE sql
AS $function$SELECT count(*) FROM public."Odd name"$function$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE FUNCTION public.zzz()
RETURNS bigint
LANGUAGE sql
AS $function$SELECT 2::bigint$function$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE OR REPLACE FUNCTION public.uses_function()
RETURNS bigint
LANGUAGE plpgsql
AS $function$BEGIN RETURN public.zzz(); END$function$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP FUNCTION public.aaa();
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard data-loss: table public.gone is dropped with about 0 rows (8,192 bytes)
DROP TABLE public.gone;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard data-loss: column public.orders.amount is dropped with its values
ALTER TABLE public.orders DROP COLUMN amount;
COMMIT;
