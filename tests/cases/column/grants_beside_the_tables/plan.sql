\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
REVOKE ALL ON TABLE public.c FROM pg_monitor;
GRANT SELECT (m) ON TABLE public.c TO pg_monitor;
ALTER TABLE public.c ALTER COLUMN m DROP NOT NULL;
GRANT UPDATE (m) ON TABLE public.c TO pg_monitor;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.c ADD COLUMN p integer;
GRANT SELECT (p) ON TABLE public.c TO pg_monitor;
COMMIT;
