\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
REVOKE ALL ON TABLE public.t FROM pg_monitor;
GRANT SELECT (c) ON TABLE public.t TO pg_monitor;
ALTER TABLE ONLY public.t ALTER COLUMN b SET STATISTICS -1;
ALTER TABLE ONLY public.t ALTER COLUMN b RESET (n_distinct);
GRANT SELECT (b) ON TABLE public.t TO pg_monitor;
GRANT UPDATE (b) ON TABLE public.t TO pg_monitor WITH GRANT OPTION;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard blocks-reads: the indexes of column public.t.a are built anew while nobody can read or write public.t
ALTER TABLE public.t ALTER COLUMN a TYPE text COLLATE "C";
ALTER TABLE public.t ALTER COLUMN a SET STORAGE external;
ALTER TABLE public.t ALTER COLUMN a SET COMPRESSION pglz;
ALTER TABLE ONLY public.t ALTER COLUMN a SET STATISTICS 100;
ALTER TABLE ONLY public.t ALTER COLUMN a SET (n_distinct = -0.5);
COMMENT ON COLUMN public.t.a IS 'what it is';
COMMIT;
