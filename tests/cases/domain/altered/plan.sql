\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER DOMAIN public.amount SET DEFAULT 1;
ALTER DOMAIN public.amount DROP CONSTRAINT positive;
ALTER DOMAIN public.amount ADD CONSTRAINT small CHECK ((VALUE < (1000)::numeric)) NOT VALID;
ALTER DOMAIN public.amount ADD CONSTRAINT positive CHECK ((VALUE >= (0)::numeric)) NOT VALID;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER DOMAIN public.amount VALIDATE CONSTRAINT small;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER DOMAIN public.amount VALIDATE CONSTRAINT positive;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
COMMENT ON DOMAIN public.amount IS 'what is paid';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER DOMAIN public.plain DROP DEFAULT;
ALTER DOMAIN public.plain DROP NOT NULL;
COMMIT;
