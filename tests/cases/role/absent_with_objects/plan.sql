\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
COMMENT ON ROLE case_heir IS 'who gets what a leaver had';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard irreversible: what role case_leaver owns in database this_database belongs to case_heir
REASSIGN OWNED BY case_leaver TO case_heir;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard irreversible: role case_leaver loses its privileges, default privileges, user mappings and places in policies in database this_database, and whatever it creates there meanwhile
DROP OWNED BY case_leaver;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard irreversible: role case_leaver is dropped for all databases: no undo brings back its password, what it had in this_database
DROP ROLE case_leaver;
COMMIT;
