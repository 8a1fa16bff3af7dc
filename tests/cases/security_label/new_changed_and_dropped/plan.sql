\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
SECURITY LABEL FOR guard ON function public.told(integer) IS 'open';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
SECURITY LABEL FOR guard ON table public.people IS 'top secret';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
SECURITY LABEL FOR guard ON view public.adults IS NULL;
DROP VIEW public.adults;
-- hazard table-rewrite: public.people (16,384 bytes) is rewritten for phone while nobody can read or write it
ALTER TABLE public.people ALTER COLUMN phone TYPE character varying(20);
CREATE VIEW public.adults AS
SELECT id,
    phone
   FROM public.people;
SECURITY LABEL FOR guard ON view public.adults IS 'public';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
SECURITY LABEL FOR guard ON column public.people.phone IS 'mask';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
SECURITY LABEL FOR guard ON column public.people.email IS NULL;
COMMIT;
