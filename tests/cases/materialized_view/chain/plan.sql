\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP VIEW public.report;
DROP MATERIALIZED VIEW public.grand_total;
-- hazard long-scan: materialized_view public.by_region (16,384 bytes) is dropped and filled anew
-- hazard blocks-reads: materialized_view public.by_region (16,384 bytes) is dropped and filled anew
DROP MATERIALIZED VIEW public.by_region;
CREATE MATERIALIZED VIEW public.by_region AS
SELECT region,
    sum(amount) AS total,
    count(*) AS sales
   FROM public.sales
  GROUP BY region;
COMMENT ON COLUMN public.by_region.total IS 'kept too';
GRANT SELECT ON TABLE public.by_region TO PUBLIC;
COMMENT ON MATERIALIZED VIEW public.by_region IS 'kept';
CREATE UNIQUE INDEX by_region_key ON public.by_region USING btree (region);
CREATE MATERIALIZED VIEW public.grand_total AS
SELECT sum(total) AS total
   FROM public.by_region
WITH NO DATA;
COMMENT ON MATERIALIZED VIEW public.grand_total IS 'was never filled, and is not now';
CREATE VIEW public.report AS
SELECT total
   FROM public.grand_total;
COMMIT;
