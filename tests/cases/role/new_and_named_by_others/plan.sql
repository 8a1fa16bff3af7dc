\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE ROLE case_named_readers NOINHERIT;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
COMMENT ON ROLE case_named_readers IS 'who may read';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE ROLE "case_named ""Ops"" $1" CREATEDB VALID UNTIL '2030-01-31 00:00:00+00:00';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard weakens-security: role case_named "Ops" $1 may make others members of case_named_readers
GRANT case_named_readers TO "case_named ""Ops"" $1" WITH ADMIN TRUE;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE ROLE case_named_app LOGIN CONNECTION LIMIT 20;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
GRANT case_named_readers TO case_named_app;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
GRANT pg_monitor TO case_named_app;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER ROLE case_named_app SET statement_timeout TO '5s';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER ROLE case_named_app SET search_path TO 'public', 'pg_catalog';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
GRANT USAGE ON SCHEMA public TO case_named_app;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TABLE public.t (
    id bigint
);
ALTER TABLE public.t ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.t OWNER TO case_named_readers;
GRANT SELECT (id) ON TABLE public.t TO case_named_app;
-- hazard weakens-security: policy own on public.t lets case_named_app through without a condition
CREATE POLICY own ON public.t FOR ALL TO case_named_app USING (true);
COMMIT;
