\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
REVOKE case_group_a FROM case_member;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard weakens-security: role case_member may make others members of case_group_b
GRANT case_group_b TO case_member WITH ADMIN TRUE;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
GRANT case_group_c TO case_member;
COMMIT;
