\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard weakens-security: role case_altered gets BYPASSRLS, in all databases
-- hazard blocks-reads: nobody can connect as case_altered from then on; sessions stay
ALTER ROLE case_altered NOCREATEDB NOLOGIN BYPASSRLS VALID UNTIL '2031-01-31 11:00:30.500000+00:00';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER ROLE case_altered SET work_mem TO '8MB';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER ROLE case_altered RESET lock_timeout;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER ROLE case_altered SET statement_timeout TO '1min';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
COMMENT ON ROLE case_altered IS 'after';
COMMIT;
