\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.t DROP CONSTRAINT y;
ALTER TABLE public.t RENAME CONSTRAINT x TO y;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.t ADD CONSTRAINT x CHECK ((b > 0)) NOT VALID;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.t VALIDATE CONSTRAINT x;
COMMIT;
