\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER SEQUENCE public.q AS bigint MINVALUE  -2147483648 NO MAXVALUE;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER SEQUENCE public.s AS bigint;
ALTER SEQUENCE public.s MINVALUE  -9223372036854775808;
ALTER SEQUENCE public.s MAXVALUE 32767;
SELECT setval('public.s',  -1, false) FROM public.s WHERE last_value >  -1 OR (NOT is_called AND last_value NOT BETWEEN  -9223372036854775808 AND  -1);
ALTER SEQUENCE public.s AS bigint INCREMENT BY  -1 NO MINVALUE MAXVALUE  -1 START WITH  -1;
COMMIT;
