\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER SEQUENCE public.backwards MINVALUE  -9223372036854775808;
ALTER SEQUENCE public.backwards MAXVALUE 9223372036854775807;
SELECT setval('public.backwards',  -1, false) FROM public.backwards WHERE last_value >  -1 OR (NOT is_called AND last_value NOT BETWEEN  -9223372036854775808 AND  -1);
ALTER SEQUENCE public.backwards INCREMENT BY  -1 NO MINVALUE NO MAXVALUE START WITH  -1;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
SELECT setval('public.forwards', 20, false) FROM public.forwards WHERE last_value < 10 OR (NOT is_called AND last_value NOT BETWEEN 10 AND 99999);
ALTER SEQUENCE public.forwards MINVALUE 10 MAXVALUE 99999 START WITH 20;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
SELECT setval('public.narrower', 1, false) FROM public.narrower WHERE last_value < 1 OR (NOT is_called AND last_value NOT BETWEEN 1 AND 100);
ALTER SEQUENCE public.narrower AS smallint MAXVALUE 100;
COMMIT;
