\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER SERVER one VERSION '9' OPTIONS (DROP port, SET host 'b', ADD dbname 'd');
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP USER MAPPING FOR PUBLIC SERVER two;
DROP FOREIGN TABLE public.far;
DROP SERVER two;
CREATE SERVER two TYPE 'y' FOREIGN DATA WRAPPER files;
CREATE USER MAPPING FOR PUBLIC SERVER two OPTIONS ("user" 'n');
CREATE FOREIGN TABLE public.far (
    id integer
) SERVER two;
GRANT SELECT ON TABLE public.far TO case_reader;
COMMIT;
