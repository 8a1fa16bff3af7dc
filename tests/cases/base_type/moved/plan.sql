\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard blocks-reads: whoever names base_type public.base with its schema, or has no s on the search_path, fails from then on
ALTER TYPE public.base SET SCHEMA s;
COMMIT;
