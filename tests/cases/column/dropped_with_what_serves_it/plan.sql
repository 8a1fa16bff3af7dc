\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.a DROP CONSTRAINT a_n_check;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.a DROP CONSTRAINT apart;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
DROP INDEX CONCURRENTLY IF EXISTS public.in_predicate;

SET lock_timeout = 0;
SET statement_timeout = 0;
DROP INDEX CONCURRENTLY IF EXISTS public.on_expression;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.b DROP CONSTRAINT b_a_id_fkey;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard data-loss: column public.b.a_id is dropped with its values
ALTER TABLE public.b DROP COLUMN a_id;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.a DROP CONSTRAINT a_pkey;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
DROP STATISTICS public."both";
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard data-loss: column public.a.n is dropped with its values
ALTER TABLE public.a DROP COLUMN n;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER SEQUENCE public.a_id_seq OWNED BY NONE;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard data-loss: column public.a.id is dropped with its values
ALTER TABLE public.a DROP COLUMN id;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard data-loss: sequence public.a_id_seq is dropped, and how far it has counted is forgotten
DROP SEQUENCE public.a_id_seq;
COMMIT;
