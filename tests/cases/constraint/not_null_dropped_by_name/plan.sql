\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.quotes RENAME CONSTRAINT asked_known TO quotes_asked;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.quotes ALTER COLUMN currency SET DEFAULT 'EUR'::text;
ALTER TABLE public.quotes ALTER COLUMN currency DROP NOT NULL;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.quotes ALTER COLUMN price DROP NOT NULL;
COMMIT;
