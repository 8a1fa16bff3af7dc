\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
DROP MATERIALIZED VIEW public.gone;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard blocks-reads: materialized_view public.emptied (0 bytes) is emptied and cannot be read
REFRESH MATERIALIZED VIEW public.emptied WITH NO DATA;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard long-scan: materialized_view public.empty (0 bytes) is filled while its query runs
REFRESH MATERIALIZED VIEW public.empty;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER MATERIALIZED VIEW public.filled RESET (autovacuum_enabled);
ALTER MATERIALIZED VIEW public.filled SET (fillfactor = '80');
ALTER MATERIALIZED VIEW public.filled ALTER COLUMN note SET STORAGE EXTERNAL;
ALTER MATERIALIZED VIEW public.filled ALTER COLUMN note SET STATISTICS 10;
COMMENT ON COLUMN public.filled.note IS 'what was said';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE MATERIALIZED VIEW public.new AS
SELECT count(*) AS n
   FROM public.sales
WITH NO DATA;
COMMIT;
