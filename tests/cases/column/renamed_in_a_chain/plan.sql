\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.u RENAME TO w;
ALTER TABLE public.v RENAME TO u;
ALTER TABLE public.t RENAME COLUMN b TO a;
ALTER TABLE public.t RENAME COLUMN c TO b;
COMMIT;
