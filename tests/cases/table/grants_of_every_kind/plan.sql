\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.moves OWNER TO case_owner;
GRANT DELETE ON TABLE public.moves TO case_owner;
GRANT ALL ON TABLE public.moves TO case_reader;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
SET ROLE case_writer;
REVOKE ALL ON TABLE public.t FROM case_owner;
SET ROLE postgres;
REVOKE INSERT ON TABLE public.t FROM case_reader;
REVOKE DELETE, INSERT, REFERENCES, TRIGGER, TRUNCATE, UPDATE, MAINTAIN ON TABLE public.t FROM postgres;
REVOKE GRANT OPTION FOR ALL ON TABLE public.t FROM case_writer;
GRANT SELECT ON TABLE public.t TO case_reader WITH GRANT OPTION;
SET ROLE case_reader;
GRANT SELECT ON TABLE public.t TO case_owner;
SET ROLE postgres;
COMMIT;
