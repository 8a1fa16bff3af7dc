\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.t RENAME CONSTRAINT x TO reconcile_5c911f68197d;
ALTER TABLE public.t RENAME CONSTRAINT y TO reconcile_9f47544efdd0;
ALTER TABLE public.t RENAME CONSTRAINT reconcile_5c911f68197d TO y;
ALTER TABLE public.t RENAME CONSTRAINT reconcile_9f47544efdd0 TO x;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.t RENAME CONSTRAINT z TO w;
COMMIT;
