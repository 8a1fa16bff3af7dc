\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP FUNCTION app.changes(integer);
CREATE FUNCTION app.changes(i integer)
RETURNS text
LANGUAGE sql
AS $function$SELECT '1'$function$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TABLE app.comes (
    id integer
);
REVOKE DELETE, INSERT, REFERENCES, TRIGGER, TRUNCATE, UPDATE, MAINTAIN ON TABLE app.comes FROM case_reader;
REVOKE ALL ON TABLE app.comes FROM case_writer;
GRANT DELETE ON TABLE app.comes TO postgres;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard data-loss: table app.goes is dropped with about 0 rows (0 bytes)
DROP TABLE app.goes;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres REVOKE ALL ON TABLES FROM case_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT SELECT ON TABLES TO case_writer;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT DELETE ON TABLES TO postgres;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard weakens-security: public may EXECUTE on what postgres will create: functions
ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA app REVOKE ALL ON TABLES FROM case_writer;
COMMIT;
