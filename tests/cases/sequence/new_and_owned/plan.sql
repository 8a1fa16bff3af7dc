\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE SEQUENCE public.numbers AS integer INCREMENT BY 10 START WITH 100 CACHE 5 CYCLE;
GRANT USAGE ON SEQUENCE public.numbers TO pg_monitor;
COMMENT ON SEQUENCE public.numbers IS 'of the rows of t';
ALTER TABLE public.t ALTER COLUMN id SET DEFAULT nextval('public.numbers'::regclass);
ALTER SEQUENCE public.numbers OWNED BY public.t.id;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard data-loss: sequence public.old is dropped, and how far it has counted is forgotten
DROP SEQUENCE public.old;
COMMIT;
