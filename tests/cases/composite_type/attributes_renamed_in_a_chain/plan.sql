\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TYPE public.pair RENAME ATTRIBUTE c TO z CASCADE;
ALTER TYPE public.pair RENAME ATTRIBUTE b TO c CASCADE;
COMMIT;
