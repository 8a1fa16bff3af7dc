\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.kept_id SET (fillfactor = '90');
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard table-rewrite: public.logs (24,576 bytes) is written anew while nobody can read or write it
-- hazard data-loss: the rows of public.logs will not survive a crash
ALTER TABLE public.logs SET UNLOGGED;
ALTER TABLE public.logs SET (fillfactor = '70', toast.autovacuum_enabled = 'false');
ALTER TABLE public.logs RESET (autovacuum_enabled);
ALTER TABLE public.logs REPLICA IDENTITY USING INDEX logs_code;
ALTER TABLE public.logs CLUSTER ON logs_code;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
DROP INDEX CONCURRENTLY IF EXISTS public.logs_id;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.typed OF public.pair;
COMMIT;
