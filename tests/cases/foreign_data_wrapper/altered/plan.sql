\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER FOREIGN DATA WRAPPER files VALIDATOR postgresql_fdw_validator OPTIONS (DROP debug);
REVOKE ALL ON FOREIGN DATA WRAPPER files FROM case_reader;
GRANT USAGE ON FOREIGN DATA WRAPPER files TO case_writer WITH GRANT OPTION;
COMMIT;
