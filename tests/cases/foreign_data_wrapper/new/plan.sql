\set ON_ERROR_STOP on
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE FOREIGN DATA WRAPPER checked VALIDATOR postgresql_fdw_validator;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE FOREIGN DATA WRAPPER files OPTIONS (debug 'true');
GRANT USAGE ON FOREIGN DATA WRAPPER files TO case_reader;
COMMENT ON FOREIGN DATA WRAPPER files IS 'reads files';
COMMIT;
