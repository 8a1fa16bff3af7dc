\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TYPE public.later;
COMMENT ON TYPE public.later IS 'defined later';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TYPE public.money_amount;
COMMENT ON TYPE public.money_amount IS 'in cents';
CREATE FUNCTION public.money_amount_in(cstring)
RETURNS public.money_amount
LANGUAGE internal
IMMUTABLE
STRICT
AS $function$int8in$function$;
CREATE FUNCTION public.money_amount_out(public.money_amount)
RETURNS cstring
LANGUAGE internal
IMMUTABLE
STRICT
AS $function$int8out$function$;
CREATE FUNCTION public.money_amount_recv(internal)
RETURNS public.money_amount
LANGUAGE internal
IMMUTABLE
STRICT
AS $function$int8recv$function$;
CREATE FUNCTION public.money_amount_send(public.money_amount)
RETURNS bytea
LANGUAGE internal
IMMUTABLE
STRICT
AS $function$int8send$function$;
CREATE TYPE public.money_amount (
    INPUT = public.money_amount_in,
    OUTPUT = public.money_amount_out,
    RECEIVE = public.money_amount_recv,
    SEND = public.money_amount_send,
    INTERNALLENGTH = 8,
    PASSEDBYVALUE = true,
    ALIGNMENT = double,
    CATEGORY = 'N',
    DEFAULT = '0'
);
ALTER TYPE public.money_amount OWNER TO pg_monitor;
REVOKE ALL ON TYPE public.money_amount FROM PUBLIC;
GRANT USAGE ON TYPE public.money_amount TO pg_read_all_stats;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE CAST (bigint AS public.money_amount) WITHOUT FUNCTION;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE CAST (integer AS public.money_amount) WITH INOUT;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE CAST (public.money_amount AS bigint) WITHOUT FUNCTION AS ASSIGNMENT;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TYPE public.order_line AS (
    amount public.money_amount
);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE FUNCTION public.plus(public.money_amount, public.money_amount)
RETURNS public.money_amount
LANGUAGE internal
IMMUTABLE
STRICT
AS $function$int8pl$function$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE OPERATOR public.+ (FUNCTION = public.plus, LEFTARG = public.money_amount, RIGHTARG = public.money_amount);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE DOMAIN public.price AS public.money_amount;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.t ADD COLUMN amount public.money_amount DEFAULT '5'::public.money_amount;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.t ADD COLUMN amounts public.money_amount[];
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.t ADD COLUMN line public.order_line;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.t ADD COLUMN price public.price;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE VIEW public.v AS
SELECT (amount OPERATOR(public.+) amount) AS twice
   FROM public.t;
COMMIT;
