\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER PUBLICATION warehouse DROP TABLE ONLY public.gone, TABLE ONLY public.orders;
ALTER PUBLICATION warehouse ADD TABLE ONLY public.customers, TABLE ONLY public.orders (id, total) WHERE ((total > (1)::numeric));
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER PUBLICATION whole DROP TABLES IN SCHEMA app;
ALTER PUBLICATION whole SET (publish = 'insert, update, delete, truncate');
ALTER PUBLICATION whole ADD TABLES IN SCHEMA public;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard data-loss: table public.gone is dropped with about 0 rows (8,192 bytes)
DROP TABLE public.gone;
COMMIT;
