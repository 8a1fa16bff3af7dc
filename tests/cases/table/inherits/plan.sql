\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.cats ADD COLUMN weight numeric;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.animals ADD COLUMN weight numeric;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.cats INHERIT public.animals;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE TABLE public.dogs (
    breed text
) INHERITS (public.animals);
ALTER TABLE public.dogs ALTER COLUMN name SET DEFAULT 'Rex'::text;
ALTER TABLE public.dogs ADD CONSTRAINT has_a_breed CHECK ((breed <> ''::text));
COMMIT;
