\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TYPE public.contact RENAME TO reconcile_old_contact;
ALTER TYPE public.email RENAME TO reconcile_old_email;
CREATE DOMAIN public.email AS character varying(3);
CREATE TYPE public.contact AS (
    email public.email,
    note text
);
ALTER TYPE public.price RENAME TO reconcile_old_price;
CREATE DOMAIN public.price AS integer;
-- hazard table-rewrite: public.people (32,768 bytes) is rewritten for contact, email, emails, owed while nobody can read or write it
-- hazard data-loss: values of public.people.contact are cut to character varying(3)
-- hazard data-loss: values of public.people.email are cut to character varying(3)
-- hazard data-loss: values of public.people.emails are cut to character varying(3)
-- hazard data-loss: values of public.people.owed are rounded or cut to integer
ALTER TABLE public.people ALTER COLUMN contact TYPE public.contact USING CASE WHEN contact IS DISTINCT FROM NULL THEN ROW((contact).email::text::public.email, (contact).note::text)::public.contact END, ALTER COLUMN email TYPE public.email USING email::public.email, ALTER COLUMN emails TYPE public.email[] USING emails::public.email[], ALTER COLUMN owed TYPE public.price USING owed::public.price;
DROP TYPE public.reconcile_old_contact;
DROP DOMAIN public.reconcile_old_email;
DROP DOMAIN public.reconcile_old_price;
COMMIT;
