\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE SERVER archive TYPE 'tape' VERSION '2' FOREIGN DATA WRAPPER files OPTIONS (host 'vault', "Null" 'it''s');
ALTER SERVER archive OWNER TO case_owner;
GRANT USAGE ON FOREIGN SERVER archive TO case_reader;
COMMENT ON SERVER archive IS 'slow';
COMMIT;
