\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TYPE public.state ADD VALUE 'waiting' AFTER 'open';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
DROP VIEW public.open_ids;
DROP VIEW public.open_tickets;
CREATE VIEW public.open_tickets AS
SELECT id
   FROM public.ticket
  WHERE (state = ANY (ARRAY['open'::public.state, 'waiting'::public.state]));
CREATE VIEW public.open_ids AS
SELECT id
   FROM public.open_tickets;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard long-scan: materialized_view public.counted (16,384 bytes) is dropped and filled anew
-- hazard blocks-reads: materialized_view public.counted (16,384 bytes) is dropped and filled anew
DROP MATERIALIZED VIEW public.counted;
CREATE MATERIALIZED VIEW public.counted AS
SELECT count(*) AS n
   FROM public.ticket
  WHERE (state <> 'waiting'::public.state);
COMMIT;
