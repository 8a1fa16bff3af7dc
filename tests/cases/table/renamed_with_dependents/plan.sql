\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.users RENAME TO accounts;
ALTER TABLE public.accounts RENAME COLUMN uid TO id;
ALTER TABLE public.accounts RENAME COLUMN mail TO email;
ALTER TABLE public.accounts RENAME CONSTRAINT grown_up TO of_age;
ALTER INDEX public.users_mail_idx RENAME TO accounts_email_idx;
ALTER POLICY own ON public.accounts RENAME TO owner_only;
ALTER TABLE public.accounts RENAME CONSTRAINT users_pkey TO accounts_pkey;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER SEQUENCE public.users_uid_seq RENAME TO accounts_id_seq;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.accounts ADD COLUMN name text;
COMMIT;
