\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TYPE public.email RENAME TO reconcile_old_email;
CREATE DOMAIN public.email AS text CONSTRAINT email_check CHECK ((VALUE ~ '^.+@.+$'::text));
-- hazard table-rewrite: public.people (16,384 bytes) is rewritten for address, others while nobody can read or write it
ALTER TABLE public.people ALTER COLUMN address TYPE public.email USING address::public.email, ALTER COLUMN others TYPE public.email[] USING others::public.email[];
DROP DOMAIN public.reconcile_old_email;
COMMIT;
