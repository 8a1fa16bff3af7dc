\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP INDEX public.of_both_stays;
-- hazard blocks-writes: public.of_both (8,192 bytes) cannot be written while index public.of_both_stays is built
CREATE INDEX of_both_stays ON public.of_both USING btree (gone);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.child DROP CONSTRAINT of_child;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
DROP INDEX CONCURRENTLY IF EXISTS public.of_child;

SET lock_timeout = 0;
SET statement_timeout = 0;
DROP INDEX CONCURRENTLY IF EXISTS public.of_grandchild;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard data-loss: column public.parent.gone is dropped with its values
ALTER TABLE public.parent DROP COLUMN gone;
COMMIT;
