\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.t OWNER TO pg_read_all_settings;
GRANT SELECT (a) ON TABLE public.t TO pg_read_all_settings;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
REVOKE ALL (a) ON TABLE public.t FROM pg_read_all_settings;
GRANT SELECT (a) ON TABLE public.t TO pg_monitor;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
REVOKE UPDATE (b) ON TABLE public.t FROM PUBLIC;
-- hazard weakens-security: public may INSERT (b) on column public.t.b
GRANT INSERT (b) ON TABLE public.t TO PUBLIC;
COMMIT;
