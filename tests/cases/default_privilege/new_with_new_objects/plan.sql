\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TABLE app.shared (
    id integer
);
GRANT INSERT, SELECT ON TABLE app.shared TO case_reader;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE FUNCTION public.one()
RETURNS integer
LANGUAGE sql
AS $function$SELECT 1$function$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TABLE public.plain (
    id integer
);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER DEFAULT PRIVILEGES FOR ROLE case_owner GRANT SELECT ON TABLES TO case_reader;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER DEFAULT PRIVILEGES FOR ROLE case_owner IN SCHEMA app GRANT ALL ON TABLES TO case_writer;
ALTER DEFAULT PRIVILEGES FOR ROLE case_owner IN SCHEMA app GRANT REFERENCES ON TABLES TO case_reader WITH GRANT OPTION;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres REVOKE ALL ON FUNCTIONS FROM PUBLIC;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT INSERT, SELECT ON TABLES TO case_reader;
COMMIT;
