\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP FUNCTION public.counted(text);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP FUNCTION public.dropped_as_well();
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard data-loss: table public.gone is dropped with about 0 rows (8,192 bytes)
-- hazard blocks-reads: function public.of_table() may still use table public.gone, and would fail
DROP TABLE public.gone;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard blocks-reads: function public.of_function() may still use function public.next_one(), and would fail
DROP FUNCTION public.next_one();
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard data-loss: column public.orders.spare is dropped with its values
ALTER TABLE public.orders DROP COLUMN spare;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
DROP INDEX CONCURRENTLY IF EXISTS public.named_by_none;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard data-loss: column public.orders.amount is dropped with its values
-- hazard blocks-reads: function public.of_column() may still use column public.orders.amount, and would fail
-- hazard blocks-reads: function public.of_trigger() may still use column public.orders.amount, and would fail
ALTER TABLE public.orders DROP COLUMN amount;
COMMIT;
