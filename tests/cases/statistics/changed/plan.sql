\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE STATISTICS public.by_month ON city, date_trunc('month'::text, at::timestamp with time zone) FROM public.visits;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP STATISTICS public.kinds_change;
CREATE STATISTICS public.kinds_change (ndistinct, mcv) ON at, city FROM public.visits;
COMMENT ON STATISTICS public.kinds_change IS 'kept';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER STATISTICS public.places SET STATISTICS 500;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
DROP STATISTICS public.gone;
COMMIT;
