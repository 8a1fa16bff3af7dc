\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE FOREIGN TABLE public.old_orders (
    id integer OPTIONS (column_name 'ID') NOT NULL,
    total numeric
) SERVER archive OPTIONS (filename '/tmp/orders');
ALTER FOREIGN TABLE public.old_orders OWNER TO case_owner;
GRANT SELECT ON TABLE public.old_orders TO case_reader;
COMMENT ON FOREIGN TABLE public.old_orders IS 'before 2020';
ALTER TABLE public.old_orders ADD CONSTRAINT old_orders_total CHECK ((total > (0)::numeric));
COMMIT;
